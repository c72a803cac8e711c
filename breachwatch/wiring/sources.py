"""The sources there are, for the commands that show them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from breachwatch.collectors.samples import sampler
from breachwatch.kernel.time import to_microseconds
from breachwatch.sources.guess import Guess, guess
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


def guess_source(file: Path, source_files: Sequence[Path], reference: datetime) -> list[Guess]:
    """The sources that a file may be of, the likeliest first.

    Raises:
        ContentError: the file cannot be read, or a source definition has problems.
    """
    return guess(sampler(file), load_sources(source_files), to_microseconds(reference))


def logsource_text(logsource: Mapping[str, str]) -> str:
    """A Sigma logsource in a line."""
    return ", ".join(f"{key}: {value}" for key, value in logsource.items())
