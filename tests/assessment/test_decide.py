"""The assessment as stories: asked on the left, said on the right."""

from dataclasses import replace
from datetime import UTC, datetime
from functools import reduce
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breachwatch.assessment import facts
from breachwatch.assessment.commands import ChangeInput, DecideRisk, ProposeSeverity, UpdatePeople
from breachwatch.assessment.decide import decide, evolve
from breachwatch.assessment.inputs import INPUTS
from breachwatch.assessment.state import Assessment
from breachwatch.detection.playbooks.playbook import Playbook
from breachwatch.kernel.errors import OutOfOrderError, RefusedError
from breachwatch.kernel.facts import SYSTEM, Actor

NOW = datetime(2026, 3, 27, 17, tzinfo=UTC)
ANA = Actor("ana", "person", frozenset({"analyst"}))
DORA = Actor("dora", "person", frozenset({"dpo"}))

PROPOSE = ProposeSeverity(SYSTEM, NOW, people=None)
ENCRYPTED = ChangeInput(ANA, NOW, "unintelligible", "yes", "the dump was encrypted, the key is safe")
DECIDE = DecideRisk(DORA, NOW, "notify_authority_and_people")


def people(n: int) -> UpdatePeople:
    return UpdatePeople(SYSTEM, NOW, n)


def tell(playbook: Playbook, *asked: Any) -> tuple[Assessment, list[facts.Said]]:
    state, said = Assessment(), list[facts.Said]()
    for command in asked:
        new = decide(state, command, playbook)
        state, said = reduce(evolve, new, state), said + new
    return state, said


def proposals(playbook: Playbook, *asked: Any) -> list[tuple[str, str]]:
    """(people, duty) of every proposal."""
    state, _ = tell(playbook, *asked)
    return [(one.inputs["people"], one.duty) for one in state.proposals]


def test_the_first_proposal_follows_the_playbook_and_says_why(playbook: Playbook) -> None:
    state, (said,) = tell(playbook, PROPOSE, PROPOSE)
    assert said == state.proposal
    assert isinstance(said, facts.SeverityProposed)
    assert (said.score, said.level, said.duty) == (3.0, "high", "notify_authority_and_people")
    assert said.rule == "art-34-1-high-severity"
    assert said.reasons[0].startswith("The severity is high and the data can be read by others")
    assert not said.more_than_100_people  # unknown is never counted as many
    assert said.inputs["people"] == "unknown"


def test_a_changed_input_is_kept_with_its_reason_and_proposes_anew(playbook: Playbook) -> None:
    state, said = tell(playbook, PROPOSE, ENCRYPTED)
    assert said[1] == facts.InputChanged("unintelligible", "no", "yes", "the dump was encrypted, the key is safe")
    assert state.proposal is not None
    assert (state.proposal.duty, state.proposal.rule) == ("record_only", "art-34-3-a-unintelligible")
    assert state.proposal.unintelligible
    assert len(state.proposals) == 2


ME, DUTY = "more_than_100", "notify_authority_and_people"


@pytest.mark.parametrize(
    ("estimate", "shown", "kept"),
    [
        (None, [0, 0], ["unknown"]),
        (None, [3, 40, 99, 100], ["unknown", "up_to_100"]),  # calm: a further person is no news
        (None, [3, 101, 5000, 101], ["unknown", "up_to_100", ME]),
        (None, [130, 90], ["unknown", ME, "up_to_100"]),  # two references were one person
        (None, [130, 0], ["unknown", ME]),  # nothing known does not undo what was
        (5000, [3, 40], [ME]),  # a person's estimate holds as a minimum
        (40, [3, 130], ["up_to_100", ME]),
    ],
)
def test_art_33_3_a_the_number_of_people_follows_the_evidence(
    playbook: Playbook, estimate: int | None, shown: list[int], kept: list[str]
) -> None:
    asked = [replace(PROPOSE, people=estimate), *map(people, shown)]
    assert proposals(playbook, *asked) == [(band, DUTY) for band in kept]


def test_evidence_may_show_more_people_than_a_person_said_but_not_fewer(playbook: Playbook) -> None:
    more = ChangeInput(ANA, NOW, "people", ME, "the export file has 4,000 rows")
    fewer = ChangeInput(ANA, NOW, "people", "up_to_100", "test accounts mostly")
    assert [band for band, _ in proposals(playbook, PROPOSE, more, people(3))] == ["unknown", ME]
    assert [band for band, _ in proposals(playbook, PROPOSE, fewer, people(120))] == ["unknown", "up_to_100", ME]


