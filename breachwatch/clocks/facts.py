"""What is said of an incident's clocks. One clock is one stage of one regime (`gdpr/notification`)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Cause = Literal["dismissed", "not_owed", "not_in_force"]
"""Why a clock stopped: the incident was dismissed, a person decided, or the law did not apply at that awareness."""


@dataclass(frozen=True, slots=True)
class AwarenessSet:
    """When the controller became aware, and why that instant. Said at raising, and again with each correction.

    Source: GDPR Art. 33(1); EDPB Guidelines 9/2022, section II.A.2.
    """

    aware_at: datetime
    reason: str
    previous: datetime | None = None


@dataclass(frozen=True, slots=True)
class ClockStarted:
    """A stage runs (or runs anew after a correction of awareness): what is due, and when to remind.

    `reminders`: instants before `due_at`, oldest first. `article` and `url` name the law that set the period.
    """

    clock: str
    label: str
    article: str
    url: str
    from_at: datetime
    due_at: datetime
    reminders: tuple[datetime, ...]


@dataclass(frozen=True, slots=True)
class DeadlineNear:
    """A reminder rang. `elapsed_hours` is its name (24, 48, 66, 71); earlier ones slept through are implied."""

    clock: str
    due_at: datetime
    elapsed_hours: int


@dataclass(frozen=True, slots=True)
class DeadlineMissed:
    """The period ended and the duty was not met; it stays open (GDPR Art. 33(1): later only with reasons)."""

    clock: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class DutyMet:
    """The duty behind this clock was met."""

    clock: str
    met_at: datetime
    late: bool


@dataclass(frozen=True, slots=True)
class ClockStopped:
    """The clock no longer counts: the incident was dismissed, or it was decided that no notification is owed.

    `cause` decides what makes it count again: reopening the incident takes back a dismissal, never a decision.
    """

    clock: str
    reason: str
    cause: Cause = "not_owed"


@dataclass(frozen=True, slots=True)
class ClockResumed:
    """A stopped clock counts again, towards the same instant as before."""

    clock: str
    due_at: datetime
    reason: str


Said = AwarenessSet | ClockStarted | DeadlineNear | DeadlineMissed | DutyMet | ClockStopped | ClockResumed
