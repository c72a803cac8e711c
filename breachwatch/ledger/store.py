"""The whole of the case plane's memory, opened: ledger, vault, outbox and team over one database."""

from dataclasses import dataclass
from datetime import timedelta

from breachwatch.kernel.facts import Codec
from breachwatch.kernel.ports import Ledger, OutboxStore, Team, Vault, Waypoint, passing
from breachwatch.ledger.keys import Keys


@dataclass(frozen=True, slots=True)
class Store:
    """What `open_ledger` gives: four doors to one database."""

    ledger: Ledger
    vault: Vault
    outbox: OutboxStore
    team: Team

    def sizes(self) -> tuple[int, int]:
        """(incidents, facts) in the ledger."""
        raise NotImplementedError

    def close(self) -> None:
        """Give back every connection."""
        raise NotImplementedError


def open_ledger(
    url: str,
    keys: Keys,
    codec: Codec,
    *,
    must_exist: bool = False,
    busy_timeout: timedelta = timedelta(seconds=5),
    waypoint: Waypoint = passing,
) -> Store:
    """Open the ledger at an SQLAlchemy URL, bringing its schema up to date.

    Raises:
        NotFoundError: `must_exist`, and there is no ledger.
        UnavailableError: the database is locked, full or away.
        TamperedError: the ledger was sealed with another master key.
    """
    raise NotImplementedError
