"""The first ledger: case file, alerts, people, outbox, team."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_APPEND_ONLY = {
    "sqlite": (
        "CREATE TRIGGER facts_stay BEFORE UPDATE ON facts BEGIN SELECT RAISE(ABORT, 'facts are append-only'); END",
        "CREATE TRIGGER facts_remain BEFORE DELETE ON facts BEGIN SELECT RAISE(ABORT, 'facts are append-only'); END",
    ),
    "postgresql": (
        "CREATE FUNCTION facts_are_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'facts are append-only'; END $$",
        "CREATE TRIGGER facts_stay BEFORE UPDATE OR DELETE ON facts "
        "FOR EACH ROW EXECUTE FUNCTION facts_are_append_only()",
        "CREATE TRIGGER facts_remain BEFORE TRUNCATE ON facts "
        "FOR EACH STATEMENT EXECUTE FUNCTION facts_are_append_only()",
    ),
}
"""Against accidents; the sealed chain is against intent."""


def upgrade() -> None:
    """Build everything."""
    _case_file()
    _alerts_and_people()
    _outbox()
    _team()
    for statement in _APPEND_ONLY[op.get_bind().dialect.name]:
        op.execute(statement)


def _where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def _case_file() -> None:
    op.create_table(
        "heads",
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("mac", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("incident_id", name="pk_heads"),
    )
    op.create_table(
        "facts",
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("actor_kind", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("prev_hash", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("mac", sa.Text(), nullable=False),
        sa.CheckConstraint("seq >= 1", name="ck_facts_counts_from_one"),
        sa.ForeignKeyConstraint(
            ["incident_id"],
            ["heads.incident_id"],
            name="fk_facts_incident_id_heads",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("incident_id", "seq", name="pk_facts"),
    )
    op.create_table(
        "totals",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("incidents", sa.BigInteger(), nullable=False),
        sa.Column("facts", sa.BigInteger(), nullable=False),
        sa.Column("sum", sa.Text(), nullable=False),
        sa.Column("mac", sa.Text(), nullable=False),
        sa.Column("key_check", sa.Text(), nullable=False),
        sa.CheckConstraint("id = 1", name="ck_totals_one_row"),
        sa.PrimaryKeyConstraint("id", name="pk_totals"),
    )
    op.create_table(
        "summaries",
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("playbook", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("raised_at", sa.BigInteger(), nullable=False),
        sa.Column("last_event_at", sa.BigInteger(), nullable=True),
        sa.Column("aware_at", sa.BigInteger(), nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("wakes_at", sa.BigInteger(), nullable=True),
        sa.Column("missed", sa.Boolean(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("score", sa.Float(precision=53), nullable=True),
        sa.Column("duty", sa.Text(), nullable=False),
        sa.Column("decided", sa.Boolean(), nullable=False),
        sa.Column("alerts", sa.Integer(), nullable=False),
        sa.Column("people_total", sa.Integer(), nullable=False),
        sa.Column("people_reachable", sa.Integer(), nullable=True),
        sa.Column("people_stale", sa.Boolean(), nullable=False),
        sa.Column("filing", sa.Text(), nullable=False),
        sa.Column("notices", sa.Text(), nullable=False),
        sa.Column("notified_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("incident_id", name="pk_summaries"),
    )
    op.create_index("ix_summaries_playbook_key", "summaries", ["playbook", "key"])
    op.create_index("ix_summaries_raised_at", "summaries", ["raised_at"])
    op.create_index("ix_summaries_stale", "summaries", ["incident_id"], **_where("people_stale"))
    op.create_index("ix_summaries_wakes_at", "summaries", ["wakes_at"], **_where("wakes_at IS NOT NULL"))


def _alerts_and_people() -> None:
    op.create_table(
        "alerts",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("playbook", sa.Text(), nullable=False),
        sa.Column("incident_id", sa.Text(), nullable=True),
        sa.Column("first_event_at", sa.BigInteger(), nullable=False),
        sa.Column("last_event_at", sa.BigInteger(), nullable=False),
        sa.Column("taken_at", sa.BigInteger(), nullable=False),
        sa.Column("superseded", sa.Boolean(), nullable=False),
        sa.Column("alert", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_alerts"),
    )
    op.create_index("ix_alerts_incident_id", "alerts", ["incident_id"])
    op.create_index("ix_alerts_last_event_at", "alerts", ["last_event_at"])
    op.create_index("ix_alerts_unlinked", "alerts", ["playbook", "last_event_at"], **_where("incident_id IS NULL"))
    op.create_table(
        "alert_subjects",
        sa.Column("alert_id", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("alert_id", "ref", name="pk_alert_subjects"),
    )
    op.create_table(
        "subject_refs",
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("incident_id", "ref", name="pk_subject_refs"),
    )
    op.create_index("ix_subject_refs_incident_id_person", "subject_refs", ["incident_id", "person"])
    op.create_table(
        "data_keys",
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("incident_id", name="pk_data_keys"),
    )
    op.create_table(
        "contacts",
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["data_keys.incident_id"], name="fk_contacts_incident_id_data_keys", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("incident_id", "person", name="pk_contacts"),
    )
    op.create_index("ix_contacts_incident_id_language", "contacts", ["incident_id", "language"])


def _outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("number", _NUMBER, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("reply", sa.Text(), nullable=False),
        sa.Column("done_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("state IN ('pending', 'sending', 'sent', 'retry', 'refused')", name="ck_outbox_known_state"),
        sa.PrimaryKeyConstraint("number", name="pk_outbox"),
    )
    op.create_index("ix_outbox_due", "outbox", ["kind", "due_at", "number"], **_where("due_at IS NOT NULL"))
    op.create_index("ix_outbox_kind_state", "outbox", ["kind", "state"])
    op.create_index(
        "ix_outbox_open_notices", "outbox", ["incident_id"], **_where("kind = 'notice' AND due_at IS NOT NULL")
    )
    op.create_index("uq_outbox_id", "outbox", ["id"], unique=True)
    op.create_index(
        "uq_outbox_one_notice_a_person", "outbox", ["incident_id", "person"], unique=True, **_where("kind = 'notice'")
    )
    op.create_table(
        "dispatches",
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("unreported", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("incident_id", name="pk_dispatches"),
    )
    op.create_index("ix_dispatches_unreported", "dispatches", ["incident_id"], **_where("unreported"))


def _team() -> None:
    op.create_table(
        "members",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("roles", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("name", name="pk_members"),
    )
    op.create_table(
        "sessions",
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("csrf", sa.Text(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["name"], ["members.name"], name="fk_sessions_name_members", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("token_hash", name="pk_sessions"),
    )
    op.create_index("ix_sessions_name", "sessions", ["name"])
    op.create_index("ix_sessions_until", "sessions", ["until"])
    op.create_table(
        "sign_ins",
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["name"], ["members.name"], name="fk_sign_ins_name_members", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("token_hash", name="pk_sign_ins"),
    )
    op.create_index("ix_sign_ins_name", "sign_ins", ["name"])
    op.create_table(
        "failures",
        sa.Column("number", _NUMBER, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_failures"),
    )
    op.create_index("ix_failures_at", "failures", ["at"])
    op.create_index("ix_failures_key_at", "failures", ["key", "at"])
