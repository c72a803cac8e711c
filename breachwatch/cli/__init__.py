"""The commands of breachwatch. Exit codes: 0 done, 1 found or refused something, 2 wrong usage or bad input files.

One module a group of commands; importing it adds them to the program, and the order here is the order of `--help`.
"""

# isort: off
from breachwatch.cli.common import plain_errors
from breachwatch.cli.root import app
from breachwatch.cli import running as running
from breachwatch.cli import roles as roles
from breachwatch.cli import collecting as collecting
from breachwatch.cli import demo as demo
from breachwatch.cli import replaying as replaying
from breachwatch.cli import tuning as tuning
from breachwatch.cli import reading as reading
from breachwatch.cli import rules as rules
from breachwatch.cli import matching as matching
from breachwatch.cli import proposing as proposing
from breachwatch.cli import checking as checking
from breachwatch.cli import members as members
from breachwatch.cli import moving as moving
from breachwatch.cli import health as health
from breachwatch.cli import topics as topics
# isort: on

__all__ = ["app", "main"]


def main() -> None:
    """Entry point: errors become one plain message and an exit code, never a traceback."""
    with plain_errors():
        app()
