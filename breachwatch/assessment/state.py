"""The assessment as folded from its facts: every proposal and decision is kept, the last ones count."""

from dataclasses import dataclass

from breachwatch.assessment.facts import InputChanged, RiskDecided, SeverityProposed


@dataclass(frozen=True, slots=True)
class Assessment:
    """Proposals, changes of inputs and decisions, oldest first."""

    proposals: tuple[SeverityProposed, ...] = ()
    changes: tuple[InputChanged, ...] = ()
    decisions: tuple[RiskDecided, ...] = ()

    @property
    def proposal(self) -> SeverityProposed | None:
        """The proposal in force."""
        return self.proposals[-1] if self.proposals else None

    @property
    def decision(self) -> RiskDecided | None:
        """The decision in force."""
        return self.decisions[-1] if self.decisions else None

    @property
    def outdated(self) -> bool:
        """Whether the proposal has changed since the decision was taken, so that somebody should decide anew."""
        proposal, decision = self.proposal, self.decision
        return bool(proposal and decision and proposal.duty != decision.proposed)
