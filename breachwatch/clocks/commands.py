"""What may be asked of the clocks (time itself comes as a `Tick`)."""

from dataclasses import dataclass
from datetime import datetime

from breachwatch.kernel.facts import Actor


@dataclass(frozen=True, slots=True)
class SetAwareness:
    """Correct when the controller became aware; a reason is required, both instants are kept."""

    by: Actor
    at: datetime
    aware_at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class StopClocks:
    """It was decided that no notification is owed: what still counts, counts no longer."""

    by: Actor
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class ResumeClocks:
    """It was decided that one is owed after all: what was stopped counts again, towards the same instant."""

    by: Actor
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class MeetDuty:
    """Something was handed in at `met_at`; `deed` says what, by the word that regimes use (`Regime.met_by`)."""

    by: Actor
    at: datetime
    met_at: datetime
    deed: str = "authority-notification"


Command = SetAwareness | StopClocks | ResumeClocks | MeetDuty
