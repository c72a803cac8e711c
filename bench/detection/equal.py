"""Whether two sides found the same: for each rule, the records that it matched."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

Matches = Mapping[str, frozenset[tuple[int, int]]]
"""By rule, the records (stream and number) that it matched."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What one rule matched on one side only; `records` are the first of them."""

    rule: str
    ours_only: int
    theirs_only: int
    records: list[tuple[int, int]] = field(default_factory=list)


def read_matches(path: Path, limits: list[int]) -> Matches:
    """The matches that a side wrote, of the first records of each stream."""
    found: dict[str, set[tuple[int, int]]] = defaultdict(set)
    with path.open(encoding="utf-8") as file:
        for line in file:
            stream, record, rule = line.rstrip("\n").split("\t")
            if int(record) < limits[int(stream)]:
                found[rule].add((int(stream), int(record)))
    return {rule: frozenset(records) for rule, records in found.items()}


def differences(ours: Matches, theirs: Matches) -> Iterator[Difference]:
    """Each rule on which two sides do not agree."""
    for rule in sorted(ours.keys() | theirs.keys()):
        mine, other = ours.get(rule, frozenset()), theirs.get(rule, frozenset())
        if mine != other:
            yield Difference(rule, len(mine - other), len(other - mine), sorted(mine ^ other)[:5])


def count(matches: Matches) -> int:
    """How many pairs of rule and record there are."""
    return sum(map(len, matches.values()))
