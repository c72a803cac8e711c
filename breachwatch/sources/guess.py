"""Which source a file is likely of: each is asked to read some of its records, and those that say most of them win.

A source of text that can read a line says much, since its grammar fits hardly anything else. A source of JSON may take
any object, so there it counts how many of the names it knows are in the records, rare names more than those of many.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from breachwatch.sources.event import BLANK, Event, Ignored
from breachwatch.sources.source import Framing, Path, Source, pick

MOST_RECORDS = 200
LEAST_SHARE = 0.02
"""A source that reads fewer of the records than this is not worth a word."""
LEAST_SCORE = 0.01
"""A source that can read records and knows next to nothing of what stands in them is not either."""
_GRAMMAR: Mapping[str, float] = {"json": 0.0, "csv": 0.2, "logfmt": 0.2, "key-value": 0.1}
"""What it is worth that a source can read a line at all, by its format: little where nearly any line can be read."""
_STRICT = 0.6
_OTHER, _HALF_KNOWN = "other", 0.25
"""What a parser calls a line of whose text it knows nothing; such lines, and those of no interest, say little."""
_AS_MUCH, _A_LITTLE_LESS = 0.005, 0.99
_GENERIC, _OPEN = "generic-", 0.5
"""A source that is none of anybody's in particular gives way to one that is."""

SampleOf = Callable[[Framing], Sequence[bytes]]
"""`(how records of a source lie in files) -> the first records of the file, cut so`."""


@dataclass(frozen=True, slots=True)
class Guess:
    """How likely a file is of a source.

    `share`: of the records (blank lines aside), how many are events, 0 to 1. `score`: what the order is by, 0 to 1.
    `why`: in words.
    """

    source: str
    title: str
    share: float
    score: float
    why: str


def guess(sample_of: SampleOf, sources: Mapping[str, Source], received_us: int) -> list[Guess]:
    """The sources that may have written a file, the likeliest first; none that reads nothing of it.

    Args:
        sample_of: the first records of the file.
        sources: those in question.
        received_us: when the records arrived, in microseconds since the epoch.
    """
    samples: dict[Framing, Sequence[bytes]] = {}
    rarity = _rarity(sources.values())
    found: dict[str, Guess] = {}
    for source in sources.values():
        if source.framing not in samples:
            samples[source.framing] = _spread([record for record in sample_of(source.framing) if record.strip()])
        told = _asked(source, samples[source.framing], received_us, rarity)
        if told is not None:
            found[source.name] = told
    given_way = [_behind_its_base(each, found, sources) for each in found.values()]
    return sorted(given_way, key=lambda each: (-each.score, each.source))


def _spread(records: Sequence[bytes]) -> Sequence[bytes]:
    """Some records from all over, since logs of a system often begin with something else than they go on with."""
    return records[:: -(-len(records) // MOST_RECORDS) or 1]


def _behind_its_base(told: Guess, found: Mapping[str, Guess], sources: Mapping[str, Source]) -> Guess:
    """A source that reads no more of a file than the one it extends comes after it."""
    score, base, steps = told.score, sources[told.source].base, 1
    while base:
        if base in found and not base.startswith(_GENERIC) and found[base].share >= told.share - _AS_MUCH:
            score = min(score, found[base].score * _A_LITTLE_LESS**steps)
        base, steps = sources[base].base if base in sources else "", steps + 1
    return replace(told, score=round(score, 4))


def _asked(source: Source, records: Sequence[bytes], received_us: int, rarity: Mapping[Path, float]) -> Guess | None:
    outcomes = [source.parse(record, received_us) for record in records]
    events = [outcome for outcome in outcomes if isinstance(outcome, Event)]
    if not records or len(events) < LEAST_SHARE * len(records):
        return None
    ignored = sum(isinstance(outcome, Ignored) and outcome != BLANK for outcome in outcomes)
    share = len(events) / len(records)
    others = sum(event.fields.get("action") == _OTHER for event in events)
    known, names = _known(source, events, rarity)
    grammar = _GRAMMAR.get(source.format, _STRICT)
    worth = grammar + (1 - grammar) * known / (1 + known)
    if source.name.startswith(_GENERIC):
        worth = max(worth * _OPEN, LEAST_SCORE)
    score = (len(events) - others + _HALF_KNOWN * (ignored + others)) / len(records) * worth
    if score < LEAST_SCORE * share:
        return None
    why = _why(len(events), ignored, records, names)
    return Guess(source.name, source.title, round(share, 4), round(score, 4), why)


def _why(events: int, ignored: int, records: Sequence[bytes], names: Sequence[str]) -> str:
    told = f"{events} of {len(records)} records are events"
    if ignored:
        told += f", {ignored} more are of its kind but no events"
    return f"{told}; fields: {', '.join(names)}" if names else told


def _known(source: Source, events: Sequence[Event], rarity: Mapping[Path, float]) -> tuple[float, list[str]]:
    """What the fields are worth that the source knows and events have, on average; and the rarest of them."""
    counts: dict[Path, int] = {}
    for event in events:
        for path in source.vocabulary:
            if _said(event.fields, path):
                counts[path] = counts.get(path, 0) + 1
    worth = {path: count * rarity[path] / len(events) for path, count in counts.items()}
    names = [".".join(path) for path in sorted(worth, key=lambda path: -worth[path])[:5]]
    return sum(worth.values()), names


def _said(fields: Mapping[str, Any], path: Path) -> bool:
    value = pick(fields, path)
    return value is not None and value != "" and not isinstance(value, dict)


def _rarity(sources: Iterable[Source]) -> dict[Path, float]:
    """How much a name says: a name that one source knows 1, a name of four a quarter."""
    counts: dict[Path, int] = {}
    for source in sources:
        for path in source.vocabulary:
            counts[path] = counts.get(path, 0) + 1
    return {path: 1 / count for path, count in counts.items()}
