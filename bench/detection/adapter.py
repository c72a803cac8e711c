"""breachwatch's side of a lane: its own functions, called as the service calls them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from breachwatch.detection.finder import Finder
from breachwatch.detection.routing import fits
from breachwatch.detection.rules import Rule
from breachwatch.detection.sigma_documents import read_documents
from breachwatch.sources.registry import load_sources

DEFINITIONS = Path(__file__).parent / "sources"


CHUNK = 1_000
"""Records that are searched together, as a collector hands them over."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """Rules compiled for each stream. `how`: by what they are matched."""

    rules: int
    refused: list[str]
    how: str
    finders: list[tuple[list[str], Finder]]

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
    """Read the job's rules for the sources of its streams, and compile them."""
    sources = load_sources(sorted(DEFINITIONS.glob("*.yml")))
    wanted = [sources[each["source"]] for each in job["streams"]]
    rules: list[Rule] = []
    refused: list[str] = []
    for path in sorted(Path(job["rules"]).rglob("*.yml")):
        drafts, problems = read_documents(path.read_bytes(), str(path))
        refused.extend(map(str, problems))
        for draft in drafts:
            if draft.condition is not None and not draft.broken:
                guards = {each.name: fits(draft.logsource, each) for each in wanted}
                rules.append(
                    Rule(
                        playbook="",
                        id=draft.id,
                        title=draft.title,
                        name=draft.name,
                        names=frozenset(draft.names),
                        level=draft.level,
                        condition=draft.condition,
                        logsource=draft.logsource,
                        sources=tuple(name for name, guard in guards.items() if guard is not None),
                        guards={
                            name: guard for name, guard in guards.items() if guard is not None and guard is not True
                        },
                    )
                )
    finders = []
    for source in wanted:
        own = [rule for rule in rules if source.name in rule.sources]
        finders.append(([rule.id for rule in own], Finder(source, own)))
    return Loaded(len(rules), refused, "Finder", finders)
