"""breachwatch's side of a lane: its own functions, called as the service calls them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from breachwatch.detection.matcher import Matcher
from breachwatch.detection.routing import fits
from breachwatch.detection.rules import Rule
from breachwatch.detection.sigma_documents import read_documents
from breachwatch.sources.event import Event
from breachwatch.sources.registry import load_sources
from breachwatch.sources.source import Source

DEFINITIONS = Path(__file__).parent / "sources"


@dataclass(frozen=True, slots=True)
class Loaded:
    """Rules compiled for each stream. `how`: by what they are matched."""

    rules: int
    refused: list[str]
    how: str
    finders: list[tuple[Source, list[Rule], Matcher]]

    def find(self, stream: int, records: Sequence[bytes], received_us: int) -> Iterator[tuple[int, str]]:
        """Each match in the records of a stream: the record's number and the rule's id."""
        source, rules, matcher = self.finders[stream]
        parse = source.parse
        for number, record in enumerate(records):
            outcome = parse(record, received_us)
            if type(outcome) is Event:
                for at in matcher(outcome.fields):
                    yield number, rules[at].id


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
        finders.append((source, own, Matcher(source, own)))
    return Loaded(len(rules), refused, "Matcher", finders)
