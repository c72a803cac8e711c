"""`breachwatch replay`: old logs against the playbooks."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.table import Table

from breachwatch import __version__, wiring
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
    printable,
    progress,
    total_bytes,
    write_json,
)
from breachwatch.cli.explaining import ExplainOption, RecordOption, RuleOption
from breachwatch.cli.explaining import tell as tell_explained
from breachwatch.cli.root import TRY, app
from breachwatch.detection.telling.findings import detection_finding
from breachwatch.detection.telling.stix import stix_bundle
from breachwatch.engines.memory import settle_memory
from breachwatch.kernel.streams import Alert, Tally, alert_line


@app.command(
    rich_help_panel=TRY,
    epilog="Examples: `breachwatch replay auth.log --source linux-sshd` · "
    "`breachwatch replay access.log.gz --source web-access --json --form ocsf`",
)
def replay(
    files: Annotated[list[Path], typer.Argument(help="Log files, oldest first; .gz is read too.", metavar="FILE...")],
    source: SourceOption,
    as_json: JsonOption = False,
    playbooks: PlaybooksOption = None,
    adjustments: AdjustmentsOption = None,
    source_file: SourceFileOption = None,
    timezone: TimezoneOption = "UTC",
    reference: ReferenceOption = None,
    workers: WorkersOption = 0,
    form: Annotated[
        Literal["breachwatch", "ocsf", "stix"],
        typer.Option(help="With --json: our own lines, OCSF Detection Findings, or STIX 2.1 bundles."),
    ] = "breachwatch",
    explain: ExplainOption = False,
    record: RecordOption = None,
    rule: RuleOption = "",
) -> None:
    """Try old logs against the playbooks and list the alerts; nothing live is touched."""
    must_be_there(files)
    logs = logs_of(source, source_file, timezone, reference, workers)
    if explain or record or rule:
        found = wiring.explain_replay(logs, playbooks, adjustments, files, records=record or [], wanted=rule)
        tell_explained(found, as_json=as_json)
        return
    run = wiring.build_replay(logs, playbooks=playbooks, adjustments=adjustments)
    settle_memory()
    with progress(total_bytes(files), "replaying") as advance:
        alerts, tally = run(files, advance)
    if as_json:
        for alert in alerts:
            write_json(_line(alert, form))
    else:
        _alert_table(alerts, tally)
    err.print(account_line(tally), highlight=False, soft_wrap=True)


def _line(alert: Alert, form: str) -> dict[str, Any]:
    match form:
        case "ocsf":
            return detection_finding(alert, __version__)
        case "stix":
            return stix_bundle(alert, "breachwatch replay", alert.last_event_at)
    return alert_line(alert)


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
