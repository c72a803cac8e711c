"""What is said of an incident's severity and of the duties that follow."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Duty = Literal["record_only", "notify_authority", "notify_authority_and_people"]
Level = Literal["low", "medium", "high", "very_high"]


@dataclass(frozen=True, slots=True)
class SeverityProposed:
    """The score over the inputs in force, and the duty it proposes; an aid, never a verdict.

    `inputs`: name to value as text, the names of `assessment.inputs.Inputs`. `reasons`: plain sentences, the deciding
    rule first. `rule` names it (`art-33-1-readable`, `art-34-3-a-unintelligible`, ...; all in `assessment.rules`).
    """

    inputs: Mapping[str, str]
    score: float
    level: Level
    duty: Duty
    rule: str
    reasons: tuple[str, ...]
    more_than_100_people: bool
    unintelligible: bool


@dataclass(frozen=True, slots=True)
class InputChanged:
    """A person set an input of the score, with the reason. Values are text as in `SeverityProposed.inputs`."""

    name: str
    before: str
    after: str
    reason: str


@dataclass(frozen=True, slots=True)
class RiskDecided:
    """A person decided what is owed. `against_proposal` decisions carry a reason."""

    duty: Duty
    proposed: Duty
    reason: str
    against_proposal: bool


Said = SeverityProposed | InputChanged | RiskDecided
