"""One unit of work on the ledger: what `pipeline.service` does between `begin` and the commit."""

import hashlib
import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

import sqlalchemy as sa

from breachwatch.kernel.facts import Actor, Codec, Recorded, encode, seal
from breachwatch.kernel.ids import IncidentId, SubjectRef
from breachwatch.kernel.ports import CaseSummary, OutboxItem
from breachwatch.kernel.streams import Alert
from breachwatch.kernel.time import require_utc
from breachwatch.ledger import rows
from breachwatch.ledger.chain import Head, Seals, Total, same
from breachwatch.ledger.database import Database
from breachwatch.ledger.schema import (
    alert_subjects,
    alerts,
    contacts,
    dispatches,
    facts,
    heads,
    members,
    outbox,
    subject_refs,
    summaries,
    totals,
)

log = logging.getLogger(__name__)
T = TypeVar("T")
_PORTION = 500
"""Values a statement: below SQLite's bound of 999 in old builds, and PostgreSQL's of 65,535."""


def portions(values: Iterable[T]) -> Iterator[list[T]]:
    """Values in lists that one statement can carry."""
    rest = iter(values)
    while portion := list(islice(rest, _PORTION)):
        yield portion


class SqlTransaction:
    """Implements `kernel.ports.Transaction` on one connection inside one database transaction.

    Locks are taken in one order, so that two transactions wait rather than block each other for good: a playbook's
    key (`find_mergeable`), then the incident's head (`facts`, `append`), last the total (`seal_all`).
    """

    def __init__(self, database: Database, connection: sa.Connection, seals: Seals, codec: Codec) -> None:
        self._database = database
        self._connection = connection
        self._seals = seals
        self._codec = codec
        self._found: dict[str, Head] = {}
        self._heads: dict[str, Head] = {}
        self._moved: set[str] = set()

    # ------------------------------------------------------------------ the case file

    def facts(self, incident_id: IncidentId) -> list[Recorded]:
        """Lock the case file and return its facts, oldest first; empty if unknown."""
        self._lock(incident_id)
        query = sa.select(*rows.FACT_COLUMNS).where(facts.c.incident_id == incident_id).order_by(facts.c.seq)
        return [rows.fact_of(row, self._codec) for row in self._connection.execute(query)]

    def claim(self, incident_id: IncidentId) -> bool:
        """Lock the case file as `facts` does, unless somebody else is at it; SQLite's writers are alone anyway."""
        query = sa.select(heads.c.incident_id).where(heads.c.incident_id == incident_id)
        if self._connection.execute(query.with_for_update(skip_locked=True)).first() is not None:
            return True
        return self._connection.execute(query).first() is None  # a head that was taken out: `facts` knows what to do

    def append(self, incident_id: IncidentId, actor: Actor, at: datetime, bodies: Sequence[object]) -> list[Recorded]:
        """Add facts at the end of the chain, and a `fact` outbox item for each."""
        head = self._lock(incident_id)
        added: list[Recorded] = []
        stored: list[dict[str, Any]] = []
        items: list[OutboxItem] = []
        for body in bodies:
            fact, text = _next_fact(head, actor, require_utc(at), body)
            head = Head(incident_id, fact.seq, fact.hash, head.whole)
            added.append(fact)
            stored.append(_fact_values(fact, text, self._seals.fact(fact.hash)))
            items.append(rows.fact_item(fact, json.loads(text)))
        if added:
            self._extend(head)
            self._connection.execute(sa.insert(facts), stored)
            self.enqueue(items)
        return added

    def _lock(self, incident_id: str) -> Head:
        """The incident's head, held until the transaction ends, whether there is an incident yet or not."""
        if incident_id in self._heads:
            return self._heads[incident_id]
        query = sa.select(heads).where(heads.c.incident_id == incident_id).with_for_update()
        row = self._connection.execute(query).first()
        if row is None:
            self._database.lock_name(self._connection, "incident", incident_id)
            row = self._connection.execute(query).first()
        head = Head(incident_id) if row is None else Head(incident_id, row.seq, row.hash)
        if row is not None and not same(row.mac, self._seals.head(head)):
            head = head._replace(whole=False)
        self._found[incident_id] = head
        self._heads[incident_id] = self._real_end(head) if row is None or not head.whole else head
        return self._heads[incident_id]

    def _real_end(self, head: Head) -> Head:
        """Where a chain without a good head goes on; what was altered stays marked, what is new is not lost."""
        query = (
            sa.select(facts.c.seq, facts.c.hash)
            .where(facts.c.incident_id == head.incident_id)
            .order_by(facts.c.seq.desc())
            .limit(1)
        )
        last = self._connection.execute(query).first()
        if last is None and head.whole:
            return head
        log.error("the chain of incident %s was altered; run: breachwatch verify", head.incident_id)
        return Head(head.incident_id, last.seq, last.hash, False) if last else Head(head.incident_id, whole=False)

    def _extend(self, head: Head) -> None:
        """Store a head that moved on; its seal comes with the commit."""
        self._heads[head.incident_id] = head
        self._moved.add(head.incident_id)
        insert = self._database.insert(heads).values(
            incident_id=head.incident_id, seq=head.seq, hash=head.hash, mac=self._seals.head(head)
        )
        changed = {name: insert.excluded[name] for name in ("seq", "hash", "mac")}
        self._connection.execute(insert.on_conflict_do_update(index_elements=["incident_id"], set_=changed))

    def seal_all(self) -> None:
        """Bring the total up to the heads that moved; the last step before the commit."""
        if not self._moved:
            return
        row = self._connection.execute(sa.select(totals).with_for_update()).one()
        total = Total(row.incidents, row.facts, int(row.sum))
        if not same(row.mac, self._seals.total(total)):
            log.error("the seal over all incidents was altered; run: breachwatch verify")
            total = total._replace(whole=False)
        for incident_id in sorted(self._moved):
            total = self._seals.add(total, self._found[incident_id], self._heads[incident_id])
        self._connection.execute(
            sa.update(totals).values(
                incidents=total.incidents, facts=total.facts, sum=str(total.sum), mac=self._seals.total(total)
            )
        )

    def save_summary(self, summary: CaseSummary) -> None:
        """Replace the incident's summary row."""
        insert = self._database.insert(summaries).values(rows.summary_values(summary))
        changed = {column.name: insert.excluded[column.name] for column in summaries.c if not column.primary_key}
        self._connection.execute(insert.on_conflict_do_update(index_elements=["incident_id"], set_=changed))

    # ------------------------------------------------------------------ alerts

    def alert_revision(self, alert_id: str) -> int:
        """The newest revision taken of this alert; 0 when it is unknown."""
        self._database.lock_name(self._connection, "alert", alert_id)
        found = self._connection.scalar(sa.select(alerts.c.revision).where(alerts.c.id == alert_id))
        return int(found or 0)

    def save_alert(self, alert: Alert, incident_id: IncidentId | None, at: datetime) -> None:
        """Insert or update the alert row; an older revision changes only the link, None keeps the link there is."""
        insert = self._database.insert(alerts).values(rows.alert_values(alert, at))
        newer = {
            name: insert.excluded[name] for name in ("revision", "playbook", "first_event_at", "last_event_at", "alert")
        }
        self._connection.execute(
            insert.on_conflict_do_update(
                index_elements=["id"], set_=newer, where=insert.excluded.revision >= alerts.c.revision
            )
        )
        if incident_id:
            self._connection.execute(sa.update(alerts).where(alerts.c.id == alert.id).values(incident_id=incident_id))
        if alert.supersedes:
            self._connection.execute(sa.update(alerts).where(alerts.c.id.in_(alert.supersedes)).values(superseded=True))

    def incident_of(self, alert_ids: Sequence[str]) -> IncidentId | None:
        """The incident that any of these alerts belongs to: the first named alert's first."""
        query = sa.select(alerts.c.id, alerts.c.incident_id).where(alerts.c.incident_id.is_not(None))
        homes: dict[str, str] = {}
        for portion in portions(alert_ids):
            homes.update(
                (row.id, row.incident_id) for row in self._connection.execute(query.where(alerts.c.id.in_(portion)))
            )
        return next((IncidentId(homes[one]) for one in alert_ids if one in homes), None)

    def find_mergeable(self, playbook: str, key: Mapping[str, str], since: datetime) -> IncidentId | None:
        """The newest open or confirmed incident of a playbook with this key and its last event at or after `since`.

        Until this transaction ends, another one that asks about the same playbook and key waits, so that two alerts
        of one story taken at the same moment do not raise two incidents.
        """
        self._database.lock_name(self._connection, "key", playbook, json.dumps(dict(key), sort_keys=True))
        query = (
            sa.select(summaries.c.incident_id)
            .where(summaries.c.playbook == playbook, summaries.c.key == key)
            .where(summaries.c.status.in_(("open", "confirmed")), summaries.c.last_event_at >= since)
            .order_by(summaries.c.raised_at.desc(), summaries.c.incident_id)
            .limit(1)
        )
        found = self._connection.scalar(query)
        return IncidentId(found) if found else None

    def unlinked_alerts(self, playbook: str, since: datetime) -> list[Alert]:
        """Alerts of a playbook that belong to no incident, not superseded, with last event at or after `since`."""
        query = (
            sa.select(alerts.c.alert)
            .where(alerts.c.playbook == playbook, alerts.c.incident_id.is_(None))
            .where(sa.not_(alerts.c.superseded), alerts.c.last_event_at >= since)
            .order_by(alerts.c.first_event_at, alerts.c.id)
        )
        return [rows.alert_of(text) for text in self._connection.scalars(query)]

    # ------------------------------------------------------------------ people

    def link_subjects(self, incident_id: IncidentId, refs: Iterable[SubjectRef]) -> tuple[int, int, str]:
        """Store references; returns (added, total, digest) as in `SubjectsLinked`."""
        known = set(
            self._connection.scalars(sa.select(subject_refs.c.ref).where(subject_refs.c.incident_id == incident_id))
        )
        new = sorted(set(refs) - known)
        if new:
            insert = self._database.insert(subject_refs).on_conflict_do_nothing()
            self._connection.execute(insert, [{"incident_id": incident_id, "ref": ref} for ref in new])
        every = sorted(known.union(new))
        return len(new), len(every), hashlib.sha256("\n".join(every).encode()).hexdigest()

    def link_alert_subjects(self, alert_id: str, refs: Iterable[SubjectRef]) -> None:
        """Store an alert's references until the alert raises or joins an incident."""
        linked = [{"alert_id": alert_id, "ref": ref} for ref in sorted(set(refs))]
        if linked:
            self._connection.execute(self._database.insert(alert_subjects).on_conflict_do_nothing(), linked)

    def alert_subjects(self, alert_ids: Sequence[str]) -> list[SubjectRef]:
        """All references stored for these alerts, each once, in order."""
        found: set[str] = set()
        for portion in portions(alert_ids):
            query = sa.select(alert_subjects.c.ref).where(alert_subjects.c.alert_id.in_(portion))
            found.update(self._connection.scalars(query))
        return [SubjectRef(ref) for ref in sorted(found)]

    def untold(self, incident_id: IncidentId) -> list[tuple[str, str]]:
        """(person, language) of every reachable person of this incident without a notice in the outbox."""
        query = untold_people(incident_id).order_by(contacts.c.person)
        return [(row.person, row.language) for row in self._connection.execute(query)]

    # ------------------------------------------------------------------ what must leave

    def enqueue(self, items: Sequence[OutboxItem]) -> int:
        """Store items not stored before; returns how many were new."""
        notices: dict[str, list[OutboxItem]] = {}
        for item in items:
            if item.kind == "notice":
                notices.setdefault(item.incident_id, []).append(item)
        insert = self._database.insert(outbox).on_conflict_do_nothing().returning(outbox.c.number)
        new = 0
        for portion in portions(rows.item_values(item) for item in items if item.kind != "notice"):
            new += len(self._connection.execute(insert, portion).all())
        return new + sum(self._enqueue_notices(incident_id, some) for incident_id, some in notices.items())

    def _enqueue_notices(self, incident_id: str, items: Sequence[OutboxItem]) -> int:
        """There may be a hundred thousand of them: counted before and after, not row by row."""
        count = sa.select(sa.func.count()).where(outbox.c.incident_id == incident_id, sa.text("kind = 'notice'"))
        before = self._connection.scalar(count) or 0
        insert = self._database.insert(outbox).on_conflict_do_nothing()
        for portion in portions(map(rows.item_values, items)):
            self._connection.execute(insert, portion)
        new = (self._connection.scalar(count) or 0) - before
        if new:
            self._mark_dispatch(incident_id, unreported=True)
        return new

    def _mark_dispatch(self, incident_id: str, *, unreported: bool) -> None:
        insert = self._database.insert(dispatches).values(incident_id=incident_id, unreported=unreported)
        self._connection.execute(
            insert.on_conflict_do_update(index_elements=["incident_id"], set_={"unreported": unreported})
        )

    def outbox_result(self, incident_id: IncidentId) -> tuple[int, int, int, str]:
        """(sent, refused, still open, proof) over this incident's notices; proof as in `NoticesDispatched`.

        When nothing is open, the case file counts as told of it once this transaction is durable.
        """
        query = (
            sa.select(outbox.c.id, outbox.c.state, outbox.c.reply)
            .where(outbox.c.incident_id == incident_id, outbox.c.kind == "notice")
            .order_by(outbox.c.number)
        )
        found = sorted((row.id, row.state, row.reply) for row in self._connection.execute(query))
        proof = hashlib.sha256(json.dumps(found, separators=(",", ":"), ensure_ascii=False).encode()).hexdigest()
        states = [state for _, state, _ in found]
        sent, refused = states.count("sent"), states.count("refused")
        still_open = len(found) - sent - refused
        if found and not still_open:
            self._mark_dispatch(incident_id, unreported=False)
        return sent, refused, still_open, proof

    def others_than(self, name: str) -> bool:
        """Whether the team has another active member than this one who may draft or approve."""
        query = sa.select(members.c.roles).where(members.c.active, members.c.name != name)
        return any({"analyst", "dpo"} & set(found.split()) for found in self._connection.scalars(query))


