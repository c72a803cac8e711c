"""What may be asked of the assessment."""

from dataclasses import dataclass
from datetime import datetime

from breachwatch.assessment.facts import Duty
from breachwatch.kernel.facts import Actor


@dataclass(frozen=True, slots=True)
class ChangeInput:
    """Set one input of the score; a reason is required."""

    by: Actor
    at: datetime
    name: str
    value: str
    reason: str


@dataclass(frozen=True, slots=True)
class DecideRisk:
    """Decide what is owed; against the proposal only with a reason. Only a DPO may."""

    by: Actor
    at: datetime
    duty: Duty
    reason: str = ""


Command = ChangeInput | DecideRisk
