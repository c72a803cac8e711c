"""`breachwatch replay`: old logs against the playbooks."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.table import Table

from breachwatch import __version__, wiring
from breachwatch.cli.common import (
    DEFAULT_CONFIG,
    WIDE,
    AdjustmentsOption,
    ConfigOption,
    JsonOption,
    PlaybooksOption,
    ReferenceOption,
    SourceFileOption,
    SourceOption,
    TimezoneOption,
    WorkersOption,
    account_line,
    counting,
    err,
    logs_of,
    must_be_there,
    out,
    plural,
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
from breachwatch.engines.replay_parallel import usable_cores
from breachwatch.kernel.streams import Alert, Tally, alert_line
from breachwatch.settings import read_settings


@app.command(
    rich_help_panel=TRY,
    epilog="Examples: `breachwatch replay auth.log --source linux-sshd` · "
    "`breachwatch replay access.log.gz --source web-access --json --form ocsf` · "
    "`breachwatch replay auth.log.1 --source linux-sshd --into kafka` · `breachwatch replay --from-topic records`",
)
def replay(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Log files, oldest first; .gz is read too.", metavar="FILE...")
    ] = None,
    source: SourceOption = "",
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
    into: Annotated[
        Literal["kafka"] | None,
        typer.Option(help="Send the files to the workers of a cluster instead, as if they were collected now."),
    ] = None,
    machine: Annotated[
        str, typer.Option(help="With --into: whose files these are, if several machines have some of the same path.")
    ] = "",
    from_topic: Annotated[
        str, typer.Option(help="Read a topic of chunks instead of files: `records`, or a full name.", metavar="TOPIC")
    ] = "",
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Try old logs against the playbooks and list the alerts; nothing live is touched, unless you say `--into`."""
    files = files or []
    _fits(files, source, into, machine, from_topic, explaining=bool(explain or record or rule))
    if into and (source_file or playbooks or adjustments):
        raise typer.BadParameter(
            "--into sends records as they are: workers have the sources and playbooks of their own"
        )
    must_be_there(files)
    if into:
        _send(files, logs_of(source, source_file, timezone, reference, workers), config, machine, as_json=as_json)
        return
    if from_topic:
        told = _of_topic(config, from_topic, playbooks, adjustments, source_file or [], workers or usable_cores())
        _tell(*told, form if as_json else "")
        return
    logs = logs_of(source, source_file, timezone, reference, workers)
    if explain or record or rule:
        found = wiring.explain_replay(logs, playbooks, adjustments, files, records=record or [], wanted=rule)
        tell_explained(found, as_json=as_json)
        return
    run = wiring.build_replay(logs, playbooks=playbooks, adjustments=adjustments)
    settle_memory()
    with progress(total_bytes(files), "replaying") as advance:
        alerts, tally = run(files, advance)
    _tell(alerts, tally, form if as_json else "")


def _fits(files: list[Path], source: str, into: str | None, machine: str, topic: str, *, explaining: bool) -> None:
    """Refuse what does not go together.

    Raises:
        BadParameter: with what is wrong.
    """
    if topic and (files or into or machine):
        raise typer.BadParameter("--from-topic reads a topic; it takes no files and nothing that is for files")
    if not topic and not files:
        raise typer.BadParameter("name the files to read, or a topic with --from-topic")
    if not topic and not source:
        raise typer.BadParameter("--source says how to read the files: see `breachwatch sources list`")
    if explaining and (topic or into):
        raise typer.BadParameter("--explain, --record and --rule are for files that are tried here")
    if machine and not into:
        raise typer.BadParameter("--machine goes with --into")


def _send(files: list[Path], logs: "wiring.Logs", config: Path, machine: str, *, as_json: bool) -> None:
    backfill = wiring.build_backfill(read_settings(config), logs, machine=machine)
    with progress(total_bytes(files), "sending") as advance:
        sent = backfill.run(files, advance)
    if as_json:
        write_json({"topic": backfill.topic, "files": sent.files, "records": sent.records, "resumed": sent.resumed})
        return
    before = f", after {sent.resumed:,} that were there already" if sent.resumed else ""
    told = f"{plural(sent.records, 'record')} of {plural(sent.files, 'file')} went into {backfill.topic}{before}."
    out.print(told, highlight=False, markup=False, soft_wrap=True)


def _of_topic(
    config: Path, topic: str, playbooks: Path | None, adjustments: Path | None, source_files: list[Path], workers: int
) -> tuple[list[Alert], Tally]:
    run = wiring.build_topic_replay(
        read_settings(config),
        topic,
        playbooks=playbooks,
        adjustments=adjustments,
        source_files=source_files,
        workers=workers,
    )
    settle_memory()
    with counting("replaying") as (opened, advance):
        return run(opened, advance)


def _tell(alerts: list[Alert], tally: Tally, form: str) -> None:
    """Print what was found: as JSON of a form, or as a table for people."""
    if form:
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
