"""`breachwatch check` and `breachwatch verify`: is what we run on good, and is what was written whole."""

from pathlib import Path
from typing import Annotated

import typer

from breachwatch import wiring
from breachwatch.cli.common import (
    DEFAULT_CONFIG,
    AdjustmentsOption,
    ConfigOption,
    JsonOption,
    SourceFileOption,
    err,
    now,
    out,
    write_json,
)
from breachwatch.cli.matching import check_rules
from breachwatch.cli.root import CHECK, app
from breachwatch.kernel.errors import ContentError, Problem
from breachwatch.settings import read_settings


@app.command(rich_help_panel=CHECK, epilog="Examples: `breachwatch check playbooks/` · `breachwatch check rules/`")
def check(
    folder: Annotated[Path, typer.Argument(help="A folder of playbooks, or of Sigma rules.")] = Path("playbooks"),
    adjustments: AdjustmentsOption = None,
    source_file: SourceFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check playbooks, their rules, notices and cases, or plain rules; every problem with its file and line."""
    if not folder.is_dir():
        raise ContentError([Problem(str(folder), 0, 0, "no such folder")])
    if not any(folder.rglob("playbook.yml")):
        check_rules(folder, [], None, source_file or [], as_json=as_json, no_cache=False)
        return
    problems, summary = wiring.check_playbooks(folder, source_file or [])
    notes: list[Problem] = []
    if adjustments is not None and not problems:
        problems, notes, told = wiring.check_adjustments(folder, adjustments, source_file or [], now())
        summary = f"{summary}; {told}"
    for note in notes:
        err.print(str(note), style="yellow", markup=False, highlight=False, soft_wrap=True)
    for problem in problems:
        if as_json:
            fields = ("path", "line", "column", "message", "hint")
            write_json({name: getattr(problem, name) for name in fields})
        else:
            out.print(str(problem), markup=False, highlight=False, soft_wrap=True)
    if problems:
        err.print(f"{len(problems)} problem{'s' if len(problems) > 1 else ''} in {folder}", highlight=False)
        raise typer.Exit(1)
    if not as_json:
        out.print(summary, highlight=False, soft_wrap=True)


@app.command(rich_help_panel=CHECK, epilog="Example: `breachwatch verify -c breachwatch.toml && echo unaltered`")
def verify(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Prove that no case file was changed since it was written; names the first broken fact of each incident."""
    store = wiring.open_store(read_settings(config), must_exist=True)
    broken = list(store.ledger.verify())
    incidents, facts = store.sizes()
    if as_json:
        write_json({"incidents": incidents, "facts": facts, "broken": broken})
    elif not broken:
        out.print(f"{facts:,} facts of {incidents:,} incidents: every chain is whole.", highlight=False)
    for line in [] if as_json else broken:
        out.print(line, style="red", markup=False, highlight=False, soft_wrap=True)
    if broken:
        raise typer.Exit(1)
