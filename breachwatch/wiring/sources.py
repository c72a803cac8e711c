"""The sources there are, for the commands that show them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from breachwatch.sources.registry import load_sources
from breachwatch.sources.source import Source
from breachwatch.wiring.replaying import one_of


def known_sources(source_files: Sequence[Path]) -> list[Source]:
    """Every source, by name.

    Raises:
        ContentError: a source definition with problems.
    """
    return sorted(load_sources(source_files).values(), key=lambda each: each.name)


def known_source(name: str, source_files: Sequence[Path]) -> Source:
    """The source of a name.

    Raises:
        NotFoundError: there is none.
        ContentError: a source definition with problems.
    """
    return one_of(load_sources(source_files), name)


def logsource_text(logsource: Mapping[str, str]) -> str:
    """A Sigma logsource in a line."""
    return ", ".join(f"{key}: {value}" for key, value in logsource.items())
