"""breachwatch's side of a lane: its own functions, called as the service calls them."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from breachwatch.detection.matching.finder import Finder
from breachwatch.detection.playbooks.content import read_tree
from breachwatch.detection.sigma.rule_files import load_rules
from breachwatch.sources.registry import load_sources
from breachwatch.sources.source import Source

DEFINITIONS = Path(__file__).parent / "sources"
CHUNK = 1_000
"""Records that are searched together, as a collector hands them over."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """Rules compiled for each stream: their ids, and who finds them.

    `seconds`: of loading from the folder; `again`: of loading what was kept of it, as at every later start.
    """

    rules: int
    refused: list[str]
    finders: list[tuple[list[str], Finder]]
    seconds: float
    again: float

    def find(self, stream: int, records: Sequence[bytes], received_us: int) -> Iterator[tuple[int, list[str]]]:
        """Each record of a stream that matches, by number, with the ids of its rules."""
        ids, finder = self.finders[stream]
        for start in range(0, len(records), CHUNK):
            for at, _, rules in finder.find(records[start : start + CHUNK], received_us).hits:
                yield start + at, [ids[rule] for rule in rules]

    def check(self) -> None:
        """Raise if a rule was switched off on the way: its matches would be missing."""
        broken = {ids[at]: why for ids, finder in self.finders for at, why in finder.broken.items()}
        if broken:
            raise RuntimeError(f"rules were switched off: {broken}")


def load(job: dict[str, Any]) -> Loaded:
    """Read the job's rules for the sources of its streams, and compile them; then once more from what was kept."""
    known = load_sources(sorted(DEFINITIONS.glob("*.yml")))
    sources = {each["source"]: known[each["source"]] for each in job["streams"]}
    began = time.perf_counter()
    tree = read_tree(Path(job["rules"]))
    found = load_rules(tree, sources)
    finders = {name: Finder(source, _of(found.rules, name)) for name, source in sources.items()}
    seconds = time.perf_counter() - began
    again = _again(tree, sources, found.dump(), {name: finder.dump() for name, finder in finders.items()})
    streams = [(each["source"], [rule.id for rule in _of(found.rules, each["source"])]) for each in job["streams"]]
    return Loaded(
        len(found.rules),
        [str(each) for each in found.refused],
        [(ids, finders[name]) for name, ids in streams],
        seconds,
        again,
    )


def _of(rules: Sequence[Any], source: str) -> list[Any]:
    return [rule for rule in rules if source in rule.sources]


def _again(tree: Mapping[str, bytes], sources: Mapping[str, Source], kept: bytes, dumps: Mapping[str, bytes]) -> float:
    began = time.perf_counter()
    found = load_rules(tree, sources, cached=kept)
    for name, source in sources.items():
        Finder.load(source, _of(found.rules, name), dumps[name])
    return time.perf_counter() - began
