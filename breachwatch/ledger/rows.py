"""Between rows and the records of `kernel`: one pair of functions for each."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from pydantic import TypeAdapter

from breachwatch.kernel.facts import Codec, Recorded, encode
from breachwatch.kernel.ids import IncidentId, derive
from breachwatch.kernel.ports import AlertRow, CaseSummary, OutboxItem, OutboxRow
from breachwatch.kernel.streams import Alert
from breachwatch.kernel.time import from_microseconds, rfc3339
from breachwatch.ledger import schema
from breachwatch.ledger.chain import StoredFact

_ALERT = TypeAdapter(Alert)
_SUMMARY_COLUMNS = tuple(one.name for one in fields(CaseSummary))
FACT_COLUMNS = tuple(column for column in schema.facts.c if column.name != "mac")


def fact_of(row: Any, codec: Codec) -> Recorded:
    """A fact from a row of `FACT_COLUMNS`.

    Raises:
        TamperedError: its body cannot be read.
    """
    return Recorded(
        incident_id=IncidentId(row.incident_id),
        seq=row.seq,
        type=row.type,
        at=row.at,
        actor=row.actor,
        actor_kind=row.actor_kind,
        body=codec.decode(row.type, row.body),
        prev_hash=row.prev_hash,
        hash=row.hash,
    )


def proven_fact(fact: StoredFact, codec: Codec) -> Recorded:
    """A fact from a raw row whose hash and seal were found right.

    Raises:
        TamperedError: its body is of a kind that is not known here.
    """
    body = codec.decode(fact.type, fact.body)
    at = from_microseconds(fact.at)
    home = IncidentId(fact.incident_id)
    return Recorded(home, fact.seq, fact.type, at, fact.actor, fact.actor_kind, body, fact.prev_hash, fact.hash)


def fact_item(fact: Recorded, data: Mapping[str, Any]) -> OutboxItem:
    """The outbox item that publishes a fact.

    `data` is the fact's body as plain JSON values. `sequence` is its number in the incident, `facthash` its hash, so
    that a subscriber can witness the chain from outside.

    Source: CloudEvents 1.0, structured JSON format; sequence is its extension of that name.
    """
    envelope = {
        "specversion": "1.0",
        "id": f"{fact.incident_id}/{fact.seq}",
        "source": "/breachwatch/ledger",
        "type": f"eu.breachwatch.fact.{fact.type}",
        "time": rfc3339(fact.at),
        "subject": fact.incident_id,
        "datacontenttype": "application/json",
        "sequence": str(fact.seq),
        "facthash": fact.hash,
        "data": data,
    }
    item_id = derive("out", "fact", fact.incident_id, fact.seq)
    return OutboxItem(item_id, "fact", fact.incident_id, fact.at, payload=envelope)


def alert_values(alert: Alert, at: datetime) -> dict[str, Any]:
    """A row of `alerts`, but for its incident."""
    return {
        "id": alert.id,
        "revision": alert.revision,
        "playbook": alert.playbook,
        "first_event_at": alert.first_event_at,
        "last_event_at": alert.last_event_at,
        "taken_at": at,
        "superseded": False,
        "alert": encode(alert),
    }


def alert_of(text: str) -> Alert:
    """An alert from its stored form."""
    return _ALERT.validate_json(text)


def alert_row_of(row: Any) -> AlertRow:
    """An alert as the inbox lists it."""
    return AlertRow(alert_of(row.alert), row.incident_id, row.taken_at)


def summary_values(summary: CaseSummary) -> dict[str, Any]:
    """A row of `summaries`."""
    return {name: getattr(summary, name) for name in _SUMMARY_COLUMNS}


def summary_of(row: sa.Row[Any]) -> CaseSummary:
    """A summary from its row."""
    return CaseSummary(**{name: getattr(row, name) for name in _SUMMARY_COLUMNS})


def item_values(item: OutboxItem) -> dict[str, Any]:
    """A row of `outbox` for an item that nobody has touched yet."""
    return {
        "id": item.id,
        "kind": item.kind,
        "incident_id": item.incident_id,
        "person": item.person,
        "language": item.language,
        "created_at": item.created_at,
        "payload": item.payload,
        "state": "pending",
        "attempts": 0,
        "due_at": item.created_at,
        "owner": "",
        "message_id": "",
        "reply": "",
        "done_at": None,
    }


def outbox_row_of(row: Any) -> OutboxRow:
    """An item with what became of it."""
    item = OutboxItem(row.id, row.kind, row.incident_id, row.created_at, row.person, row.language, row.payload)
    return OutboxRow(item, row.state, row.attempts, row.due_at, row.message_id, row.reply, row.done_at)
