"""The content that detection runs on: playbooks, their Sigma rules and correlations, and their notices."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from breachwatch.detection.playbooks.folders import Folder, read_filters, read_folders
from breachwatch.detection.playbooks.links import link
from breachwatch.detection.playbooks.playbook import NoticeTemplate, Playbook
from breachwatch.detection.rules import Correlation, Rule
from breachwatch.detection.sigma.placeholders import Placeholders
from breachwatch.detection.sigma.sigma_documents import Draft
from breachwatch.detection.sigma.sigma_filters import unknown_rules
from breachwatch.kernel.errors import ContentError, Problem
from breachwatch.sources.source import Source


@dataclass(frozen=True, slots=True)
class Content:
    """Everything read from a tree of playbook folders, checked.

    `playbooks` by id; `notices` by (playbook, language). `rules` in order of reading; `correlations` so that each comes
    after those it refers to. The latter two are for `Detector` and `Correlator` alone.
    """

    playbooks: Mapping[str, Playbook]
    notices: Mapping[tuple[str, str], NoticeTemplate]
    rules: tuple[Rule, ...] = field(default=(), repr=False)
    correlations: tuple[Correlation, ...] = field(default=(), repr=False)


def read_tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by its path as people would type it (the folder as given, then the rest)."""
    return {
        path.as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    }


def load_content(
    tree: Mapping[str, bytes],
    sources: Mapping[str, Source],
    placeholders: Collection[str],
    fillings: Placeholders | None = None,
) -> Content:
    """Read playbook folders out of a tree of files.

    Args:
        tree: path to bytes, as `read_tree` gives it.
        sources: by name; rules are compiled for those that their logsource fits.
        placeholders: names that notices may use.
        fillings: the texts that placeholders of Sigma rules stand for.

    Raises:
        ContentError: all problems of all files at once, with line, column and the nearest right word.
    """
    filters, problems = read_filters(tree, fillings)
    playbooks: dict[str, Playbook] = {}
    notices: dict[tuple[str, str], NoticeTemplate] = {}
    rules: list[Rule] = []
    correlations: list[Correlation] = []
    folders = list(read_folders(tree, placeholders, fillings))
    filters += [each for folder in folders for each in folder.drafts or () if each.is_filter]
    problems.extend(_unknown(filters, folders))
    for folder in folders:
        linked = link(folder, sources, filters)
        problems.extend([*folder.problems, *linked.problems])
        if folder.playbook is None:
            continue
        playbooks[folder.playbook.id] = folder.playbook
        notices.update({(folder.playbook.id, language): each for language, each in folder.notices.items()})
        rules.extend(linked.rules)
        correlations.extend(linked.correlations)
    if not playbooks and not problems:
        problems.append(
            Problem(
                min(tree, default="playbooks"), 0, 0, "no playbook here", "a playbook is a folder with a playbook.yml"
            )
        )
    if problems:
        raise ContentError(sorted(dict.fromkeys(problems), key=lambda each: (each.path, each.line, each.column)))
    return Content(playbooks, notices, tuple(rules), tuple(correlations))


def _unknown(filters: Sequence[Draft], folders: Sequence[Folder]) -> Iterator[Problem]:
    """Names that filters give and no rule of any playbook has."""
    drafts = [each for folder in folders for each in folder.drafts or ()]
    known = {name for each in drafts for name in (each.sigma_id, each.name) if name}
    for each in filters:
        if each.filter is not None:
            yield from unknown_rules(each.node, each.filter, known)
