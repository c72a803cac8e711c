"""A filter out of false positives that analysts marked, and the proof of what it does: `breachwatch rules propose`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import orjson

from breachwatch.collectors.lines import Record
from breachwatch.collectors.whole_files import read_records
from breachwatch.detection.matching.finder import Finder
from breachwatch.detection.rules import Rule
from breachwatch.detection.sigma.rule_files import load_rules
from breachwatch.detection.trying.proposals import Proposal, filter_document, propose
from breachwatch.kernel.errors import ContentError, NotFoundError, RefusedError
from breachwatch.kernel.shapes import did_you_mean
from breachwatch.kernel.time import to_microseconds
from breachwatch.sources.event import Event
from breachwatch.sources.registry import load_sources
from breachwatch.sources.source import Source
from breachwatch.wiring.replaying import Logs, one_of
from breachwatch.wiring.rules import rule_tree

PROPOSED = "proposed-filter.yml"


@dataclass(frozen=True, slots=True)
class Counted:
    """Marked records: how many there are, how many the rule matches by itself, and how many with the filter."""

    records: int
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Proposed:
    """A filter as YAML (empty when none can be proposed), and its proof: false and true positives with and without."""

    rule: Rule
    proposal: Proposal
    document: str
    false: Counted
    true: Counted

    @property
    def proven(self) -> bool:
        """Whether every true positive still fires, and some false one does not."""
        return self.true.after == self.true.before and self.false.after < self.false.before


def build_proposal(rules: Path, rule: str, logs: Logs, false: Path, true: Path, on: date) -> Proposed:
    """Seek what sets the false positives of a rule apart from the true ones, and try it.

    Args:
        rules: a folder of Sigma rules, or a file.
        rule: its id, name or title.
        logs: how the marked records are read.
        false: records that alerted for nothing, one a line as the source reads them, or `{"record": ...}` around it.
        true: records that must go on alerting, in the same form.
        on: the date of the filter.

    Raises:
        NotFoundError: no such source, or no such rule for it.
        RefusedError: the rule matches none of the false positives, so there is nothing to set aside.
        ContentError: a file cannot be read, or a marked record is no event.
    """
    source = one_of(load_sources(logs.source_files, timezone=logs.timezone), logs.source)
    tree = rule_tree(rules)
    named = _named(tree, source, rule)
    received_us = to_microseconds(logs.reference)
    wrong, right = list(_marked(false, source)), list(_marked(true, source))
    wrong_hits, right_hits = _hits(source, named, wrong, received_us), _hits(source, named, right, received_us)
    if not wrong_hits:
        raise RefusedError(f"the rule {named.title!r} matches none of the {len(wrong)} records of {false}")
    proposal = propose([event.fields for event in wrong_hits], [event.fields for event in right_hits])
    if not proposal.selections:
        counted = Counted(len(wrong), len(wrong_hits), len(wrong_hits))
        return Proposed(named, proposal, "", counted, Counted(len(right), len(right_hits), len(right_hits)))
    document = filter_document(
        proposal,
        rule=named.id,
        title=named.title,
        logsource=named.logsource,
        on=on,
        false=len(wrong_hits),
    )
    filtered = _named({**tree, _beside(rules): document.encode()}, source, named.id)
    return Proposed(
        named,
        proposal,
        document,
        Counted(len(wrong), len(wrong_hits), len(_hits(source, filtered, wrong, received_us))),
        Counted(len(right), len(right_hits), len(_hits(source, filtered, right, received_us))),
    )


def _beside(rules: Path) -> str:
    return (rules.parent if rules.is_file() else rules).joinpath(PROPOSED).as_posix()


def _named(tree: dict[str, bytes], source: Source, name: str) -> Rule:
    loaded = load_rules(tree, {source.name: source})
    own = [each for each in loaded.rules if source.name in each.sources]
    found = next((each for each in own if name in each.names or name == each.id), None)
    if found is not None:
        return found
    refused = [each for each in loaded.refused if each.path.endswith(PROPOSED)]
    if refused:
        raise ContentError(refused)
    known = [called for each in own for called in (each.title, each.name) if called]
    raise NotFoundError(f"no rule for {source.name} is called {name!r}; {did_you_mean(name, known)}".rstrip("; "))


def _hits(source: Source, rule: Rule, records: Sequence[bytes], received_us: int) -> list[Event]:
    return [event for _, event, _ in Finder(source, [rule]).find(records, received_us).hits]


def _marked(path: Path, source: Source) -> Iterator[bytes]:
    for _, record in read_records(path, source.framing, lambda _size: None):
        yield _unwrapped(record)


def _unwrapped(record: Record) -> bytes:
    """What was marked: the record itself, or what stands under `record` in an object around it."""
    if not record.body.lstrip().startswith(b"{"):
        return record.body
    try:
        around: Any = orjson.loads(record.body)
    except orjson.JSONDecodeError:
        return record.body
    inner = around.get("record") if isinstance(around, dict) else None
    if isinstance(inner, str):
        return inner.encode("utf-8", "replace")
    return orjson.dumps(inner) if isinstance(inner, dict) else record.body
