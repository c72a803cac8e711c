"""The content that detection runs on: the operator's, or what comes with the package; and how it is checked."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from breachwatch.detection.playbooks.check import check
from breachwatch.detection.playbooks.content import Content, load_content, read_tree
from breachwatch.detection.trying.adjustments import Adjustments, adjusted, read_adjustments
from breachwatch.kernel.errors import ContentError, Problem
from breachwatch.kernel.shipped import shipped
from breachwatch.notices.placeholders import PLACEHOLDERS
from breachwatch.sources.registry import load_sources
from breachwatch.sources.source import Source


def shipped_or(playbooks: Path | None, sources: Mapping[str, Source]) -> Content:
    """The content of a playbooks folder, or of the shipped one."""
    return load_content(read_tree(playbooks or shipped("playbooks")), sources, PLACEHOLDERS)


def check_playbooks(folder: Path, source_files: Sequence[Path]) -> tuple[list[Problem], str]:
    """Every problem of a playbooks folder, and one line that sums it up."""
    return check(read_tree(folder), load_sources(source_files), PLACEHOLDERS)


def with_adjustments(content: Content, path: Path | None) -> tuple[Content, Adjustments]:
    """Content as the operator adjusts it, and the adjustments; without a file it stays as it is.

    Raises:
        ContentError: the file cannot be read, or does not fit the content.
    """
    if path is None:
        return content, Adjustments()
    try:
        adjustments = read_adjustments(path.read_bytes(), str(path))
    except OSError as error:
        raise ContentError([Problem(str(path), 0, 0, f"cannot be read: {error.strerror}")]) from error
    return adjusted(content, adjustments), adjustments


def check_adjustments(
    folder: Path, path: Path, source_files: Sequence[Path], now: datetime
) -> tuple[list[Problem], list[Problem], str]:
    """Whether adjustments fit the playbooks of a folder: mistakes, entries that have ended, and a line that sums up.

    Raises:
        ContentError: the playbooks cannot be read.
    """
    content = load_content(read_tree(folder), load_sources(source_files), PLACEHOLDERS)
    try:
        _, adjustments = with_adjustments(content, path)
    except ContentError as error:
        return list(error.problems), [], f"{path.name} does not fit them"
    thresholds, allowed = len(adjustments.thresholds), len(adjustments.allow)
    told = f"{path.name} adjusts {thresholds} threshold{'' if thresholds == 1 else 's'}"
    return [], adjustments.expired(now), f"{told} and allows {allowed} thing{'' if allowed == 1 else 's'}"
