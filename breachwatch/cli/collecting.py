"""`breachwatch collect`: the way into a cluster."""

from breachwatch import wiring
from breachwatch.cli.common import DEFAULT_CONFIG, ConfigOption, tell
from breachwatch.cli.logs import LogFormatOption
from breachwatch.cli.roles import run_process, settings_of
from breachwatch.cli.root import CLUSTER, app


@app.command(
    rich_help_panel=CLUSTER,
    epilog="Example: `breachwatch collect -c breachwatch.toml`, on every machine that has logs",
)
def collect(config: ConfigOption = DEFAULT_CONFIG, log_format: LogFormatOption = None) -> None:
    """Take records from the inputs and over HTTP, keep them on disk, and send them on to Kafka.

    What it took is safe while Kafka is away. It needs no key but its own, which it makes: nothing of the ledger.
    """
    process = wiring.build_collect(settings_of(config, None, log_format))
    tell(f"Records are taken at {process.at}/ingest/SOURCE")
    run_process(process)
