"""`breachwatch parse` and `breachwatch sources`: how files are read, and by what."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.table import Table

from breachwatch import wiring
from breachwatch.cli.common import (
    WIDE,
    JsonOption,
    ReferenceOption,
    SourceFileOption,
    SourceOption,
    TimezoneOption,
    account_line,
    err,
    instant,
    logs_of,
    must_be_there,
    out,
    printable,
    progress,
    total_bytes,
    write_json,
)
from breachwatch.cli.root import TRY, app

sources_app = typer.Typer(help="The kinds of logs that can be read.", no_args_is_help=True)
app.add_typer(sources_app, name="sources", rich_help_panel=TRY)
FIRST = 5
"""Records shown to a person; programs get all of them."""


@app.command(
    rich_help_panel=TRY,
    epilog="Examples: `breachwatch parse auth.log --source linux-sshd` · "
    "`breachwatch parse events.json.gz --source windows-json --json`",
)
def parse(
    files: Annotated[list[Path], typer.Argument(help="Files of the source, packed or not.", metavar="FILE...")],
    source: SourceOption,
    as_json: JsonOption = False,
    native: Annotated[bool, typer.Option("--native", help="With the fields as the source names them, too.")] = False,
    source_file: SourceFileOption = None,
    timezone: TimezoneOption = "UTC",
    reference: ReferenceOption = None,
) -> None:
    """Show what records become: time and OCSF attributes, or why not."""
    must_be_there(files)
    reading = wiring.Reading(logs_of(source, source_file, timezone, reference, workers=1))
    shown = 0
    with progress(total_bytes(files), "reading") as advance:
        for file in files:
            for line in reading.run(file, advance, native=native):
                if len(files) > 1:
                    line["file"] = str(file)
                if as_json:
                    sys.stdout.buffer.write(orjson.dumps(line, default=str) + b"\n")
                elif "ignored" not in line and shown < FIRST:
                    shown += 1
                    _show(line)
    if not as_json:
        _close(shown, reading.tally.records)
    err.print(account_line(reading.tally), highlight=False, soft_wrap=True)


def _show(line: Mapping[str, Any]) -> None:
    place = f"record {line['record']:,}" + (f" of {line['file']}" if "file" in line else "")
    if "dead" in line:
        out.print(f"[bold]{printable(place)}[/]  [red]cannot be read: {printable(line['dead'])}[/]", soft_wrap=True)
        return
    out.print(f"[bold]{printable(place)}[/]  {line['time']}", highlight=False, soft_wrap=True)
    for name, value in _dotted({key: each for key, each in line.items() if key not in ("record", "time", "file")}):
        out.print(f"  {name:<32} {printable(str(value))}", highlight=False, soft_wrap=True)


def _dotted(nested: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in nested.items():
        if isinstance(value, dict) and value:
            yield from _dotted(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _close(shown: int, records: int) -> None:
    if not records:
        out.print("There is no record in these files.")
    elif not shown:
        out.print("No record is an event of this source; `breachwatch sources guess FILE` names likelier ones.")
    elif records > shown:
        out.print(f"The first {shown:,} of {records:,} records; all of them with --json.", style="dim")


@sources_app.command("list", epilog="Example: `breachwatch sources list`")
def list_sources(source_file: SourceFileOption = None, as_json: JsonOption = False) -> None:
    """List every source: what it reads, and the Sigma logsource it answers to."""
    sources = wiring.known_sources(source_file or [])
    if as_json:
        for each in sources:
            line = {"name": each.name, "title": each.title, "logsource": dict(each.logsource)}
            write_json({**line, "answers": [dict(one.logsource) for one in each.answers]})
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("source", "reads", "Sigma logsource"):
        table.add_column(heading, overflow="fold")
    for each in sources:
        table.add_row(each.name, printable(each.title), printable(wiring.logsource_text(each.logsource)))
    if not out.is_terminal:
        out.width = WIDE
    out.print(table)


@sources_app.command("show", epilog="Example: `breachwatch sources show linux-sshd`")
def show_source(
    name: Annotated[str, typer.Argument(help="A source.", metavar="SOURCE")],
    source_file: SourceFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a source: what it is, which rules are for it, and which OCSF attributes it has."""
    source = wiring.known_source(name, source_file or [])
    answers = [wiring.logsource_text(each.logsource) for each in source.answers]
    attributes = {path: ".".join(native) for path, native in source.attributes.items()}
    if as_json:
        about: dict[str, Any] = {"name": source.name, "title": source.title, "description": source.description}
        about |= {"logsource": dict(source.logsource), "answers": [dict(each.logsource) for each in source.answers]}
        write_json({**about, "attributes": attributes, "aliases": {k: ".".join(v) for k, v in source.aliases.items()}})
        return
    out.print(f"[bold]{source.name}[/]  {printable(source.title)}\n", highlight=False)
    out.print(printable(source.description) + "\n", highlight=False)
    told = wiring.logsource_text(source.logsource) or "any, where it is asked by name"
    out.print(f"Sigma logsource: {printable(told)}", highlight=False)
    for each in sorted(set(answers)):
        out.print(f"  also, for some of its events: {printable(each)}", highlight=False, soft_wrap=True)
    out.print("\nOCSF attributes, and where they come from:", highlight=False)
    for path, native in sorted(attributes.items()):
        out.print(f"  {path:<40} {printable(native)}", highlight=False, soft_wrap=True)


@sources_app.command("guess", epilog="Example: `breachwatch sources guess unknown.log.gz`")
def guess_source(
    file: Annotated[Path, typer.Argument(help="A log file, packed or not.", metavar="FILE")],
    source_file: SourceFileOption = None,
    reference: ReferenceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Name the sources that a file is likely of, the likeliest first; exit code 1 when no source can read it."""
    must_be_there([file])
    found = wiring.guess_source(file, source_file or [], instant(reference))
    for each in found if as_json else ():
        write_json(
            {"source": each.source, "title": each.title, "share": each.share, "score": each.score, "why": each.why}
        )
    if not as_json and found:
        table = Table(box=None, header_style="bold", pad_edge=False)
        for heading in ("source", "events", "score", "why"):
            table.add_column(heading, justify="right" if heading in ("events", "score") else "left", overflow="fold")
        for each in found[:FIRST]:
            table.add_row(each.source, f"{each.share:.0%}", f"{each.score:.2f}", printable(each.why))
        if not out.is_terminal:
            out.width = WIDE
        out.print(table)
    if not found:
        err.print("No source reads this file: describe it in a source definition of your own (docs: sources).")
        raise typer.Exit(1)
