"""The team: members, sign-ins, sessions, and how often somebody failed. Secrets arrive here already hashed."""

import hmac
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from breachwatch.kernel.errors import NotFoundError
from breachwatch.kernel.ports import Member
from breachwatch.ledger.database import Database
from breachwatch.ledger.keys import MasterKey
from breachwatch.ledger.schema import failures, members, sessions, sign_ins

_FAILURES_KEPT = timedelta(days=1)


class SqlTeam:
    """Implements `kernel.ports.Team`."""

    def __init__(self, database: Database, keys: MasterKey) -> None:
        self._database = database
        self._failure_key = keys.derive("name-failure")

    def members(self) -> list[Member]:
        """Everyone, by name."""
        with self._database.reading() as connection:
            return [_member(row) for row in connection.execute(sa.select(members).order_by(members.c.name))]

    def put(self, member: Member, password_hash: str | None) -> None:
        """Add or change a member; None keeps the password as it is. Who is not active any more is signed out."""
        values: dict[str, Any] = {
            "name": member.name,
            "display_name": member.display_name,
            "roles": " ".join(sorted(member.roles)),
            "active": member.active,
        }
        if password_hash is not None:
            values["password_hash"] = password_hash
        insert = self._database.insert(members).values(values)
        changed = {name: insert.excluded[name] for name in values if name != "name"}
        with self._database.writing() as connection:
            connection.execute(insert.on_conflict_do_update(index_elements=["name"], set_=changed))
            if not member.active:
                connection.execute(sa.delete(sessions).where(sessions.c.name == member.name))
                connection.execute(sa.delete(sign_ins).where(sign_ins.c.name == member.name))

    def password_hash(self, name: str) -> str | None:
        """The stored argon2 hash of an active member."""
        query = sa.select(members.c.password_hash).where(members.c.name == name, members.c.active)
        with self._database.reading() as connection:
            found: str | None = connection.scalar(query)
            return found

    # ------------------------------------------------------------------ sessions

    def open_session(self, name: str, token_hash: str, csrf: str, now: datetime, until: datetime) -> None:
        """Start a session; earlier sessions with this token do not exist, and those that ended are cleared away.

        Raises:
            NotFoundError: no such member.
        """
        with self._database.writing() as connection:
            _require_member(connection, name)
            ended = sa.or_(sessions.c.token_hash == token_hash, sessions.c.until <= now)
            connection.execute(sa.delete(sessions).where(ended))
            connection.execute(sa.insert(sessions).values(name=name, token_hash=token_hash, csrf=csrf, until=until))

    def session(self, token_hash: str, now: datetime) -> tuple[Member, str] | None:
        """(member, csrf) of a live session of an active member."""
        query = (
            sa.select(members, sessions.c.csrf)
            .join(sessions, sessions.c.name == members.c.name)
            .where(sessions.c.token_hash == token_hash, sessions.c.until > now, members.c.active)
        )
        with self._database.reading() as connection:
            row = connection.execute(query).first()
        return (_member(row), row.csrf) if row else None

    def extend_session(self, token_hash: str, until: datetime) -> None:
        """Let a session that still exists live until then; one that was ended meanwhile stays ended."""
        query = sa.update(sessions).where(sessions.c.token_hash == token_hash).values(until=until)
        with self._database.writing() as connection:
            connection.execute(query)

    def end_session(self, token_hash: str) -> None:
        """End it."""
        with self._database.writing() as connection:
            connection.execute(sa.delete(sessions).where(sessions.c.token_hash == token_hash))

    def end_sessions(self, name: str, *, but: str = "") -> None:
        """End every session of a member, except the one with this token hash: for when the password changes."""
        with self._database.writing() as connection:
            connection.execute(sa.delete(sessions).where(sessions.c.name == name, sessions.c.token_hash != but))

    # ------------------------------------------------------------------ one-time sign-ins

    def offer_sign_in(self, name: str, token_hash: str, until: datetime) -> None:
        """Store a one-time sign-in; an earlier one of this member is void.

        Raises:
            NotFoundError: no such member.
        """
        with self._database.writing() as connection:
            _require_member(connection, name)
            connection.execute(
                sa.delete(sign_ins).where(sa.or_(sign_ins.c.name == name, sign_ins.c.token_hash == token_hash))
            )
            connection.execute(sa.insert(sign_ins).values(name=name, token_hash=token_hash, until=until))

    def use_sign_in(self, token_hash: str, now: datetime) -> str | None:
        """Consume a one-time sign-in; the member's name if it was good. A second use gives None."""
        take = (
            sa.delete(sign_ins).where(sign_ins.c.token_hash == token_hash).returning(sign_ins.c.name, sign_ins.c.until)
        )
        with self._database.writing() as connection:
            taken = connection.execute(take).first()
            if taken is None or taken.until <= now:
                return None
            good = sa.select(members.c.name).where(members.c.name == taken.name, members.c.active)
            name: str | None = connection.scalar(good)
            return name

    # ------------------------------------------------------------------ failures

    def failures(self, key: str, since: datetime) -> int:
        """Failed sign-ins under a key (member or client) since an instant; they are kept for a day."""
        query = (
            sa.select(sa.func.count())
            .select_from(failures)
            .where(failures.c.key == self._digest(key), failures.c.at >= since)
        )
        with self._database.reading() as connection:
            return int(connection.scalar(query) or 0)

    def note_failure(self, key: str, now: datetime) -> None:
        """Count a failed sign-in."""
        with self._database.writing() as connection:
            connection.execute(sa.delete(failures).where(failures.c.at < now - _FAILURES_KEPT))
            connection.execute(sa.insert(failures).values(key=self._digest(key), at=now))

    def forget_failures(self, key: str) -> None:
        """A good sign-in clears the count."""
        with self._database.writing() as connection:
            connection.execute(sa.delete(failures).where(failures.c.key == self._digest(key)))

    def _digest(self, key: str) -> str:
        return hmac.digest(self._failure_key, key.encode("utf-8", "surrogatepass"), "sha256").hex()


def _require_member(connection: sa.Connection, name: str) -> None:
    if connection.scalar(sa.select(members.c.name).where(members.c.name == name)) is None:
        raise NotFoundError(f"no member is called {name!r}")


def _member(row: Any) -> Member:
    return Member(row.name, row.display_name, frozenset(row.roles.split()), bool(row.active))
