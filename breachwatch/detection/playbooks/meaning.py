"""Holds what a playbook says about its alerts against its rules and the fields of their sources."""

from collections.abc import Iterable, Iterator, Sequence

from breachwatch.detection.playbooks.playbook import Playbook
from breachwatch.detection.rules import Correlation
from breachwatch.detection.sigma.sigma_documents import Draft
from breachwatch.kernel.errors import Problem
from breachwatch.kernel.shapes import did_you_mean
from breachwatch.kernel.yaml import KeyPath, Node
from breachwatch.sources.source import Source


def knows(source: Source, field: str) -> bool:
    """Whether a rule may name this field of a source."""
    return source.native(field) is not None or field in source.constants


def check_meaning(
    playbook: Playbook,
    node: Node,
    drafts: Sequence[Draft],
    sources: Sequence[Source],
    correlations: Sequence[Correlation] | None,
) -> Iterator[Problem]:
    """Every name in `playbook.yml` that stands for nothing.

    Args:
        playbook: what was written.
        node: where it was written.
        drafts: every rule and correlation of the folder.
        sources: those that its rules are for.
        correlations: what was made of the drafts; None while they have faults of their own.
    """
    yield from _incidents(playbook, node, drafts, correlations)
    yield from _subjects(playbook, node, drafts, sources)
    yield from _ocsf_paths(playbook, node, sources)
    if correlations is not None:
        yield from _merging(playbook, node, correlations)
    yield from _checklist(playbook, node)


def _incidents(
    playbook: Playbook, node: Node, drafts: Sequence[Draft], correlations: Sequence[Correlation] | None
) -> Iterator[Problem]:
    for index, name in enumerate(playbook.detection.raises_incident):
        at = ("detection", "raises_incident", index)
        called = {each.id for each in drafts if name in each.names}
        if not called:
            hint = did_you_mean(name, _called(drafts))
            yield node.problem(at, f'raises_incident: no rule is called "{name}"', hint)
        elif correlations is not None and not any(each.alerts for each in correlations if each.id in called):
            hint = "name that correlation, or let it say `generate: true`"
            yield node.problem(at, f'raises_incident: "{name}" only counts in a correlation, it does not alert', hint)


def _subjects(playbook: Playbook, node: Node, drafts: Sequence[Draft], sources: Sequence[Source]) -> Iterator[Problem]:
    for index, subject in enumerate(playbook.detection.subjects):
        at: KeyPath = ("detection", "subjects", index)
        if sources and not any(knows(source, subject.field) for source in sources):
            hint = did_you_mean(subject.field, _fields(sources))
            yield node.problem((*at, "field"), f'subjects: no source here has the field "{subject.field}"', hint)
        yield from _rules(node, (*at, "rules"), subject.rules or (), drafts)
    yield from _rules(node, ("detection", "records_rules"), playbook.detection.records_rules or (), drafts)


def _rules(node: Node, at: KeyPath, names: Sequence[str], drafts: Sequence[Draft]) -> Iterator[Problem]:
    for number, name in enumerate(names):
        draft = next((each for each in drafts if name in each.names), None)
        if draft is None:
            hint = did_you_mean(name, _called(each for each in drafts if not each.is_correlation))
            yield node.problem((*at, number), f'{at[1]}: no rule is called "{name}"', hint)
        elif draft.is_correlation:
            hint = "name the rules whose events it counts"
            yield node.problem((*at, number), f'{at[1]}: "{name}" is a correlation, and only rules match events', hint)


def _ocsf_paths(playbook: Playbook, node: Node, sources: Sequence[Source]) -> Iterator[Problem]:
    known = {path for source in sources for path in (*source.attributes, *source.constants)} | {"time"}
    meaning = playbook.detection
    named: list[tuple[KeyPath, str]] = [
        (("detection", "evidence", index), path) for index, path in enumerate(meaning.evidence)
    ]
    if meaning.records_field:
        named.append((("detection", "records_field"), meaning.records_field))
    for at, path in named:
        if sources and path not in known:
            yield node.problem(at, f'{at[1]}: no source here gives the OCSF path "{path}"', did_you_mean(path, known))


def _merging(playbook: Playbook, node: Node, correlations: Sequence[Correlation]) -> Iterator[Problem]:
    """Alerts are merged by those of the fields that they have: each must have one, and each field must be had."""
    merge_by = playbook.detection.merge_by
    raising = [each for each in correlations if each.raises_incident]
    groups = {path for each in raising for path in each.group}
    for index, path in enumerate(merge_by):
        if raising and path not in groups:
            hint = did_you_mean(path, groups)
            at = ("detection", "merge_by", index)
            yield node.problem(at, f'merge_by: no alert that raises an incident is grouped by "{path}"', hint)
    for each in raising:
        if merge_by and not set(merge_by) & set(each.group):
            hint = f"it is grouped by: {', '.join(each.group) or 'nothing'}"
            yield node.problem(
                ("detection", "merge_by"), f'merge_by: alerts of "{each.title}" have none of these', hint
            )


def _checklist(playbook: Playbook, node: Node) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, item in enumerate(playbook.checklist):
        if item.id in seen:
            yield node.problem(("checklist", index, "id"), f'checklist: the id "{item.id}" stands twice')
        seen.add(item.id)


def _called(drafts: Iterable[Draft]) -> list[str]:
    return sorted({draft.name or draft.title for draft in drafts})


def _fields(sources: Sequence[Source]) -> list[str]:
    return sorted({field for source in sources for field in source.known_fields()})
