"""Log lines: readable, or one JSON object each. Neither holds what an exception says of somebody's data."""

import logging
import sys
from traceback import extract_tb
from typing import Annotated, Any, Literal

import orjson
import typer
from rich.console import Console
from rich.logging import RichHandler

from breachwatch.kernel.observing import about
from breachwatch.kernel.time import from_microseconds, rfc3339

LogFormat = Literal["text", "json"]
LogFormatOption = Annotated[
    LogFormat | None,
    typer.Option("--log-format", help="How log lines look; as the settings say by default.", show_default=False),
]
_LOUD = ("alembic", "aiokafka", "faust", "mode", "kafka", "opentelemetry", "uvicorn", "asyncio")
"""Libraries of whose lines only warnings are of use to an operator."""


class JsonLines(logging.Formatter):
    """Each line one object: `time` (RFC 3339, UTC), `level`, `part`, `message`, and `trace` where there is one.

    An exception is told by its type and where it came from, never by its text, which may quote what was being read.
    """

    def format(self, record: logging.LogRecord) -> str:
        """One line, without its end."""
        told: dict[str, Any] = {
            "time": rfc3339(from_microseconds(int(record.created * 1e6))),
            "level": record.levelname.lower(),
            "part": record.name.removeprefix("breachwatch."),
            "message": record.getMessage(),
        }
        trace = about.get()
        if trace:
            told["trace"] = trace
        if record.exc_info and record.exc_info[0] is not None:
            told["error"] = record.exc_info[0].__name__
            told["at"] = [f"{frame.filename}:{frame.lineno}" for frame in extract_tb(record.exc_info[2])[-8:]]
        return orjson.dumps(told, default=str).decode()


class _NoTexts(logging.Filter):
    """Leaves out what exceptions say."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always true; the record loses its traceback and gains the exception's type."""
        if record.exc_info and record.exc_info[0] is not None:
            record.msg, record.args = f"{record.getMessage()}: {record.exc_info[0].__name__}", None
            record.exc_info = record.exc_text = None
        return True


def log_to(console: Console, level: int, form: LogFormat) -> None:
    """All log lines go to standard error, in this form; calling it again changes the form.

    Args:
        console: what is readable goes through this one, so that it does not tear progress bars apart.
        level: from which on.
        form: `text` or `json`.
    """
    handler: logging.Handler
    if form == "json":
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(JsonLines())
        logging.basicConfig(level=level, handlers=[handler], force=True)
    else:
        handler = RichHandler(console=console, show_path=False, markup=False, rich_tracebacks=False)
        handler.addFilter(_NoTexts())
        logging.basicConfig(level=level, format="%(name)s: %(message)s", handlers=[handler], force=True)
    for name in _LOUD:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
