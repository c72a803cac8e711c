"""Small pictures add up."""

from hypothesis import given
from hypothesis import strategies as st

from breachwatch.console.pictures import WIDTH, dispatch_bar, people_bar
from breachwatch.subjects.facts import SubjectsResolved
from breachwatch.subjects.state import Subjects

counts = st.integers(min_value=0, max_value=10**6)


@given(st.dictionaries(st.sampled_from(["sent", "pending", "sending", "retry", "refused"]), counts))
def test_a_bar_is_as_wide_as_all_its_parts(states: dict[str, int]) -> None:
    pieces = dispatch_bar(states)
    assert sum(piece.count for piece in pieces) == sum(states.values())
    assert all(0 <= piece.x <= WIDTH for piece in pieces)
    assert [piece.x for piece in pieces] == sorted(piece.x for piece in pieces)


@given(st.dictionaries(st.sampled_from(["en", "fr", "de", "xx"]), counts), counts, counts)
def test_the_unknown_and_the_unreachable_are_never_left_out(
    languages: dict[str, int], unknown: int, without: int
) -> None:
    found = SubjectsResolved(0, sum(languages.values()), unknown, without, languages)
    pieces = people_bar(Subjects(total=1, resolved=found))
    assert sum(piece.count for piece in pieces) == sum(languages.values()) + unknown + without
    assert any(piece.kind == "unknown" for piece in pieces) == (unknown > 0)


def test_before_the_directory_was_asked_there_is_no_bar() -> None:
    assert people_bar(Subjects(total=3)) == ()
