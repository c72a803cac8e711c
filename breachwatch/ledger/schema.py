"""The tables, one schema for SQLite and PostgreSQL; `migrations/` builds them.

`facts`, sealed by `heads` and `totals`, is the record. `summaries` is rebuilt from it. The rest is work in hand:
alerts, references, contacts under their data keys, the outbox, the team.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Dialect,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)
from sqlalchemy.types import TypeDecorator

from breachwatch.kernel.time import from_microseconds, to_microseconds

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Instant(TypeDecorator[datetime]):
    """An aware UTC datetime as whole microseconds since 1970: exact, ordered, the same in both databases."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """To microseconds."""
        return None if value is None else to_microseconds(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        """From microseconds."""
        return None if value is None else from_microseconds(value)


class Words(TypeDecorator[str]):
    """Text that somebody else worded; what a database cannot hold (NUL, lone surrogates) becomes U+FFFD."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Without what cannot be stored."""
        if value is None:
            return None
        return value.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class CanonicalJson(TypeDecorator[Mapping[str, Any]]):
    """A mapping as text with sorted keys, so that equal mappings are equal texts."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Mapping[str, Any] | None, dialect: Dialect) -> str | None:
        """To text."""
        return None if value is None else orjson.dumps(dict(value), option=orjson.OPT_SORT_KEYS).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """From text."""
        return None if value is None else orjson.loads(value)


# ---------------------------------------------------------------------------------------------- the case file

heads = Table(
    "heads",
    metadata,
    Column("incident_id", Text, primary_key=True),
    Column("seq", Integer, nullable=False),
    Column("hash", Text, nullable=False),
    Column("mac", Text, nullable=False),
)
"""The end of each chain, sealed with a key that is not in the database; also what a transaction locks."""

facts = Table(
    "facts",
    metadata,
    Column("incident_id", Text, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("type", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("actor", Text, nullable=False),
    Column("actor_kind", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("prev_hash", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Column("mac", Text, nullable=False),
    PrimaryKeyConstraint("incident_id", "seq"),
    ForeignKeyConstraint(["incident_id"], ["heads.incident_id"], deferrable=True, initially="DEFERRED"),
    CheckConstraint("seq >= 1", name="counts_from_one"),
)

totals = Table(
    "totals",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("incidents", BigInteger, nullable=False),
    Column("facts", BigInteger, nullable=False),
    Column("sum", Text, nullable=False),
    Column("mac", Text, nullable=False),
    Column("key_check", Text, nullable=False),
    CheckConstraint("id = 1", name="one_row"),
)
"""One sealed row over all heads: a chain that was cut, or taken out whole, no longer adds up."""

summaries = Table(
    "summaries",
    metadata,
    Column("incident_id", Text, primary_key=True),
    Column("seq", Integer, nullable=False),
    Column("playbook", Text, nullable=False),
    Column("title", Words, nullable=False),
    Column("status", Text, nullable=False),
    Column("key", CanonicalJson, nullable=False),
    Column("raised_at", Instant, nullable=False),
    Column("last_event_at", Instant),
    Column("aware_at", Instant),
    Column("due_at", Instant),
    Column("wakes_at", Instant),
    Column("missed", Boolean, nullable=False),
    Column("level", Text, nullable=False),
    Column("score", Float(53)),
    Column("duty", Text, nullable=False),
    Column("decided", Boolean, nullable=False),
    Column("alerts", Integer, nullable=False),
    Column("people_total", Integer, nullable=False),
    Column("people_reachable", Integer),
    Column("people_stale", Boolean, nullable=False),
    Column("filing", Text, nullable=False),
    Column("notices", Text, nullable=False),
    Column("notified_at", Instant),
    Index(None, "raised_at"),
    Index(None, "playbook", "key"),
    Index(None, "wakes_at", sqlite_where=text("wakes_at IS NOT NULL"), postgresql_where=text("wakes_at IS NOT NULL")),
    Index(
        "ix_summaries_stale", "incident_id", sqlite_where=text("people_stale"), postgresql_where=text("people_stale")
    ),
)

# ---------------------------------------------------------------------------------------------- alerts and people

alerts = Table(
    "alerts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("playbook", Text, nullable=False),
    Column("incident_id", Text),
    Column("first_event_at", Instant, nullable=False),
    Column("last_event_at", Instant, nullable=False),
    Column("taken_at", Instant, nullable=False),
    Column("superseded", Boolean, nullable=False),
    Column("alert", Text, nullable=False),
    Index(None, "last_event_at"),
    Index(None, "incident_id"),
    Index(
        "ix_alerts_unlinked",
        "playbook",
        "last_event_at",
        sqlite_where=text("incident_id IS NULL"),
        postgresql_where=text("incident_id IS NULL"),
    ),
)

alert_subjects = Table(
    "alert_subjects",
    metadata,
    Column("alert_id", Text, nullable=False),
    Column("ref", Text, nullable=False),
    PrimaryKeyConstraint("alert_id", "ref"),
)

subject_refs = Table(
    "subject_refs",
    metadata,
    Column("incident_id", Text, nullable=False),
    Column("ref", Text, nullable=False),
    Column("person", Text),
    PrimaryKeyConstraint("incident_id", "ref"),
    Index(None, "incident_id", "person"),
)
"""Who is affected: references, and the person (a keyed digest) that the directory knows behind each."""

data_keys = Table(
    "data_keys",
    metadata,
    Column("incident_id", Text, primary_key=True),
    Column("wrapped", LargeBinary, nullable=False),
)

contacts = Table(
    "contacts",
    metadata,
    Column("incident_id", Text, ForeignKey("data_keys.incident_id", ondelete="CASCADE"), nullable=False),
    Column("person", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    PrimaryKeyConstraint("incident_id", "person"),
    Index(None, "incident_id", "language"),
)

# ---------------------------------------------------------------------------------------------- what must leave

_OPEN = text("due_at IS NOT NULL")
_NOTICE = text("kind = 'notice'")
_OPEN_NOTICE = text("kind = 'notice' AND due_at IS NOT NULL")

outbox = Table(
    "outbox",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("incident_id", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("payload", CanonicalJson, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_at", Instant),
    Column("owner", Text, nullable=False),
    Column("message_id", Words, nullable=False),
    Column("reply", Words, nullable=False),
    Column("done_at", Instant),
    CheckConstraint("state IN ('pending', 'sending', 'sent', 'retry', 'refused')", name="known_state"),
    Index("uq_outbox_id", "id", unique=True),
    Index(
        "uq_outbox_one_notice_a_person",
        "incident_id",
        "person",
        unique=True,
        sqlite_where=_NOTICE,
        postgresql_where=_NOTICE,
    ),
    Index("ix_outbox_due", "kind", "due_at", "number", sqlite_where=_OPEN, postgresql_where=_OPEN),
    Index("ix_outbox_open_notices", "incident_id", sqlite_where=_OPEN_NOTICE, postgresql_where=_OPEN_NOTICE),
    Index("ix_outbox_kind_state", "kind", "state"),
)
"""`due_at`: when an open item may next be leased, be it new, to be retried, or leased; empty once it is done."""

dispatches = Table(
    "dispatches",
    metadata,
    Column("incident_id", Text, primary_key=True),
    Column("unreported", Boolean, nullable=False),
    Index(
        "ix_dispatches_unreported", "incident_id", sqlite_where=text("unreported"), postgresql_where=text("unreported")
    ),
)
"""Incidents with notices in the outbox, and whether the case file has yet to hear what became of them."""

leases = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("until", Instant, nullable=False),
)
"""What only one of several processes may do at a time: who does it, and when another may if nothing is heard."""

# ---------------------------------------------------------------------------------------------- the team

members = Table(
    "members",
    metadata,
    Column("name", Text, primary_key=True),
    Column("display_name", Words, nullable=False),
    Column("roles", Text, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("password_hash", Text),
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", Text, primary_key=True),
    Column("name", Text, ForeignKey("members.name", ondelete="CASCADE"), nullable=False),
    Column("csrf", Text, nullable=False),
    Column("until", Instant, nullable=False),
    Index(None, "name"),
    Index(None, "until"),
)

sign_ins = Table(
    "sign_ins",
    metadata,
    Column("token_hash", Text, primary_key=True),
    Column("name", Text, ForeignKey("members.name", ondelete="CASCADE"), nullable=False),
    Column("until", Instant, nullable=False),
    Index(None, "name"),
)

failures = Table(
    "failures",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("key", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Index(None, "key", "at"),
    Index(None, "at"),
)
"""Failed sign-ins; `key` is a keyed digest, so that no client address is kept."""
