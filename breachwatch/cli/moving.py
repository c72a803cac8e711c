"""`breachwatch ledger`: the case files as a whole, moved from one machine to a server."""

from pathlib import Path
from typing import Annotated

import typer

from breachwatch import wiring
from breachwatch.cli.common import DEFAULT_CONFIG, ConfigOption, err, out
from breachwatch.cli.root import CHECK, app
from breachwatch.settings import read_settings

ledger_app = typer.Typer(help="The ledger as a whole; `breachwatch verify` proves it.", no_args_is_help=True)
app.add_typer(ledger_app, name="ledger", rich_help_panel=CHECK)


@ledger_app.command("move", epilog="Example: `breachwatch ledger move --to /etc/breachwatch/ledger.url`")
def ledger_move(
    to: Annotated[
        Path, typer.Option(help="A file that holds the URL of an empty PostgreSQL database.", metavar="URL_FILE")
    ],
    config: ConfigOption = DEFAULT_CONFIG,
    leave_behind: Annotated[
        bool, typer.Option("--leave-behind", help="Although records or alerts still wait in the spool.")
    ] = False,
) -> None:
    """Move the ledger from its file into PostgreSQL: all of it or nothing, proven before and after.

    Stop the service first. Both keys stay what and where they are. The old file is kept, out of use.
    """

    def told(table: str, rows: int) -> None:
        if rows:
            err.print(f"{rows:,} {table}", highlight=False)

    moved = wiring.move_ledger(read_settings(config), to, leave_behind=leave_behind, told=told)
    counts = moved.counts
    out.print(
        f"{counts['facts']:,} facts of {counts['heads']:,} incidents are in PostgreSQL: every chain is whole.",
        highlight=False,
        soft_wrap=True,
    )
    out.print(f"The old ledger is kept as {moved.kept}, out of use.", highlight=False, markup=False, soft_wrap=True)
    out.print(
        f'Now write into {config}, under [ledger]: url_file = "{to}"', highlight=False, markup=False, soft_wrap=True
    )
