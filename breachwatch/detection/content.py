"""The content that detection runs on: playbooks, their Sigma rules and correlations, and their notices."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from breachwatch.detection.playbook import NoticeTemplate, Playbook
from breachwatch.detection.rules import Correlation, Rule
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
    raise NotImplementedError
