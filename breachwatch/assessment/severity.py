"""ENISA's severity, SE = DPC x EI + CB, and with it the duty that the rules propose. Pure.

Source: ENISA, Recommendations for a methodology of the assessment of severity of personal data breaches, 2013.
"""

from dataclasses import dataclass

from breachwatch.assessment.facts import Duty, Level
from breachwatch.assessment.inputs import Inputs
from breachwatch.assessment.rules import Picture, Rule, deciding_rule, factors

_LEVELS: tuple[tuple[float, Level], ...] = ((4, "very_high"), (3, "high"), (2, "medium"))
_CIRCUMSTANCES = ("confidentiality", "integrity", "availability", "malicious")


@dataclass(frozen=True, slots=True)
class Severity:
    """The score with its parts, and what it proposes; see `SeverityProposed` for the words.

    Units: `context` (DPC) 1 to 4, `identification` (EI) 0.25 to 1, `circumstances` (CB) 0 to 2, `score` 0.25 to 6.
    """

    context: float
    identification: float
    circumstances: float
    score: float
    level: Level
    rule: Rule
    reasons: tuple[str, ...]

    @property
    def duty(self) -> Duty:
        """What the deciding rule proposes."""
        return self.rule.duty


def assess(inputs: Inputs) -> Severity:
    """Score the inputs and propose a duty; the same inputs always give the same answer."""
    context = min(4.0, max(1.0, inputs.points("data_class") + inputs.points("dpc_adjustment")))
    identification = inputs.points("identification")
    circumstances = sum(inputs.points(name) for name in _CIRCUMSTANCES)
    score = context * identification + circumstances
    level = level_of(score)
    unread = inputs.points("confidentiality") if inputs.unintelligible else 0.0
    picture = Picture(inputs, level_of(score - unread))
    rule = deciding_rule(picture)
    parts = (
        f"Severity {score:g}, {level.replace('_', ' ')}: context {context:g} x identification {identification:g} "
        f"+ circumstances {circumstances:g}."
    )
    return Severity(context, identification, circumstances, score, level, rule, (rule.reason, parts, *factors(picture)))


def level_of(score: float) -> Level:
    """The level of a score: below 2 low, below 3 medium, below 4 high, else very high."""
    return next((level for least, level in _LEVELS if score >= least), "low")