def untold_people(incident_id: IncidentId) -> sa.Select[Any]:
    """Selects (person, language) of every reachable person of an incident without a notice in the outbox."""
    affected = sa.exists().where(subject_refs.c.incident_id == incident_id, subject_refs.c.person == contacts.c.person)
    told = sa.exists().where(
        outbox.c.kind == "notice", outbox.c.incident_id == incident_id, outbox.c.person == contacts.c.person
    )
    return sa.select(contacts.c.person, contacts.c.language).where(
        contacts.c.incident_id == incident_id, affected, ~told
    )


def _next_fact(head: Head, actor: Actor, at: datetime, body: object) -> tuple[Recorded, str]:
    text, kind, seq = encode(body), type(body).__name__, head.seq + 1
    fact_hash = seal(head.hash, head.incident_id, seq, kind, at, actor.name, actor.kind, text)
    home = IncidentId(head.incident_id)
    return Recorded(home, seq, kind, at, actor.name, actor.kind, body, head.hash, fact_hash), text


def _fact_values(fact: Recorded, text: str, mac: str) -> dict[str, Any]:
    return {
        "incident_id": fact.incident_id,
        "seq": fact.seq,
        "type": fact.type,
        "at": fact.at,
        "actor": fact.actor,
        "actor_kind": fact.actor_kind,
        "body": text,
        "prev_hash": fact.prev_hash,
        "hash": fact.hash,
        "mac": mac,
    }
