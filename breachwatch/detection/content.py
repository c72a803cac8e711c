"""The content that detection runs on: playbooks, their Sigma rules and correlations, and their notices."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from breachwatch.detection.folders import read_folders
from breachwatch.detection.links import link
from breachwatch.detection.playbook import NoticeTemplate, Playbook
from breachwatch.detection.rules import Correlation, Rule
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


def load_content(tree: Mapping[str, bytes], sources: Mapping[str, Source], placeholders: Collection[str]) -> Content:
    """Read playbook folders out of a tree of files.

    Args:
        tree: path to bytes, as `read_tree` gives it.
        sources: by name; rules are compiled for those that their logsource fits.
        placeholders: names that notices may use.

    Raises:
        ContentError: all problems of all files at once, with line, column and the nearest right word.
    """
    problems: list[Problem] = []
    playbooks: dict[str, Playbook] = {}
    notices: dict[tuple[str, str], NoticeTemplate] = {}
    rules: list[Rule] = []
    correlations: list[Correlation] = []
    for folder in read_folders(tree, placeholders):
        linked = link(folder, sources)
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
