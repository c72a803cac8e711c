"""Why records of a file match rules or not: `--explain` of `rules match` and `replay`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from breachwatch.collectors.whole_files import read_records
from breachwatch.detection.conditions import Condition
from breachwatch.detection.matching.explain import Explanation, explain
from breachwatch.detection.matching.finder import Finder
from breachwatch.detection.playbooks.content import read_tree
from breachwatch.detection.rules import Rule
from breachwatch.detection.sigma.sigma_collections import rules_of
from breachwatch.detection.sigma.sigma_detection import DetectionReader
from breachwatch.kernel.errors import ContentError, NotFoundError, Problem
from breachwatch.kernel.shapes import did_you_mean
from breachwatch.kernel.shipped import shipped
from breachwatch.kernel.time import to_microseconds
from breachwatch.kernel.yaml import Node, read_all
from breachwatch.sources.source import Source
from breachwatch.wiring.matching import Matching
from breachwatch.wiring.replaying import Logs, build_trial
from breachwatch.wiring.rules import rule_tree


@dataclass(frozen=True, slots=True)
class Explained:
    """One record and one rule. `selections`: conditions that have a name in the rule's file."""

    file: Path
    position: int
    rule: Rule
    explanation: Explanation
    selections: Mapping[Condition, str]


def explain_match(
    matching: Matching, folder: Path, files: Sequence[Path], logs: Logs, *, records: Sequence[int], wanted: str
) -> Iterator[Explained]:
    """Explain records by the rules of a plain folder; see `explained`."""
    return explained(files, matching.source, matching.rules, rule_tree(folder), logs, records=records, wanted=wanted)


def explain_replay(
    logs: Logs,
    playbooks: Path | None,
    adjustments: Path | None,
    files: Sequence[Path],
    *,
    records: Sequence[int],
    wanted: str,
) -> Iterator[Explained]:
    """Explain records by the rules of playbooks; see `explained`."""
    trial = build_trial(logs, playbooks, adjustments)
    rules = [rule for rule in trial.content.rules if logs.source in rule.sources]
    tree = read_tree(playbooks or shipped("playbooks"))
    return explained(files, trial.sources[logs.source], rules, tree, logs, records=records, wanted=wanted)


def explained(
    files: Sequence[Path],
    source: Source,
    rules: Sequence[Rule],
    tree: Mapping[str, bytes],
    logs: Logs,
    *,
    records: Sequence[int],
    wanted: str,
) -> Iterator[Explained]:
    """Explain some records of the files.

    Args:
        files: read whole.
        source: reads them.
        rules: those that are for the source.
        tree: the files of the rules, for the names of selections.
        logs: tells when the records were received.
        records: their positions; without any, the first record of each file.
        wanted: the rule's id, name or title; empty for every rule that matches the record.

    Raises:
        NotFoundError: no such rule.
        ContentError: a file cannot be read, or has no such record.
    """
    received_us = to_microseconds(logs.reference)
    chosen = [_rule(rules, wanted)] if wanted else []
    for file in files:
        for position, record in _records(file, source, records or (0,)):
            asked = chosen or _matching(source, rules, record, received_us)
            for rule in asked:
                told = explain(rule, source, record, received_us)
                yield Explained(file, position, rule, told, selections_of(rule, tree))


def _records(file: Path, source: Source, wanted: Sequence[int]) -> Iterator[tuple[int, bytes]]:
    left, last = set(wanted), -1
    for position, record in read_records(file, source.framing, lambda _size: None):
        last = position
        if position in left:
            left.discard(position)
            yield position, record.body
        if not left:
            return
    missing = ", ".join(str(each) for each in sorted(left))
    held = f"it holds {last + 1:,}, numbered from 0"
    raise ContentError([Problem(str(file), 0, 0, f"there is no record {missing}", held)])


def _rule(rules: Sequence[Rule], wanted: str) -> Rule:
    found = next((rule for rule in rules if wanted == rule.id or wanted in rule.names), None)
    if found is None:
        known = [called for rule in rules for called in (rule.title, rule.name) if called]
        hint = did_you_mean(wanted, known)
        raise NotFoundError(f"no rule for this source is called {wanted!r}{'; ' + hint if hint else ''}")
    return found


def _matching(source: Source, rules: Sequence[Rule], record: bytes, received_us: int) -> list[Rule]:
    return [rules[at] for _, _, hits in Finder(source, rules).find([record], received_us).hits for at in hits]


def selections_of(rule: Rule, tree: Mapping[str, bytes]) -> dict[Condition, str]:
    """The conditions of a rule that are selections of its file, with their names."""
    called = {each.encode() for each in rule.names}
    for path, body in tree.items():
        if not path.endswith((".yml", ".yaml")) or not any(each in body for each in called):
            continue
        try:
            nodes = list(rules_of(read_all(body, path)))
        except ContentError:
            continue
        for node, _ in nodes:
            if isinstance(node, Node) and _is_of(node, rule):
                return _named(node)
    return {}


def _is_of(node: Node, rule: Rule) -> bool:
    data = node.data
    return (
        isinstance(data, dict)
        and isinstance(data.get("detection"), dict)
        and bool({str(data.get(key)) for key in ("id", "name", "title")} & rule.names)
    )


def _named(node: Node) -> dict[Condition, str]:
    """Each selection, read as if the rule's condition were its name alone."""
    detection = node.data["detection"]
    named: dict[Condition, str] = {}
    for name in detection:
        if name in ("condition", "timeframe"):
            continue
        alone = replace(node, data={**node.data, "detection": {**detection, "condition": name}})
        condition = DetectionReader(alone).read()
        if condition is not None:
            named.setdefault(condition, str(name))
    return named
