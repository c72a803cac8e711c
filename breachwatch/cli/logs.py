"""Log lines: readable, or one JSON object each. Neither holds what an exception says of somebody's data."""

import logging
import re
import sys
from traceback import extract_tb
from types import TracebackType
from typing import Annotated, Any, Literal

import orjson
import typer
from rich.console import Console
from rich.logging import RichHandler

from breachwatch.kernel.observing import about
from breachwatch.kernel.time import from_microseconds, rfc3339

log = logging.getLogger("breachwatch.cli")
LogFormat = Literal["text", "json"]
LogFormatOption = Annotated[
    LogFormat | None,
    typer.Option("--log-format", help="How log lines look; as the settings say by default.", show_default=False),
]
_LOUD = (
    "alembic",
    "aiokafka",
    "breachwatch.engines.kafka.app",
    "faust",
    "mode",
    "kafka",
    "opentelemetry",
    "uvicorn",
    "asyncio",
)
"""Libraries, and who speaks for one, of whose lines only warnings are of use to an operator."""


class JsonLines(logging.Formatter):
    """Each line one object: `time` (RFC 3339, UTC), `level`, `part`, `message`, and `trace` where there is one.

    An exception is told by its type (`error`) and where it came from (`at`), never by its text, which may quote what
    was being read.
    """

    def format(self, record: logging.LogRecord) -> str:
        """One line, without its end."""
        told: dict[str, Any] = {
            "time": rfc3339(from_microseconds(int(record.created * 1e6))),
            "level": record.levelname.lower(),
            "part": record.name.removeprefix("breachwatch."),
            "message": _message(record),
        }
        trace = about.get()
        if trace:
            told["trace"] = trace
        if record.exc_info and record.exc_info[1] is not None:
            told["error"], told["at"] = _kind(record.exc_info[1]), _places(record.exc_info[1])
        return orjson.dumps(told, default=str).decode()


class _NoTexts(logging.Filter):
    """Leaves out what exceptions say, in readable lines too."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always true; instead of a traceback with its texts the message tells type and places."""
        message = _message(record)
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            message += ": " + " < ".join([_kind(error), *reversed(_places(error))])
            record.exc_info = record.exc_text = None
        record.msg, record.args = message, None
        return True


def _message(record: logging.LogRecord) -> str:
    """What a line says. Libraries like to put exceptions in, with all that they say; those lose it."""
    message = record.getMessage()
    if record.name.partition(".")[0] == "breachwatch":
        return message
    return _REPRESENTED.sub(r"\1", message.partition("\n")[0])


_REPRESENTED = re.compile(r"\b(\w*(?:Error|Exception|Warning))\(.*")


def _kind(error: BaseException) -> str:
    """The type of an exception; of a group, those of its members."""
    name = type(error).__name__
    return f"{name}({', '.join(map(_kind, error.exceptions))})" if isinstance(error, BaseExceptionGroup) else name


def _places(error: BaseException) -> list[str]:
    """Where it came from, the innermost last; of a group, of its first member."""
    inner = error.exceptions[0] if isinstance(error, BaseExceptionGroup) else None
    own = [f"{frame.filename}:{frame.lineno}" for frame in extract_tb(error.__traceback__)[-_FRAMES:]]
    return own if inner is None else [*own, *_places(inner)][-_FRAMES:]


_FRAMES = 8


def log_to(console: Console, level: int, form: LogFormat) -> None:
    """All log lines go to standard error, in this form, and so does what ends the process; may be called again.

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
    logging.captureWarnings(True)
    sys.excepthook = _uncaught


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    log.critical("the process ends by a fault of its own", exc_info=(kind, error, trace))


def says_json() -> bool:
    """Whether standard error is for machines, so that everything there has to be a log line."""
    return any(isinstance(handler.formatter, JsonLines) for handler in logging.getLogger().handlers)
