"""The program itself: its name, its help, and the options before any command."""

from typing import Annotated

import typer

from breachwatch import __version__
from breachwatch.cli.common import err, out

RUN = "Run it"
CLUSTER = "Run it on many machines"
TRY = "Try rules before trusting them"
CHECK = "Check and manage"

app = typer.Typer(
    name="breachwatch",
    help="Detection, the 72-hour clock, filings and notices: from a log line to an approved breach notification.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        out.print(f"breachwatch {__version__}", highlight=False)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
    color: Annotated[bool, typer.Option("--color/--no-color", help="Colour in tables; NO_COLOR is honoured.")] = True,
) -> None:
    if not color:
        out.no_color = err.no_color = True
