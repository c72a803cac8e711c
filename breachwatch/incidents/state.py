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
    """A raised incident. `alerts` holds the latest revision of each alert; superseded ones are gone from it.

    `superseded`: ids of alerts that others took the place of. `alerts_since_end`: alerts, or revisions of them, that
    joined since it was dismissed or closed; more than 0 means that somebody should look again. `ended_because` is
    empty while it is not ended.
    """

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
    confirmed_because: str = ""
    superseded: frozenset[str] = frozenset()
    alerts_since_end: int = 0

    @property
    def began_at(self) -> datetime | None:
        """The earliest instant that evidence or a person gives for it, None while unknown."""
        starts = [alert.first_event_at for alert in self.alerts.values()]
        return min([*starts, *([self.occurred_from] if self.occurred_from else [])], default=None)

    @property
    def last_seen_at(self) -> datetime | None:
        """The latest instant that evidence or a person gives for it, None while unknown."""
        ends = [alert.last_event_at for alert in self.alerts.values()]
        return max([*ends, *([self.occurred_to] if self.occurred_to else [])], default=None)
