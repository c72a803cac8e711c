"""`breachwatch replay`: old logs against the playbooks."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from breachwatch import wiring
from breachwatch.cli.common import (
    WIDE,
    JsonOption,
    PlaybooksOption,
    ReferenceOption,
    SourceFileOption,
    SourceOption,
    TimezoneOption,
    WorkersOption,
    err,
    instant,
    must_be_there,
    out,
    printable,
    progress,
    write_json,
)
from breachwatch.cli.root import app
from breachwatch.engines.memory import settle_memory
from breachwatch.engines.replay_parallel import usable_cores
from breachwatch.kernel.streams import Alert, Tally, alert_line


@app.command(
    epilog="Examples: `breachwatch replay auth.log --source linux-sshd` · "
    "`breachwatch replay access.log.gz --source web-access --json`"
)
def replay(
    files: Annotated[list[Path], typer.Argument(help="Log files, oldest first; .gz is read too.", metavar="FILE...")],
    source: SourceOption,
    as_json: JsonOption = False,
    playbooks: PlaybooksOption = None,
    source_file: SourceFileOption = None,
    timezone: TimezoneOption = "UTC",
    reference: ReferenceOption = None,
    workers: WorkersOption = 0,
) -> None:
    """Try old logs against the playbooks and list the alerts; nothing live is touched."""
    must_be_there(files)
    at = instant(reference)
    run = wiring.build_replay(
        source,
        playbooks=playbooks,
        source_files=source_file or [],
        timezone=timezone,
        reference=at,
        workers=workers or usable_cores(),
    )
    settle_memory()
    with progress(sum(path.stat().st_size for path in files), "replaying") as advance:
        alerts, tally = run(files, advance)
    if as_json:
        for alert in alerts:
            write_json(alert_line(alert))
    else:
        _alert_table(alerts, tally)
    err.print(account_line(tally), highlight=False, soft_wrap=True)


def account_line(tally: Tally) -> str:
    """What became of every record, adding up: records = events + ignored + dead letters."""
    ignored, dead = sum(tally.ignored.values()), sum(tally.dead.values())
    reasons = [f"{name} {count:,}" for name, count in sorted({**tally.ignored, **tally.dead}.items())]
    text = f"{tally.records:,} records = {tally.events:,} events + {ignored:,} ignored + {dead:,} dead letters"
    text += f" ({', '.join(reasons)})" if reasons else ""
    return text + (f"; {tally.late:,} events came too late for their windows" if tally.late else "")


def _alert_table(alerts: list[Alert], tally: Tally) -> None:
    if not alerts:
        told = "No alerts: nothing in these files crosses a threshold of the playbooks."
        if 2 * tally.events < tally.records:
            told = f"No alerts, but only {tally.events:,} of {tally.records:,} lines were events; is the source right?"
        out.print(told, highlight=False, soft_wrap=True)
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("first event (UTC)", "last event (UTC)", "events", "people", "incident", "rule", "group"):
        table.add_column(heading, justify="right" if heading in ("events", "people") else "left", overflow="fold")
    for alert in alerts:
        table.add_row(
            f"{alert.first_event_at:%Y-%m-%d %H:%M:%S}",
            f"{alert.last_event_at:%Y-%m-%d %H:%M:%S}",
            f"{alert.count:,}",
            f"{alert.subject_count:,}",
            "yes" if alert.raises_incident else "no",
            printable(alert.title),
            printable(", ".join(f"{key}={value}" for key, value in alert.group.items())),
        )
    if not out.is_terminal:
        out.width = WIDE
    out.print(table)
