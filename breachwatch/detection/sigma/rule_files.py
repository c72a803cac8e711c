"""A plain folder of Sigma rules, as people share them: every rule that can be used, and of the others why not.

Nothing is raised for a bad rule. What is in the folder besides Sigma (pipelines, workflows, lists) is passed over and
named in the notes.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from breachwatch.detection.playbooks.links import link_plain
from breachwatch.detection.sigma.pipelines import Pipeline, PipelineError
from breachwatch.detection.sigma.placeholders import Placeholders
from breachwatch.detection.sigma.ruleset import RuleSet, ruleset_key
from breachwatch.detection.sigma.sigma_documents import Draft, doubles, drafts_of
from breachwatch.kernel.errors import ContentError, Problem
from breachwatch.kernel.yaml import Node, read_all
from breachwatch.sources.source import Source

_SIGMA = ("detection", "correlation", "filter", "logsource")


@dataclass(slots=True)
class _Read:
    drafts: list[Draft] = field(default_factory=list)
    refused: list[Problem] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)


def load_rules(
    tree: Mapping[str, bytes],
    sources: Mapping[str, Source],
    *,
    placeholders: Placeholders | None = None,
    pipelines: Sequence[Pipeline] = (),
    cached: bytes | None = None,
) -> RuleSet:
    """Every rule, correlation and filter of a folder, at any depth.

    Args:
        tree: path to bytes, as `read_tree` gives it; only `.yml` and `.yaml` are looked at.
        sources: by name; each rule is for those that its logsource fits, perhaps for none.
        placeholders: the texts that `%name%` stands for in values with `|expand`.
        pipelines: what `load_pipelines` gave.
        cached: what `RuleSet.dump` gave of an earlier load, taken if nothing has changed since.
    """
    key = ruleset_key(tree, sources, placeholders or {}, [each.digest for each in pipelines])
    if cached is not None:
        kept = RuleSet.load(cached)
        if kept is not None and kept.key == key:
            return kept
    pipeline = pipelines[0] if pipelines else None
    read = _read(tree, placeholders or {}, pipeline)
    linked = link_plain(read.drafts, sources)
    refused = sorted({*read.refused, *linked.problems}, key=lambda each: (each.path, each.line, each.column))
    notes = [*read.notes, *_unserved(read.drafts, sources, {rule.id for rule in linked.rules if rule.sources})]
    return RuleSet(tuple(linked.rules), tuple(linked.correlations), tuple(refused), tuple(notes), key)


def _read(tree: Mapping[str, bytes], placeholders: Placeholders, pipeline: Pipeline | None) -> _Read:
    read = _Read()
    for path, body in sorted(tree.items()):
        if PurePosixPath(path).suffix.lower() not in {".yml", ".yaml"}:
            continue
        try:
            nodes = [node for node in read_all(body, path) if node.data is not None]
        except ContentError as error:
            read.refused.extend(error.problems)
            continue
        if not any(_is_sigma(node.data) for node in nodes):
            place = nodes[0] if nodes else Node(path, None, {(): (1, 1)})
            read.notes.append(place.problem((), "holds no Sigma rule", "passed over"))
            continue
        drafts, problems = drafts_of(nodes, placeholders, pipeline)
        read.refused.extend(problems)
        read.drafts.extend(drafts)
    _refuse_doubles(read)
    if pipeline is not None:
        _pipe_correlations(read, pipeline)
    return read


def _is_sigma(data: Any) -> bool:
    return isinstance(data, dict) and any(key in data for key in _SIGMA)


def _refuse_doubles(read: _Read) -> None:
    """Of rules that are called the same the first counts."""
    twice: set[int] = set()
    for draft, problem in doubles(read.drafts):
        if not draft.broken:
            read.refused.append(problem)
        twice.add(id(draft))
    again = {id(each) for each in read.drafts if each.of and not _first_of(each, read.drafts, twice)}
    read.drafts = [each for each in read.drafts if id(each) not in twice | again]


def _first_of(inner: Draft, drafts: Sequence[Draft], twice: set[int]) -> bool:
    """Whether the counting rule that an inner rule was made for is kept."""
    return any(each.node is inner.node and id(each) not in twice for each in drafts if not each.of)


def _pipe_correlations(read: _Read, pipeline: Pipeline) -> None:
    """Correlations go through a pipeline after the rules that they refer to."""
    for draft in read.drafts:
        if draft.terms is None or draft.broken or "correlation" not in draft.node.data:
            continue
        try:
            draft.terms = pipeline.correlation(draft.node, draft.terms)
        except PipelineError as error:
            draft.broken = True
            read.refused.append(draft.node.problem(error.at, str(error)))


def _unserved(drafts: Sequence[Draft], sources: Mapping[str, Source], served: set[str]) -> Iterator[Problem]:
    """Logsources that no loaded source answers to, each once: their rules wait for a source."""
    if not sources:
        return
    waiting: Counter[tuple[tuple[str, str], ...]] = Counter()
    first: dict[tuple[tuple[str, str], ...], Draft] = {}
    for draft in drafts:
        if draft.condition is not None and not draft.broken and draft.id not in served:
            named = tuple(sorted(draft.logsource.items()))
            waiting[named] += 1
            first.setdefault(named, draft)
    for named, count in sorted(waiting.items()):
        shown = ", ".join(f"{key}: {value}" for key, value in named)
        rules = "1 rule waits" if count == 1 else f"{count} rules wait"
        yield first[named].node.problem(("logsource",), f"no loaded source answers to {{{shown}}}: {rules} for one")
