"""Plain folders of Sigma rules, for the commands that look at them."""

from collections.abc import Sequence
from pathlib import Path

from breachwatch.detection.playbooks.content import read_tree
from breachwatch.detection.trying.coverage import Tagged, read_tags
from breachwatch.detection.trying.lint import Linted, lint
from breachwatch.kernel.errors import ContentError, Problem
from breachwatch.sources.registry import load_sources


def rule_tree(folder: Path) -> dict[str, bytes]:
    """Every file of a rules folder, or one file.

    Raises:
        ContentError: there is no such folder.
    """
    if folder.is_file():
        return {folder.as_posix(): folder.read_bytes()}
    if not folder.is_dir():
        raise ContentError([Problem(str(folder), 0, 0, "no such folder")])
    return read_tree(folder)


def lint_rules(folder: Path, source_files: Sequence[Path]) -> list[Linted]:
    """Every document of a rules folder, held against the specification and the sources there are."""
    return lint(rule_tree(folder), load_sources(source_files))


def tagged_rules(folder: Path) -> list[Tagged]:
    """Every rule of a folder with its tags."""
    return read_tags(rule_tree(folder))
