"""What may be asked of an incident. Every command carries who asks and when."""

from dataclasses import dataclass
from datetime import datetime

from breachwatch.kernel.facts import Actor
from breachwatch.kernel.streams import Alert


@dataclass(frozen=True, slots=True)
class TakeAlert:
    """An alert that raises, or belongs to, this incident."""

    by: Actor
    at: datetime
    alert: Alert


@dataclass(frozen=True, slots=True)
class RaiseByHand:
    """A person raises an incident that no log told of, such as a lost laptop."""

    by: Actor
    at: datetime
    playbook: str
    title: str
    description: str
    occurred_from: datetime | None = None
    occurred_to: datetime | None = None
    people_estimate: int | None = None
    records_estimate: int | None = None


@dataclass(frozen=True, slots=True)
class ConfirmIncident:
    """Say that it is a personal data breach."""

    by: Actor
    at: datetime
    note: str = ""


@dataclass(frozen=True, slots=True)
class DismissIncident:
    """Say that it is not one; a reason is required."""

    by: Actor
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class ReopenIncident:
    """Take up a dismissed or closed incident again; a reason is required."""

    by: Actor
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class CloseIncident:
    """End the work on it; a reason is required."""

    by: Actor
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class AttachNote:
    """Add a remark."""

    by: Actor
    at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class TickItem:
    """Mark a checklist item done, or not done again."""

    by: Actor
    at: datetime
    item: str
    done: bool
    note: str = ""


Command = (
    TakeAlert | RaiseByHand | ConfirmIncident | DismissIncident | ReopenIncident | CloseIncident | AttachNote | TickItem
)
