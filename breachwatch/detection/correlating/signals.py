"""What correlations listen to, and which groups it belongs to."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice, product
from math import prod

from breachwatch.detection.correlating.entries import Entry
from breachwatch.detection.correlating.frame import Name, key_of
from breachwatch.detection.correlating.plain import plain_bytes
from breachwatch.detection.rules import SEPARATOR, Correlation, Input
from breachwatch.kernel.ids import SubjectRef
from breachwatch.kernel.streams import Match

MAX_COMBINATIONS = 1_000
"""Most groups that one event belongs to, and most values that it counts for; lists can ask for more."""
_PAIR = "\x1e"

Address = tuple[str, str]
"""(playbook, rule): what matches and signals are listened to by."""


@dataclass(slots=True)
class Signal:
    """An event of a satisfied inner window, as outer correlations hear it. The rest as in `Entry`."""

    values: Mapping[str, str]
    at_us: int
    event_id: str
    subjects: tuple[SubjectRef, ...]
    records: int
    sample: bytes | None
    sources: tuple[str, ...]
    armed: bool


Told = tuple[int, Match | Signal]
"""Something heard, with its place in the order of arrival."""
Heard = dict[Address, list[Told]]
"""By address, what was told in this feed."""


def heard_of(matches: Iterable[Match]) -> tuple[Heard, dict[str, int]]:
    """Matches by address, in order of arrival, and by source the newest time of any, in microseconds."""
    heard: Heard = {}
    newest: dict[str, int] = {}
    playbook = rule = source = None
    latest = 0
    for told in enumerate(matches):
        match = told[1]
        at = match.at_us
        # Mostly, neighbours are of one rule and one source, whose names are then the same objects.
        if match.rule is not rule or match.playbook is not playbook:
            playbook, rule = match.playbook, match.rule
            add = heard.setdefault((playbook, rule), []).append
        add(told)
        if match.source is not source:
            source = match.source
            latest = newest.setdefault(source, at)
        if at > latest:
            latest = newest[source] = at
    return heard, newest


def entry_of(
    correlation: Correlation, number: int, arrival: int, heard: Match | Signal, counted: tuple[str, ...]
) -> Entry:
    """An event as a window takes it."""
    if isinstance(heard, Signal):
        sources, armed, sample = heard.sources, heard.armed, heard.sample
    else:
        sources, armed, sample = (heard.source,), True, plain_bytes(heard.sample)
    return Entry(
        heard.at_us,
        heard.event_id,
        key_of(correlation, heard.event_id, number),
        number,
        counted,
        heard.subjects,
        heard.records,
        sample,
        sources,
        armed,
        arrival=arrival,
    )


def in_order(correlation: Correlation, heard: Heard) -> Iterable[tuple[int, int, Match | Signal]]:
    """(input, arrival, what was heard) of everything a correlation listens to, in order of arrival."""
    inputs = correlation.inputs
    if len(inputs) == 1:
        found = heard.get((correlation.playbook, inputs[0].rule))
        return ((0, arrival, each) for arrival, each in found) if found else ()
    several = [
        (arrival, number, each)
        for number, listened in enumerate(inputs)
        for arrival, each in heard.get((correlation.playbook, listened.rule), ())
    ]
    several.sort(key=_by_arrival)
    return ((number, arrival, each) for arrival, number, each in several)


def _by_arrival(each: tuple[int, int, Match | Signal]) -> tuple[int, int]:
    return each[0], each[1]


def names_of(values: Mapping[str, str], listened: Input) -> tuple[Iterable[Name], int]:
    """The groups an event belongs to: one, none if a field is absent, several if a field holds a list.

    Returns:
        (the groups, how many more there were than are taken).
    """
    if len(listened.group) == 1:
        text = values.get(listened.group[0])
        if text is None:
            return (("",) if listened.lenient else ()), 0
        if SEPARATOR not in text:
            return (text,), 0
        members = text.split(SEPARATOR)
        return members[:MAX_COMBINATIONS], max(len(members) - MAX_COMBINATIONS, 0)
    absent = "" if listened.lenient else None
    return _combined([_split(values.get(name, absent)) for name in listened.group])


def counted_of(values: Mapping[str, str], names: tuple[str, ...]) -> tuple[tuple[str, ...], int]:
    """The values an event counts for, none if a field is absent; and how many more there were than are taken."""
    if len(names) == 1:
        text = values.get(names[0])
        if text is not None and SEPARATOR not in text:
            return (text,), 0
    combined, more = _combined([_split(values.get(name)) for name in names])
    return tuple(_PAIR.join(each) for each in combined), more


def _combined(lists: list[list[str]]) -> tuple[Iterable[tuple[str, ...]], int]:
    return islice(product(*lists), MAX_COMBINATIONS), max(prod(map(len, lists)) - MAX_COMBINATIONS, 0)


def _split(text: str | None) -> list[str]:
    return [] if text is None else text.split(SEPARATOR)
