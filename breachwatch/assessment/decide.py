"""What is at stake and what is owed: a proposal that follows the inputs, and a person's decision. Pure."""

from dataclasses import replace
from typing import get_args

from breachwatch.assessment import commands, facts
from breachwatch.assessment.inputs import Inputs, People, band_of
from breachwatch.assessment.severity import assess
from breachwatch.assessment.state import Assessment
from breachwatch.detection.playbooks.playbook import Playbook
from breachwatch.kernel.asking import require_role, require_text
from breachwatch.kernel.errors import OutOfOrderError, RefusedError
from breachwatch.kernel.shapes import did_you_mean


def decide(state: Assessment, command: commands.Command, playbook: Playbook) -> list[facts.Said]:
    """Say what follows from one command.

    The first proposal starts from the playbook. Later ones follow when a person changes an input, or when the number
    of people the evidence shows comes to matter; a number that changes nothing is not worth a line in the case file.
    What a person says of the number (an estimate at raising, or a changed input) holds as a minimum: evidence may
    show more people, and may not talk them away.

    A decision is never changed by a new proposal; `Assessment.outdated` tells that it was taken on another one.

    Args:
        state: the assessment, folded from all that was said before.
        command: what is asked, by whom and when.
        playbook: the kind of breach, with the inputs it starts from.

    Returns:
        New facts, oldest first; none on a repeat, so redelivery is harmless.

    Raises:
        RefusedError: an unknown input or value, a missing reason, or a person who may not.
        OutOfOrderError: nothing was proposed yet.

    Source: GDPR Art. 33(1), 34(1): what is owed depends on the risk. Art. 22: a person decides.
    """
    match state.proposal, command:
        case None, commands.ProposeSeverity(people=people):
            return [_proposal(Inputs.of_playbook(playbook.severity, people))]
        case None, commands.UpdatePeople():
            return []
        case None, _:
            raise OutOfOrderError("nothing was proposed yet; raise the incident first")
        case _, commands.ProposeSeverity():
            return []
        case facts.SeverityProposed() as proposal, commands.UpdatePeople(people=people):
            inputs = replace(Inputs.of_text(proposal.inputs), people=_at_least(state, band_of(people)))
            renewed = _proposal(inputs)
            return [] if band_of(people) == "unknown" or renewed == proposal else [renewed]
        case facts.SeverityProposed() as proposal, commands.ChangeInput():
            return _changed(proposal, command)
        case facts.SeverityProposed() as proposal, commands.DecideRisk():
            decision = _decision(proposal, command)
            return [] if decision == state.decision else [decision]


def evolve(state: Assessment, fact: facts.Said) -> Assessment:
    """Fold one fact into the assessment; never raises, never decides."""
    match fact:
        case facts.SeverityProposed():
            return replace(state, proposals=(*state.proposals, fact))
        case facts.InputChanged():
            return replace(state, changes=(*state.changes, fact))
        case facts.RiskDecided():
            return replace(state, decisions=(*state.decisions, fact))


def _proposal(inputs: Inputs) -> facts.SeverityProposed:
    severity = assess(inputs)
    return facts.SeverityProposed(
        inputs=inputs.to_text(),
        score=severity.score,
        level=severity.level,
        duty=severity.duty,
        rule=severity.rule.name,
        reasons=severity.reasons,
        more_than_100_people=inputs.people == "more_than_100",
        unintelligible=inputs.unintelligible,
    )


def _at_least(state: Assessment, shown: People) -> People:
    """What the evidence shows, unless a person said that there are more."""
    said = [change.after for change in state.changes if change.name == "people"]
    estimate = said[-1] if said else state.proposals[0].inputs.get("people")
    return "more_than_100" if estimate == "more_than_100" else shown


def _changed(proposal: facts.SeverityProposed, command: commands.ChangeInput) -> list[facts.Said]:
    require_role(command.by, "change an input of the severity", "analyst", "dpo")
    reason = require_text(command.reason, "say why this input is to be changed; the reason stays in the case file")
    before = Inputs.of_text(proposal.inputs)
    after = before.but(command.name, command.value)
    if after == before:
        return []
    was = before.to_text()[command.name]
    return [facts.InputChanged(command.name, was, command.value, reason), _proposal(after)]


def _decision(proposal: facts.SeverityProposed, command: commands.DecideRisk) -> facts.RiskDecided:
    require_role(command.by, "decide what is owed", "dpo")
    if command.duty not in get_args(facts.Duty):
        raise RefusedError(f'"{command.duty}" is no decision; {did_you_mean(command.duty, get_args(facts.Duty))}')
    against, reason = command.duty != proposal.duty, command.reason.strip()
    if against:
        reason = require_text(reason, "this decision differs from the proposal; say why")
    return facts.RiskDecided(command.duty, proposal.duty, reason, against)
