"""`breachwatch init` and `breachwatch up`: the service on this machine."""

import asyncio
import signal
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.filesize import decimal

from breachwatch import wiring
from breachwatch.cli.common import DEFAULT_CONFIG, ConfigOption, log_to_stderr, out, tell
from breachwatch.cli.logs import LogFormat, LogFormatOption
from breachwatch.cli.root import RUN, app
from breachwatch.engines.memory import settle_memory
from breachwatch.settings import Settings, read_settings, write_example
from breachwatch.settings.observe import MOST_OF_A_ROLE


@app.command(
    rich_help_panel=RUN, epilog="Example: `breachwatch init` · `breachwatch init -c /etc/breachwatch/breachwatch.toml`"
)
def init(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Write an example of the settings file, with remarks; a file that is there already is left as it is."""
    write_example(config)
    out.print(
        f"{config} is written: put your organisation and your mail relay in, then: breachwatch up -c {config}",
        highlight=False,
        soft_wrap=True,
    )


@app.command(
    rich_help_panel=RUN,
    epilog="Example: `breachwatch up -c breachwatch.toml` · `breachwatch up --engine kafka --workers 2`",
)
def up(
    config: ConfigOption = DEFAULT_CONFIG,
    engine: Annotated[
        Literal["embedded", "kafka"], typer.Option(help="What carries the streams; kafka: a process a role.")
    ] = "embedded",
    workers: Annotated[
        int, typer.Option(min=1, max=MOST_OF_A_ROLE, help="With kafka: how many processes match and correlate.")
    ] = 1,
    log_format: LogFormatOption = None,
) -> None:
    """Run everything on this machine: collectors, detection, clocks, desk and couriers. Ctrl-C ends it cleanly.

    With `--engine kafka` it is a tree of processes, those that `breachwatch worker`, `clock`, `courier`, `console` and
    `collect` are; one that dies is started again.
    """
    log_to_stderr(form=log_format)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # it asks for new rules, also before anybody listens for it
    settings = read_settings(config)
    log_to_stderr(form=log_format or settings.observe.log_format)
    if engine == "kafka":
        _up_with_kafka(settings, config, workers, log_format)
        return
    service = wiring.build_service(settings)
    tell(f"The desk is at {service.desk_url}")
    files, size = service.first_read
    if files:
        what = f"{files:,} file{'s' if files > 1 else ''} of log ({decimal(size)})"
        told = f'First {what} will be read from the beginning; start = "end" in an input passes over what is there.'
        tell(told)
    if not service.team.members():
        _tell_how_to_sign_in(config)
    settle_memory()
    asyncio.run(service.run_until_signal())


def _up_with_kafka(settings: Settings, config: Path, workers: int, log_format: LogFormat | None) -> None:
    tree = wiring.build_tree(settings, config, workers=workers, log_format=log_format or "")
    for made in tree.topics.made:
        tell(f"Made the topic {made.topic.name}.")
    if any(one.cure != "create" for one in tree.topics.left):
        tell("Some topics are not as described: breachwatch topics diff tells which.")
    if not tree.anybody:
        _tell_how_to_sign_in(config)
    asyncio.run(tree.process.run_until_signal())


def _tell_how_to_sign_in(config: Path) -> None:
    tell(f"Nobody may sign in yet. In another terminal: breachwatch member add NAME --role dpo --config {config}")
