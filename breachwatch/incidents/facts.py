"""What is said of an incident itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class IncidentRaised:
    """An alert, or a person, says that this may be a personal data breach.

    `key`: the group values that later alerts merge by. `alert_id` is empty when raised by hand.
    `people_estimate` and `records_estimate`: a person's figures, None while unknown; never invented.
    """

    playbook: str
    title: str
    key: Mapping[str, str]
    alert_id: str
    raised_at: datetime
    description: str = ""
    occurred_from: datetime | None = None
    occurred_to: datetime | None = None
    people_estimate: int | None = None
    records_estimate: int | None = None


@dataclass(frozen=True, slots=True)
class AlertJoined:
    """An alert (or a later revision of one) is part of this incident; figures are the alert's totals so far."""

    alert_id: str
    revision: int
    rule: str
    title: str
    level: str
    group: Mapping[str, str]
    first_event_at: datetime
    last_event_at: datetime
    count: int
    subject_count: int
    records: int
    sources: tuple[str, ...]
    samples: tuple[Mapping[str, Any], ...]
    supersedes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class IncidentConfirmed:
    """A person confirmed that this is a personal data breach (GDPR Art. 4(12))."""

    note: str = ""


@dataclass(frozen=True, slots=True)
class IncidentDismissed:
    """A person found that this is not a personal data breach, and says why."""

    reason: str


@dataclass(frozen=True, slots=True)
class IncidentReopened:
    """A dismissed or closed incident is looked at again, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class IncidentClosed:
    """Nothing is left to do; the case file stays (GDPR Art. 33(5))."""

    reason: str


@dataclass(frozen=True, slots=True)
class NoteAttached:
    """A remark by a member of the team."""

    text: str


@dataclass(frozen=True, slots=True)
class ChecklistItemDone:
    """A step of the playbook's checklist was done."""

    item: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class ChecklistItemReopened:
    """A step thought done is not."""

    item: str
    note: str = ""


Said = (
    IncidentRaised
    | AlertJoined
    | IncidentConfirmed
    | IncidentDismissed
    | IncidentReopened
    | IncidentClosed
    | NoteAttached
    | ChecklistItemDone
    | ChecklistItemReopened
)
