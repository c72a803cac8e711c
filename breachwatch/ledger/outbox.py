"""The couriers' side of the outbox: leases, and what became of each item."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from breachwatch.kernel.ports import OutboxKind, OutboxRow
from breachwatch.ledger import rows
from breachwatch.ledger.database import Database
from breachwatch.ledger.schema import outbox

_ADDRESS = re.compile(r"[^\s<>(),;:\"']+@[^\s<>(),;:\"']+")
_REPLY_CHARACTERS = 500


class SqlOutbox:
    """Implements `kernel.ports.OutboxStore`. A lease is durable before it is handed out."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def lease(self, kinds: Sequence[OutboxKind], owner: str, now: datetime, until: datetime) -> OutboxRow | None:
        """Take the next due item (or one whose lease ended) as `sending`, durably, before anything is sent."""
        for kind in self._kinds_due(kinds, now):
            next_one = (
                sa.select(outbox.c.number)
                .where(outbox.c.kind == kind, outbox.c.due_at <= now)
                .order_by(outbox.c.due_at, outbox.c.number)
                .limit(1)
                .with_for_update(skip_locked=True)
            )
            take = (
                sa.update(outbox)
                .where(outbox.c.number == next_one.scalar_subquery())
                .values(state="sending", attempts=outbox.c.attempts + 1, owner=owner, due_at=until)
                .returning(outbox)
            )
            with self._database.writing() as connection:
                row = connection.execute(take).first()
            if row:
                return rows.outbox_row_of(row)
        return None

    def _kinds_due(self, kinds: Sequence[OutboxKind], now: datetime) -> list[OutboxKind]:
        """Which kinds have something due, the longest due first; costs a write only when there is something."""
        firsts = [(due_at, kind) for kind, due_at in self._firsts(kinds).items() if due_at <= now]
        return [kind for _, kind in sorted(firsts)]

    def _firsts(self, kinds: Sequence[OutboxKind]) -> dict[OutboxKind, datetime]:
        """When the first open item of each kind is due: one look into the index a kind, however many are open."""
        first = sa.select(sa.func.min(outbox.c.due_at)).where(outbox.c.due_at.is_not(None))
        with self._database.reading() as connection:
            found = {kind: connection.scalar(first.where(outbox.c.kind == kind)) for kind in kinds}
        return {kind: due_at for kind, due_at in found.items() if due_at is not None}

    def sent(self, item_id: str, owner: str, now: datetime, message_id: str, reply: str) -> None:
        """Record acceptance by the server.

        It is recorded even when the lease has ended meanwhile: what was accepted must not be sent once more.
        """
        self._end(item_id, outbox.c.due_at.is_not(None), "sent", now, reply, owner=owner, message_id=message_id)

    def refused(self, item_id: str, owner: str, now: datetime, reply: str) -> None:
        """Record a permanent failure; ignored when the item is in another courier's hands by now."""
        self._end(item_id, _held_by(owner), "refused", now, reply)

    def retry(self, item_id: str, owner: str, next_attempt_at: datetime, reply: str) -> None:
        """Record a transient failure and when to try again; ignored as in `refused`."""
        change = (
            sa.update(outbox)
            .where(outbox.c.id == item_id, _held_by(owner))
            .values(state="retry", due_at=next_attempt_at, owner="", reply=_without_addresses(reply))
        )
        with self._database.writing() as connection:
            connection.execute(change)

    def next_due(self, kinds: Sequence[OutboxKind]) -> datetime | None:
        """When the earliest open item is due; None when nothing is open."""
        return min(self._firsts(kinds).values(), default=None)

    def counts(self) -> Mapping[tuple[str, str], int]:
        """(kind, state) to number of items."""
        query = sa.select(outbox.c.kind, outbox.c.state, sa.func.count()).group_by(outbox.c.kind, outbox.c.state)
        with self._database.reading() as connection:
            return {(kind, state): number for kind, state, number in connection.execute(query)}

    def open_items(self) -> Mapping[str, tuple[int, datetime]]:
        """Kind to how many items are not done yet, and when the oldest of them was written."""
        query = (
            sa.select(outbox.c.kind, sa.func.count(), sa.func.min(outbox.c.created_at))
            .where(outbox.c.due_at.is_not(None))
            .group_by(outbox.c.kind)
        )
        with self._database.reading() as connection:
            return {kind: (number, oldest) for kind, number, oldest in connection.execute(query)}

    def _end(
        self, item_id: str, still: sa.ColumnElement[bool], state: str, now: datetime, reply: str, **more: Any
    ) -> None:
        change = (
            sa.update(outbox)
            .where(outbox.c.id == item_id, still)
            .values(state=state, due_at=None, done_at=now, reply=_without_addresses(reply), **more)
        )
        with self._database.writing() as connection:
            connection.execute(change)


def _held_by(owner: str) -> sa.ColumnElement[bool]:
    return sa.and_(outbox.c.state == "sending", outbox.c.owner == owner)


def _without_addresses(reply: str) -> str:
    """A server's answer without any mail address in it, since answers like to quote them."""
    return _ADDRESS.sub("(address)", reply)[:_REPLY_CHARACTERS]
