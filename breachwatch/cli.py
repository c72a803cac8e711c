"""The commands of breachwatch. Exit codes: 0 done, 1 found or refused something, 2 wrong usage or bad input files."""

import asyncio
import json
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal, TypeVar, cast

import typer
from rich.console import Console
from rich.filesize import decimal
from rich.logging import RichHandler
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Table

from breachwatch import __version__, wiring
from breachwatch.demo.headless import DemoDpo, Waited
from breachwatch.engines.host import stop_on_signals
from breachwatch.engines.memory import settle_memory
from breachwatch.kernel.errors import BreachwatchError, ContentError, Problem, RefusedError
from breachwatch.kernel.facts import Role
from breachwatch.kernel.streams import Alert, Tally, alert_line
from breachwatch.kernel.time import parse_rfc3339, rfc3339
from breachwatch.settings import Settings, read_settings, write_example

app = typer.Typer(
    name="breachwatch",
    help="Detection, the 72-hour clock, filings and notices: from a log line to an approved breach notification.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
member_app = typer.Typer(help="Members of the team who may sign in to the desk.", no_args_is_help=True)
app.add_typer(member_app, name="member")

out = Console()
err = Console(stderr=True)

ConfigOption = Annotated[
    Path, typer.Option("--config", "-c", help="Settings file.", show_default=True, envvar="BREACHWATCH_CONFIG")
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object a line, for other programs.")]
DEFAULT_CONFIG = Path("breachwatch.toml")
WIDE = 10_000
"""Columns of what goes into a pipe or a file, where nobody wraps lines."""
Found = TypeVar("Found")


def now() -> datetime:
    """The wall clock, read here and in the wiring only."""
    return datetime.now(UTC)


def main() -> None:
    """Entry point: errors become one plain message and an exit code, never a traceback."""
    with _plain_errors():
        app()


@contextmanager
def _plain_errors() -> Iterator[None]:
    try:
        yield
    except ContentError as error:
        for problem in error.problems:
            err.print(str(problem), style="red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(2)
    except BreachwatchError as error:
        err.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(1)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except KeyboardInterrupt:
        err.print("stopped")
        sys.exit(130)


def _log_to_stderr(level: int = logging.INFO) -> None:
    handler = RichHandler(console=err, show_path=False, markup=False, rich_tracebacks=False)
    logging.basicConfig(level=level, format="%(name)s: %(message)s", handlers=[handler], force=True)
    logging.getLogger("alembic").setLevel(logging.WARNING)


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


@app.command(epilog="Example: `breachwatch init` · `breachwatch init -c /etc/breachwatch/breachwatch.toml`")
def init(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Write an example of the settings file, with remarks; a file that is there already is left as it is."""
    write_example(config)
    out.print(
        f"{config} is written: put your organisation and your mail relay in, then: breachwatch up -c {config}",
        highlight=False,
        soft_wrap=True,
    )


@app.command(epilog="Example: `breachwatch up -c breachwatch.toml`")
def up(
    config: ConfigOption = DEFAULT_CONFIG,
    engine: Annotated[Literal["embedded"], typer.Option(help="What carries the streams.")] = "embedded",
) -> None:
    """Run everything on this machine: collectors, detection, clocks, desk and couriers. Ctrl-C ends it cleanly."""
    _log_to_stderr()
    settings = read_settings(config)
    service = wiring.build_service(settings)
    err.print(f"The desk is at {service.desk_url}", highlight=False)
    files, size = service.first_read
    if files:
        what = f"{files:,} file{'s' if files > 1 else ''} of log ({decimal(size)})"
        told = f'First {what} will be read from the beginning; start = "end" in an input passes over what is there.'
        err.print(told, highlight=False, soft_wrap=True)
    if not service.team.members():
        err.print(
            f"Nobody may sign in yet. In another terminal: breachwatch member add NAME --role dpo --config {config}",
            highlight=False,
        )
    settle_memory()
    asyncio.run(service.run_until_signal())


@app.command(epilog="Examples: `breachwatch demo` · `breachwatch demo --fresh` · `breachwatch demo --headless`")
def demo(
    state: Annotated[Path, typer.Option(help="Folder of the demo; it goes on where it was.")] = Path("demo-state"),
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Throw away what an earlier demo left, and begin anew.")
    ] = False,
    headless: Annotated[
        bool, typer.Option("--headless", help="Play the DPO too, check what the desk shows, and leave.")
    ] = False,
    port: Annotated[int, typer.Option(help="Port of the desk; another free one if it is taken.")] = 8420,
) -> None:
    """Live through a day of a small online shop: two attacks, two incidents, and mails to the people affected."""
    _log_to_stderr(logging.WARNING)
    house = wiring.build_demo(state, fresh=fresh or headless, desk_port=port)
    settle_memory()
    asyncio.run(_demo_headless(house) if headless else _demo(house))


async def _demo(house: wiring.Demo) -> None:
    stop = asyncio.Event()
    stop_on_signals(stop)
    running = asyncio.create_task(house.service.run(stop))
    _demo_welcome(house)
    await _demo_play(house, stop, timedelta(seconds=20))
    if not stop.is_set():
        out.print("The day is over. Everything stays as it is until Ctrl-C; the next start goes on from here.")
    await running
    out.print("Stopped. Start again to go on, or with --fresh to begin anew.")


def _demo_welcome(house: wiring.Demo) -> None:
    out.print(f"\nThe desk:     {house.service.desk_url}/sign-in/once", highlight=False, soft_wrap=True)
    for name, code in house.sign_ins.items():
        what = {"camille": "DPO", "alex": "analyst", "robin": "administrator"}[name]
        out.print(f"  sign in once as {name} ({what}) with the code [bold]{code}[/]", highlight=False)
    out.print(f"The mailbox:  {house.mailbox_url}", highlight=False)
    out.print(
        f"Its settings: {house.settings_file} (try: breachwatch verify -c {house.settings_file})\n", highlight=False
    )


async def _demo_play(house: wiring.Demo, stop: asyncio.Event, length: timedelta) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,} of {task.total:,} events"))
    with Progress(*columns, console=err, disable=not err.is_terminal) as progress:
        task = progress.add_task("a day at the shop", total=house.player.total, completed=house.player.written)
        await house.player.play(length, lambda count: progress.advance(task, count), stop)


async def _demo_headless(house: wiring.Demo) -> None:
    stop = asyncio.Event()
    running = asyncio.create_task(house.service.run(stop))
    began = now()
    try:
        await _demo_play(house, stop, timedelta(seconds=10))
        dpo = DemoDpo(
            house.service.desk_url,
            house.mailbox_url,
            lambda text: out.print(f"ok  {text}", highlight=False, soft_wrap=True),
        )
        await asyncio.to_thread(dpo.sign_in, house.sign_ins["camille"])
        incidents = await _until(dpo.incidents, began + timedelta(seconds=60))
        out.print(f"ok  {len(incidents)} incidents, {(now() - began).total_seconds():.0f} s after the first event")
        for incident_id in incidents.values():
            await asyncio.to_thread(dpo.handle, incident_id, now())
        told = await _until(dpo.delivered, now() + timedelta(seconds=120))
        out.print(f"ok  {told} notices arrived, one for each person, in English and French", highlight=False)
        await asyncio.to_thread(dpo.register)
    finally:
        stop.set()
        await running
    out.print("The demo ran to its end and showed what it should.")


async def _until(look: Callable[[], Found | Waited], until: datetime) -> Found:
    while isinstance(found := await asyncio.to_thread(look), Waited):
        if now() >= until:
            raise RefusedError(f"still waiting for {found.for_what}")
        await asyncio.sleep(0.3)
    return found


@app.command(
    epilog="Examples: `breachwatch replay auth.log --source linux-sshd` · "
    "`breachwatch replay access.log.gz --source web-access --json`"
)
def replay(
    files: Annotated[list[Path], typer.Argument(help="Log files, oldest first; .gz is read too.", metavar="FILE...")],
    source: Annotated[str, typer.Option("--source", "-s", help="How to read them, e.g. linux-sshd, web-access.")],
    as_json: JsonOption = False,
    playbooks: Annotated[Path | None, typer.Option(help="Playbooks folder; the shipped ones by default.")] = None,
    source_file: Annotated[list[Path] | None, typer.Option(help="Extra source definition (YAML).")] = None,
    timezone: Annotated[str, typer.Option(help="Zone of local times in the log (IANA name).")] = "UTC",
    reference: Annotated[
        str | None, typer.Option(help="RFC 3339 instant the log ends before: gives year-less times their year.")
    ] = None,
) -> None:
    """Try old logs against the playbooks and list the alerts; nothing live is touched."""
    missing = [path for path in files if not path.is_file()]
    if missing:
        raise ContentError([Problem(str(path), 0, 0, "no such file") for path in missing])
    try:
        at = parse_rfc3339(reference) if reference else now()
    except ValueError as error:
        raise typer.BadParameter(f"--reference: {error}") from error
    run = wiring.build_replay(
        source, playbooks=playbooks, source_files=source_file or [], timezone=timezone, reference=at
    )
    settle_memory()
    with _progress(sum(path.stat().st_size for path in files), "replaying") as advance:
        alerts, tally = run(files, advance)
    if as_json:
        for alert in alerts:
            sys.stdout.write(json.dumps(alert_line(alert), ensure_ascii=False) + "\n")
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
            _printable(alert.title),
            _printable(", ".join(f"{key}={value}" for key, value in alert.group.items())),
        )
    if not out.is_terminal:
        out.width = WIDE
    out.print(table)


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else "�" for char in text).replace("[", r"\[")


@contextmanager
def _progress(total_bytes: int, what: str) -> Iterator[wiring.Advance]:
    columns = (
        TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn()
    )  # fmt: skip
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task(what, total=total_bytes)
        yield lambda size: progress.advance(task, size)


@app.command(epilog="Example: `breachwatch check playbooks/`")
def check(
    folder: Annotated[Path, typer.Argument(help="A playbooks folder.")] = Path("playbooks"),
    source_file: Annotated[list[Path] | None, typer.Option(help="Extra source definition (YAML).")] = None,
    as_json: JsonOption = False,
) -> None:
    """Check playbooks, their rules, notices and cases; every problem with its file and line."""
    if not folder.is_dir():
        raise ContentError([Problem(str(folder), 0, 0, "no such folder")])
    problems, summary = wiring.check_playbooks(folder, source_file or [])
    for problem in problems:
        if as_json:
            fields = ("path", "line", "column", "message", "hint")
            sys.stdout.write(json.dumps({name: getattr(problem, name) for name in fields}, ensure_ascii=False) + "\n")
        else:
            out.print(str(problem), markup=False, highlight=False, soft_wrap=True)
    if problems:
        err.print(f"{len(problems)} problem{'s' if len(problems) > 1 else ''} in {folder}", highlight=False)
        raise typer.Exit(1)
    if not as_json:
        out.print(summary, highlight=False)


@app.command(epilog="Example: `breachwatch verify -c breachwatch.toml && echo unaltered`")
def verify(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Prove that no case file was changed since it was written; names the first broken fact of each incident."""
    store = wiring.open_store(read_settings(config), must_exist=True)
    broken = list(store.ledger.verify())
    incidents, facts = store.sizes()
    if as_json:
        sys.stdout.write(json.dumps({"incidents": incidents, "facts": facts, "broken": broken}) + "\n")
    elif not broken:
        out.print(f"{facts:,} facts of {incidents:,} incidents: every chain is whole.", highlight=False)
    for line in [] if as_json else broken:
        out.print(line, style="red", markup=False, highlight=False, soft_wrap=True)
    if broken:
        raise typer.Exit(1)


@member_app.command("add", epilog="Example: `breachwatch member add camille --role dpo`")
def member_add(
    name: Annotated[str, typer.Argument(help="Sign-in name.")],
    role: Annotated[list[str], typer.Option(help="analyst, dpo or admin; may be given more than once.")],
    display_name: Annotated[str, typer.Option(help="The name others see.")] = "",
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Add a member (or change roles) and print a one-time sign-in, good for one hour."""
    wrong = [one for one in role if one not in ("analyst", "dpo", "admin")]
    if wrong:
        raise typer.BadParameter(f"no role is called {wrong[0]!r}; choose from analyst, dpo, admin")
    settings = read_settings(config)
    roles = cast("list[Role]", role)
    code = wiring.add_member(settings, name, display_name or name, frozenset(roles), now(), timedelta(hours=1))
    _print_sign_in(settings, name, code)


@member_app.command("sign-in")
def member_sign_in(name: str, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Print a new one-time sign-in for a member, good for one hour; with it they can set a new password."""
    settings = read_settings(config)
    _print_sign_in(settings, name, wiring.offer_sign_in(settings, name, now(), timedelta(hours=1)))


@member_app.command("list")
def member_list(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """List the members."""
    members = wiring.open_store(read_settings(config), must_exist=True).team.members()
    if as_json:
        for one in members:
            line = {"name": one.name, "roles": sorted(one.roles), "active": one.active}
            sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
        return
    if not members:
        out.print("No members yet: breachwatch member add NAME --role dpo")
    for one in members:
        state = "" if one.active else " (inactive)"
        out.print(f"{one.name}: {', '.join(sorted(one.roles))}{state}", highlight=False, markup=False)


def _print_sign_in(settings: Settings, name: str, code: str) -> None:
    out.print(f"Sign in once as {name}: {settings.desk.url()}/sign-in/once", highlight=False, soft_wrap=True)
    out.print(f"with the code {code} (good until {rfc3339(now() + timedelta(hours=1))})", highlight=False)
