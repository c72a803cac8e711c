"""`breachwatch tune`: what other thresholds would have raised."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from breachwatch import wiring
from breachwatch.cli.common import (
    WIDE,
    AdjustmentsOption,
    JsonOption,
    PlaybooksOption,
    ReferenceOption,
    SourceFileOption,
    SourceOption,
    TimezoneOption,
    WorkersOption,
    account_line,
    err,
    logs_of,
    must_be_there,
    out,
    plural,
    printable,
    progress,
    total_bytes,
    write_file,
    write_json,
)
from breachwatch.cli.picture import BAR, bar, svg
from breachwatch.cli.root import TRY, app
from breachwatch.cli.tuned import threshold_text, timespan_text, tuned_lines
from breachwatch.detection.trying.adjustments import timespan_of
from breachwatch.detection.trying.tuning import Tuned
from breachwatch.engines.memory import settle_memory


@app.command(
    rich_help_panel=TRY,
    epilog="Examples: `breachwatch tune credential-stuffing app.log --source app-audit` · "
    "`breachwatch tune ssh-brute-force auth.log* --source linux-sshd --try 20,50,80 --svg thresholds.svg`",
)
def tune(
    playbook: Annotated[str, typer.Argument(help="Whose thresholds: the name of its folder.", metavar="PLAYBOOK")],
    files: Annotated[list[Path], typer.Argument(help="Log files, oldest first.", metavar="FILE...")],
    source: SourceOption,
    tried: Annotated[str, typer.Option("--try", help="Thresholds to try, such as 5,10,20; by default around it.")] = "",
    timespans: Annotated[str, typer.Option("--timespans", help="Timespans to try, such as 5m,30m,2h.")] = "",
    svg_file: Annotated[Path | None, typer.Option("--svg", help="Write the picture as SVG.", metavar="FILE")] = None,
    as_json: JsonOption = False,
    playbooks: PlaybooksOption = None,
    adjustments: AdjustmentsOption = None,
    source_file: SourceFileOption = None,
    timezone: TimezoneOption = "UTC",
    reference: ReferenceOption = None,
    workers: WorkersOption = 0,
) -> None:
    """Show how many alerts each threshold of a playbook would have raised, and of whom; people are references."""
    must_be_there(files)
    run = wiring.build_tuning(
        playbook,
        logs_of(source, source_file, timezone, reference, workers),
        playbooks=playbooks,
        adjustments=adjustments,
        bounds=_numbers(tried),
        timespans=_timespans(timespans),
    )
    settle_memory()
    with progress(total_bytes(files), "tuning") as advance:
        tuned, tally = run(files, advance)
    if svg_file is not None:
        write_file(svg_file, svg(tuned))
    if not out.is_terminal:
        out.width = WIDE
    for each in tuned:
        if as_json:
            for line in tuned_lines(each):
                write_json(line)
        else:
            _show(each)
    if not tuned:
        out.print(f"The playbook {playbook} raises no alert by itself: there is nothing to tune.", highlight=False)
    err.print(account_line(tally), highlight=False, soft_wrap=True)


def _show(tuned: Tuned) -> None:
    out.print(f"[bold]{printable(tuned.correlation.title)}[/]", highlight=False)
    most = max((trial.alerts for trial in tuned.trials), default=0)
    if not most:
        out.print(f"  no alert in any of {plural(len(tuned.trials), 'trial')}\n", style="dim", highlight=False)
        return
    table = Table(box=None, header_style="dim", pad_edge=False)
    for heading in ("", "threshold", "timespan", "alerts", "groups", "events"):
        table.add_column(heading, justify="right" if heading in ("alerts", "groups", "events") else "left")
    table.add_column("", min_width=BAR, no_wrap=True)
    for trial in tuned.trials:
        table.add_row(
            "now" if trial.current else "",
            threshold_text(trial),
            timespan_text(trial.timespan_us) if trial.timespan_us else "-",
            f"{trial.alerts:,}",
            f"{trial.groups:,}",
            f"{trial.events:,}",
            Text(bar(trial.alerts, most), style="cyan" if trial.current else "blue"),
            style="bold" if trial.current else "",
        )
    out.print(table)
    if tuned.top:
        where = "now" if tuned.top_is_current else "at the first threshold that alerts at all"
        out.print(f"\n  busiest groups {where}", style="dim", highlight=False)
    for each in tuned.top:
        group = ", ".join(f"{name}={value}" for name, value in each.values.items()) or "everything"
        counted = f"{plural(each.alerts, 'alert'):>10} {plural(each.events, 'event'):>14}"
        out.print(f"  {counted}  {printable(group)}", highlight=False, soft_wrap=True)
    out.print()


def _numbers(text: str) -> list[float]:
    try:
        return [float(each) for each in text.split(",") if each.strip()]
    except ValueError as error:
        raise typer.BadParameter("--try wants numbers, such as 5,10,20") from error


def _timespans(text: str) -> list[timedelta]:
    try:
        return [timespan_of(each.strip()) for each in text.split(",") if each.strip()]
    except ValueError as error:
        raise typer.BadParameter(f"--timespans: {error}") from error
