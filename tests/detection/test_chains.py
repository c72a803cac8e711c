"""Only what takes part in an order belongs to it; what merely stands beside it names nobody."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from breachwatch.detection.correlating.chains import Chains
from breachwatch.detection.correlating.crossings import crossings, scan_from
from breachwatch.detection.correlating.entries import Entry
from breachwatch.detection.rules import Correlation, Input

SPAN = 6


def ordered(inputs: int, reach: int = 0) -> Correlation:
    return Correlation(
        playbook="p",
        id="c",
        title="c",
        name="c",
        level="high",
        kind="temporal_ordered",
        inputs=tuple(Input(f"r{number}", ("ip",), reach_us=reach if number == 0 else 0) for number in range(inputs)),
        group=("ip",),
        tests=(("gte", inputs),),
        timespan_us=SPAN,
        ways=(),
        suppress_us=0,
        lateness_us=0,
        sources=("s",),
        max_samples=1,
        alerts=True,
        raises_incident=True,
        shape="",
    )


def entry(at: int, number: int, armed: bool = True) -> Entry:
    return Entry(at, f"e{at}-{number}-{armed}", f"{at}-{number}", number, (), (), 1, None, ("s",), armed)


def given_out(correlation: Correlation, entries: list[Entry]) -> tuple[set[int], list[int]]:
    """(every member of every chain, the first event of each satisfied order)."""
    times = [each.at for each in entries]
    chains = Chains(correlation, entries, times, 0, len(entries))
    members: list[int] = []
    firsts = []
    for index in crossings(correlation, entries, times, scan_from(correlation, 0), 0, len(entries)):
        if entries[index].input == len(correlation.inputs) - 1:
            firsts.append(min(chains.opening(index)))
            members.extend(chains.members(index))
    assert len(members) == len(set(members)), "each event is given out once"
    return set(members), firsts


def by_trying_all(correlation: Correlation, entries: list[Entry]) -> set[int]:
    size = len(correlation.inputs)
    return {
        index
        for chain in combinations(range(len(entries)), size)
        if [entries[index].input for index in chain] == list(range(size))
        and entries[chain[-1]].at - entries[chain[0]].at <= SPAN
        for index in chain
    }


@given(
    st.integers(2, 3).flatmap(
        lambda inputs: st.tuples(
            st.just(inputs),
            st.lists(st.tuples(st.integers(0, 25), st.integers(0, inputs - 1)), max_size=14, unique=True),
        )
    )
)
def test_the_members_are_those_of_every_chain_and_no_others(drawn: tuple[int, list[tuple[int, int]]]) -> None:
    inputs, events = drawn
    entries = [entry(at, number) for at, number in sorted(events)]
    members, _ = given_out(ordered(inputs), entries)
    assert members == by_trying_all(ordered(inputs), entries)


def test_who_signed_in_before_the_guessing_was_not_let_in_by_it() -> None:
    before, guess, hit, later_guess = entry(0, 1), entry(2, 0), entry(4, 1), entry(5, 0)
    members, firsts = given_out(ordered(2), [before, guess, hit, later_guess])
    assert members == {1, 2}
    assert firsts == [1]


def test_the_guesses_that_made_the_wave_belong_to_it_though_none_alone_is_one() -> None:
    """An inner correlation reaches 3 back: its unarmed events belong, one that lies further back does not."""
    entries = [entry(0, 0, armed=False), entry(3, 0, armed=False), entry(4, 0, armed=False), entry(5, 0), entry(9, 1)]
    members, firsts = given_out(ordered(2, reach=3), entries)
    assert members == {1, 2, 3, 4}
    assert firsts == [1]
