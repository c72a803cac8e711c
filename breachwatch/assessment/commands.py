"""What may be asked of the assessment."""

from dataclasses import dataclass
from datetime import datetime

from breachwatch.assessment.facts import Duty
from breachwatch.kernel.facts import Actor


@dataclass(frozen=True, slots=True)
class ProposeSeverity:
    """Propose for the first time, from the playbook; `people` is a person's estimate, None while unknown."""

    by: Actor
    at: datetime
    people: int | None


@dataclass(frozen=True, slots=True)
class UpdatePeople:
    """The evidence shows this many people by now; 0 says nothing."""

    by: Actor
    at: datetime
    people: int


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


Command = ProposeSeverity | UpdatePeople | ChangeInput | DecideRisk
