"""The processes of a cluster, one command each: `worker`, `clock`, `courier`, `console`; and the keys they share."""

import asyncio
import signal
from pathlib import Path
from typing import Annotated

import typer

from breachwatch import wiring
from breachwatch.cli.common import DEFAULT_CONFIG, ConfigOption, log_to_stderr, out, tell
from breachwatch.cli.logs import LogFormat, LogFormatOption
from breachwatch.cli.root import CLUSTER, app
from breachwatch.engines.memory import settle_memory
from breachwatch.engines.supervising import end_with_parent
from breachwatch.settings import Settings, read_settings
from breachwatch.settings.observe import MOST_OF_A_ROLE

NumberOption = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=MOST_OF_A_ROLE - 1,
        help="Which of several processes of this role on this machine: gives it a port of its own for its health.",
        show_default=False,
    ),
]


@app.command(
    rich_help_panel=CLUSTER,
    epilog="Examples: `breachwatch worker -c breachwatch.toml` · a second one here: `breachwatch worker --number 1`",
)
def worker(
    config: ConfigOption = DEFAULT_CONFIG, number: NumberOption = None, log_format: LogFormatOption = None
) -> None:
    """Match and correlate what is in Kafka; as many as you like share its partitions.

    Of all secrets it needs `pseudonym.key` in the state folder and the way to the brokers: no ledger, no mail.
    Exit code 75: it stood still although something waited, and wants to be started again.
    """
    run_process(wiring.build_worker(settings_of(config, number, log_format)))


@app.command(
    rich_help_panel=CLUSTER,
    epilog="Examples: `breachwatch clock -c breachwatch.toml` · a second one here: `breachwatch clock --number 1`",
)
def clock(
    config: ConfigOption = DEFAULT_CONFIG, number: NumberOption = None, log_format: LogFormatOption = None
) -> None:
    """Take alerts into case files, ring their clocks, look people up; as many as you like share the work.

    It needs both keys, the ledger and the brokers, but no mail relay.
    """
    run_process(wiring.build_clock(settings_of(config, number, log_format)))


@app.command(
    rich_help_panel=CLUSTER,
    epilog="Examples: `breachwatch courier -c breachwatch.toml` · a second one here: `breachwatch courier --number 1`",
)
def courier(
    config: ConfigOption = DEFAULT_CONFIG, number: NumberOption = None, log_format: LogFormatOption = None
) -> None:
    """Send the mails that wait in the ledger; as many as you like share them, and each mail goes once.

    It needs `master.key`, the ledger and the relay, but neither the pseudonym key nor the brokers.
    """
    run_process(wiring.build_courier(settings_of(config, number, log_format)))


@app.command(
    rich_help_panel=CLUSTER,
    epilog="Example: `breachwatch console -c breachwatch.toml`; another machine may run one, too",
)
def console(
    config: ConfigOption = DEFAULT_CONFIG, number: NumberOption = None, log_format: LogFormatOption = None
) -> None:
    """Serve the desk. It takes no records; those go to `breachwatch collect`.

    It needs `master.key`, the ledger, and the brokers for its status page; while they are away it works on.
    """
    process = wiring.build_console(settings_of(config, number, log_format))
    tell(f"The desk is at {process.at}")
    run_process(process)


@app.command(
    rich_help_panel=CLUSTER,
    epilog="Example: `breachwatch keys -c breachwatch.toml`, then copy each key to where it is needed",
)
def keys(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Make the two secret keys in the state folder, if they are not there yet, and tell who needs which.

    Every machine of a cluster needs the same ones. Keep a copy of both, apart from copies of the ledger.
    """
    for path, who in wiring.make_keys(read_settings(config)):
        out.print(f"{path}: for {who}", highlight=False, markup=False, soft_wrap=True)


def settings_of(config: Path, number: int | None, log_format: LogFormat | None) -> Settings:
    """Settings as the options of a role change them; log lines go where and how they say from then on."""
    log_to_stderr(form=log_format)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # it asks for new rules, also before anybody listens for it
    settings = read_settings(config)
    if number is not None:
        observing = settings.observe.model_copy(update={"number": number})
        settings = settings.model_copy(update={"observe": observing})
    log_to_stderr(form=log_format or settings.observe.log_format)
    return settings


def run_process(process: "wiring.Process") -> None:
    """Run a process until SIGTERM or Ctrl-C."""
    settle_memory()
    end_with_parent()
    asyncio.run(process.run_until_signal())
