"""What every command shares: where it prints, its common options, and how an error ends it."""

import json
import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from breachwatch import wiring
from breachwatch.cli.logs import LogFormat, log_to, says_json
from breachwatch.engines.replay_parallel import usable_cores
from breachwatch.kernel.errors import BreachwatchError, ContentError, Problem
from breachwatch.kernel.streams import Tally
from breachwatch.kernel.time import parse_rfc3339

log = logging.getLogger(__name__)
out = Console()
err = Console(stderr=True)

ConfigOption = Annotated[
    Path, typer.Option("--config", "-c", help="Settings file.", show_default=True, envvar="BREACHWATCH_CONFIG")
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object a line, for other programs.")]
SourceOption = Annotated[
    str, typer.Option("--source", "-s", help="How to read the files: see `breachwatch sources list`.")
]
SourceFileOption = Annotated[list[Path] | None, typer.Option(help="Extra source definition (YAML); may be repeated.")]
PlaybooksOption = Annotated[Path | None, typer.Option(help="Playbooks folder; the shipped ones by default.")]
TimezoneOption = Annotated[str, typer.Option(help="Zone of local times in the log (IANA name).")]
ReferenceOption = Annotated[
    str | None, typer.Option(help="RFC 3339 instant the log ends before: gives year-less times their year.")
]
WorkersOption = Annotated[
    int, typer.Option(min=0, help="Processes that read and match; 0: one a core. The result is the same.")
]
AdjustmentsOption = Annotated[
    Path | None, typer.Option(help="Your thresholds and what you allow (adjustments.yml).", metavar="FILE")
]
DEFAULT_CONFIG = Path("breachwatch.toml")
WIDE = 10_000
"""Columns of what goes into a pipe or a file, where nobody wraps lines."""


def now() -> datetime:
    """The wall clock, read here and in the wiring only."""
    return datetime.now(UTC)


@contextmanager
def plain_errors() -> Iterator[None]:
    """Errors become one plain message and an exit code, never a traceback."""
    try:
        yield
    except ContentError as error:
        for problem in error.problems:
            tell(str(problem), logging.ERROR)
        sys.exit(2)
    except BreachwatchError as error:
        tell(str(error), logging.ERROR)
        sys.exit(1)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except KeyboardInterrupt:
        tell("stopped")
        sys.exit(130)


def tell(text: str, level: int = logging.INFO) -> None:
    """A plain sentence for whoever started the command, or a log line where those are for machines."""
    if says_json():
        log.log(level, "%s", text)
    else:
        style = "red" if level >= logging.ERROR else None
        err.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def log_to_stderr(level: int = logging.INFO, form: LogFormat | None = None) -> None:
    """Log lines go to standard error; in which form `BREACHWATCH_OBSERVE__LOG_FORMAT` says, if nobody else does."""
    known: LogFormat = "json" if os.environ.get("BREACHWATCH_OBSERVE__LOG_FORMAT") == "json" else "text"
    log_to(err, level, form or known)


def instant(reference: str | None) -> datetime:
    """The instant that a log ends before: as given, else now.

    Raises:
        BadParameter: it is no instant.
    """
    try:
        return parse_rfc3339(reference) if reference else now()
    except ValueError as error:
        raise typer.BadParameter(f"--reference: {error}") from error


def logs_of(
    source: str, source_files: list[Path] | None, timezone: str, reference: str | None, workers: int
) -> "wiring.Logs":
    """How the files of a command are read, from its options."""
    return wiring.Logs(source, source_files or [], timezone, instant(reference), workers or usable_cores())


def write_json(line: Mapping[str, Any]) -> None:
    """One object on standard output, for other programs."""
    sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")


def write_file(path: Path, content: bytes) -> None:
    """Write a file that was asked for.

    Raises:
        ContentError: it cannot be written.
    """
    try:
        path.write_bytes(content)
    except OSError as error:
        raise ContentError([Problem(str(path), 0, 0, f"cannot be written: {error.strerror}")]) from error


def plural(number: int, one: str, many: str = "") -> str:
    """A number with its noun; `many` where it is not just an s longer."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def must_be_there(paths: Iterable[Path]) -> None:
    """Refuse files that are not there, all of them at once.

    Raises:
        ContentError: some are missing.
    """
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise ContentError([Problem(str(path), 0, 0, "no such file") for path in missing])


def printable(text: str) -> str:
    """A text out of a log as a cell of a table: no control characters, no markup."""
    return "".join(char if char.isprintable() else "�" for char in text).replace("[", r"\[")


def account_line(tally: Tally) -> str:
    """What became of every record, adding up: records = events + ignored + dead letters."""
    ignored, dead = sum(tally.ignored.values()), sum(tally.dead.values())
    reasons = [f"{name} {count:,}" for name, count in sorted({**tally.ignored, **tally.dead}.items())]
    text = f"{tally.records:,} records = {tally.events:,} events + {ignored:,} ignored + {dead:,} dead letters"
    text += f" ({', '.join(reasons)})" if reasons else ""
    if tally.allowed:
        entries = ", ".join(f"{name} {count:,}" for name, count in sorted(tally.allowed.items()))
        text += f"; {plural(sum(tally.allowed.values()), 'match', 'matches')} set aside as allowed ({entries})"
    return text + (f"; {tally.late:,} events came too late for their windows" if tally.late else "")


def total_bytes(files: Iterable[Path]) -> int:
    """How many bytes the files have, as they lie there."""
    return sum(path.stat().st_size for path in files)


@contextmanager
def progress(total_bytes: int, what: str) -> "Iterator[wiring.Advance]":
    """A bar on a terminal while files are read; yields what is to be told of each further number of bytes."""
    columns = (
        TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn()
    )  # fmt: skip
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task(what, total=total_bytes)
        yield lambda size: progress.advance(task, size)


@contextmanager
def counting(what: str) -> "Iterator[tuple[Callable[[int], object], wiring.Advance]]":
    """A bar on a terminal while a number of things is worked through that is not known at first.

    Yields what is to be told of that number, and what of each further number done.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task(what, total=None)
        yield lambda total: progress.update(task, total=total), lambda size: progress.advance(task, size)
