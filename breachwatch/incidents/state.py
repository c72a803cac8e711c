"""An incident as folded from its facts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from breachwatch.incidents.facts import AlertJoined, NoteAttached

Status = Literal["open", "confirmed", "dismissed", "closed"]


@dataclass(frozen=True, slots=True)
class NotRaised:
    """Nothing was said yet."""


@dataclass(frozen=True, slots=True)
class Incident:
    """A raised incident. `alerts` holds the latest revision of each alert; superseded ones are gone from it."""

    status: Status
    playbook: str
    title: str
    key: Mapping[str, str]
    raised_at: datetime
    by_hand: bool
    description: str = ""
    occurred_from: datetime | None = None
    occurred_to: datetime | None = None
    people_estimate: int | None = None
    records_estimate: int | None = None
    alerts: Mapping[str, AlertJoined] = field(default_factory=dict)
    done_items: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[NoteAttached, ...] = ()
    ended_because: str = ""