def test_a_decision_is_a_persons_and_says_what_was_proposed(playbook: Playbook) -> None:
    state, said = tell(playbook, PROPOSE, DECIDE, DECIDE)
    assert said[1:] == [facts.RiskDecided(DUTY, DUTY, "", against_proposal=False)]
    assert state.decision == said[1]


def test_a_decision_against_the_proposal_needs_a_reason(playbook: Playbook) -> None:
    against = replace(DECIDE, duty="record_only")
    with pytest.raises(RefusedError, match="differs from the proposal; say why"):
        tell(playbook, PROPOSE, against)
    _, said = tell(playbook, PROPOSE, replace(against, reason=" all accounts were ours "))
    assert said[1:] == [facts.RiskDecided("record_only", DUTY, "all accounts were ours", against_proposal=True)]


def test_a_new_proposal_never_changes_a_decision_but_shows_that_it_is_outdated(playbook: Playbook) -> None:
    state, _ = tell(playbook, PROPOSE, DECIDE)
    assert not state.outdated
    state, _ = tell(playbook, PROPOSE, DECIDE, ENCRYPTED)
    assert state.decision == facts.RiskDecided(DUTY, DUTY, "", against_proposal=False)
    assert state.outdated
    state, said = tell(playbook, PROPOSE, DECIDE, ENCRYPTED, replace(DECIDE, reason="they ask for it"))
    assert not state.outdated
    assert said[-1] == facts.RiskDecided(DUTY, "record_only", "they ask for it", against_proposal=True)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (replace(ENCRYPTED, reason=" "), "say why this input is to be changed"),
        (replace(ENCRYPTED, name="unintelligble"), 'did you mean "unintelligible"'),
        (replace(ENCRYPTED, value="perhaps"), "not one of the choices"),
        (replace(ENCRYPTED, by=SYSTEM), "only an analyst or a DPO"),
        (replace(ENCRYPTED, by=Actor("adam", "person", frozenset({"admin"}))), "only an analyst or a DPO"),
        (replace(DECIDE, by=ANA), "only a DPO may decide what is owed"),
        (replace(DECIDE, by=SYSTEM), "only a DPO"),
        (replace(DECIDE, by=replace(DORA, kind="system")), "only a DPO"),
        (replace(DECIDE, duty="notify"), "is no decision"),
    ],
)
def test_what_is_refused_says_why(playbook: Playbook, asked: Any, sentence: str) -> None:
    with pytest.raises(RefusedError, match=sentence):
        tell(playbook, PROPOSE, asked)


@pytest.mark.parametrize("asked", [ENCRYPTED, DECIDE])
def test_nothing_is_decided_before_anything_was_proposed(playbook: Playbook, asked: Any) -> None:
    with pytest.raises(OutOfOrderError):
        tell(playbook, asked)
    assert tell(playbook, people(3)) == (Assessment(), [])


# ---------------------------------------------------------------------- whatever comes, in whatever order

ASKED = st.one_of(
    st.sampled_from([PROPOSE, replace(PROPOSE, people=300), DECIDE]),
    st.integers(0, 300).map(people),
    st.sampled_from(INPUTS).flatmap(
        lambda spec: st.builds(
            ChangeInput, st.just(ANA), st.just(NOW), st.just(spec.name), st.sampled_from(spec.values), st.just("seen")
        )
    ),
    st.builds(
        DecideRisk, st.just(DORA), st.just(NOW), st.sampled_from(get_args(facts.Duty)), st.sampled_from(["", "x"])
    ),
)


@given(st.lists(ASKED, max_size=20))
def test_repeating_any_command_adds_nothing(playbook: Playbook, asked: list[Any]) -> None:
    state = Assessment()
    for command in asked:
        try:
            state = reduce(evolve, decide(state, command, playbook), state)
        except RefusedError:
            continue
        assert decide(state, command, playbook) == []


@given(st.lists(st.one_of(*(st.from_type(kind) for kind in get_args(facts.Said))), max_size=15))
def test_folding_never_fails_whatever_the_file_says(said: list[Any]) -> None:
    state = reduce(evolve, said, Assessment())
    assert len(state.proposals) + len(state.changes) + len(state.decisions) == len(said)
