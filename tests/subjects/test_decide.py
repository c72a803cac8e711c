"""Who is affected, as figures: told on the left, said on the right."""

from dataclasses import replace
from datetime import UTC, datetime
from functools import reduce
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breachwatch.kernel.errors import RefusedError
from breachwatch.kernel.facts import SYSTEM, Actor
from breachwatch.subjects.commands import AskDirectoryAgain, LinkSubjects, ReportResolution
from breachwatch.subjects.decide import decide, evolve
from breachwatch.subjects.facts import LookUpRequested, Said, SubjectsLinked, SubjectsResolved
from breachwatch.subjects.state import Subjects

NOW = datetime(2026, 3, 27, 17, tzinfo=UTC)


def link(added: int, total: int) -> LinkSubjects:
    return LinkSubjects(SYSTEM, NOW, added, total, digest=f"digest of {total}")


LOOKED_UP = ReportResolution(SYSTEM, NOW, 5, reachable=3, unknown=1, without_address=1, by_language={"en": 1, "fr": 2})
INES = Actor("ines", roles=frozenset({"analyst"}))
AGAIN = AskDirectoryAgain(INES, NOW)
RESOLVED = SubjectsResolved(5, 3, 1, 1, {"en": 1, "fr": 2})


def tell(*told: Any) -> tuple[Subjects, list[Said]]:
    state, said = Subjects(), list[Said]()
    for command in told:
        new = decide(state, command)
        state, said = reduce(evolve, new, state), said + new
    return state, said


@pytest.mark.parametrize(
    ("told", "said", "stale"),
    [
        ([], [], False),
        ([link(0, 0)], [], False),  # an alert that names nobody
        ([link(5, 5)], [SubjectsLinked(5, 5, "digest of 5")], True),
        ([link(5, 5), link(0, 5)], [SubjectsLinked(5, 5, "digest of 5")], True),
        ([link(5, 5), LOOKED_UP, LOOKED_UP], [SubjectsLinked(5, 5, "digest of 5"), RESOLVED], False),
        (
            [link(5, 5), LOOKED_UP, link(2, 7)],
            [SubjectsLinked(5, 5, "digest of 5"), RESOLVED, SubjectsLinked(2, 7, "digest of 7")],
            True,  # somebody joined since: ask again
        ),
        (
            [link(5, 5), LOOKED_UP, AGAIN, AGAIN],
            [SubjectsLinked(5, 5, "digest of 5"), RESOLVED, LookUpRequested("ines")],
            True,  # the directory was mended: ask again
        ),
        (
            [link(5, 5), LOOKED_UP, AGAIN, LOOKED_UP],
            [SubjectsLinked(5, 5, "digest of 5"), RESOLVED, LookUpRequested("ines"), RESOLVED],
            False,  # and the answer is noted even when it is the old one
        ),
        ([link(5, 5), AGAIN], [SubjectsLinked(5, 5, "digest of 5")], True),  # it is to be asked anyway
    ],
)
def test_art_33_3_a_people_are_counted_and_looked_up_again_when_more_join(
    told: list[Any], said: list[Said], stale: bool
) -> None:
    state, spoken = tell(*told)
    assert (spoken, state.stale) == (said, stale)


def test_the_last_look_up_counts() -> None:
    found = replace(LOOKED_UP, reachable=4, unknown=0)
    state, _ = tell(link(5, 5), LOOKED_UP, found)
    assert state.resolved is not None
    assert (state.resolved.reachable, state.resolved.unknown) == (4, 0)


def test_only_who_works_on_cases_has_it_asked_again_and_only_about_somebody() -> None:
    state, _ = tell(link(5, 5), LOOKED_UP)
    for nobody in (Actor("robin", roles=frozenset({"admin"})), SYSTEM):
        with pytest.raises(RefusedError, match="only an analyst or a DPO"):
            decide(state, AskDirectoryAgain(nobody, NOW))
    with pytest.raises(RefusedError, match="refers to nobody"):
        decide(Subjects(), AGAIN)


def test_facts_hold_figures_and_no_reference() -> None:
    _, said = tell(link(5, 5), LOOKED_UP)
    assert not any("s-" in repr(fact) for fact in said)


TOLD = st.one_of(
    st.just(AGAIN),
    st.integers(1, 20).map(lambda total: link(1, total)),
    st.builds(
        ReportResolution,
        *(st.just(SYSTEM), st.just(NOW), st.integers(0, 20), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9)),
        st.dictionaries(st.sampled_from(["en", "fr"]), st.integers(1, 9)),
    ),
)


@given(st.lists(TOLD, max_size=20))
def test_repeating_anything_adds_nothing(told: list[Any]) -> None:
    state = reduce(evolve, decide(Subjects(), link(3, 3)), Subjects())
    for command in told:
        state = reduce(evolve, decide(state, command), state)
        assert decide(state, command) == []


@given(st.lists(st.one_of(*(st.from_type(kind) for kind in get_args(Said))), max_size=15))
def test_folding_never_fails_whatever_the_file_says(said: list[Any]) -> None:
    assert isinstance(reduce(evolve, said, Subjects()), Subjects)
