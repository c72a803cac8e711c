"""The whole of the case plane's memory, opened: ledger, vault, outbox, team and leases over one database."""

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from breachwatch.kernel.facts import Codec
from breachwatch.kernel.ports import Derive, Leases, Ledger, OutboxStore, Team, Vault, Waypoint, passing
from breachwatch.ledger.chain import Seals
from breachwatch.ledger.database import Database
from breachwatch.ledger.keys import MasterKey
from breachwatch.ledger.leases import SqlLeases
from breachwatch.ledger.ledger import SqlLedger
from breachwatch.ledger.migrate import bring_up_to_date, check_keys
from breachwatch.ledger.outbox import SqlOutbox
from breachwatch.ledger.team import SqlTeam
from breachwatch.ledger.vault import SqlVault


@dataclass(frozen=True, slots=True)
class Store:
    """What `open_ledger` gives: five doors to one database. All may be used from any thread."""

    ledger: SqlLedger
    vault: SqlVault
    outbox: SqlOutbox
    team: SqlTeam
    leases: SqlLeases
    database: Database

    def sizes(self) -> tuple[int, int]:
        """(incidents, facts) in the ledger."""
        return self.ledger.sizes()

    def close(self) -> None:
        """Give back every connection; what is opened from here on gets a new one."""
        self.database.close()


def open_ledger(
    url: str,
    keys: MasterKey,
    codec: Codec,
    derive: Derive | None = None,
    *,
    must_exist: bool = False,
    busy_timeout: timedelta = timedelta(seconds=5),
    waypoint: Waypoint = passing,
) -> Store:
    """Open the ledger at an SQLAlchemy URL (`sqlite:///PATH`, `postgresql://...`), its schema brought up to date.

    `derive`: by which `verify` also proves what lies beside the case files.
    `busy_timeout`: how long a write waits for others before it gives up. `waypoint` is told `ledger:before-commit`
    and `ledger:after-commit` in each transaction of the ledger.

    Raises:
        ContentError: the URL is not one of those, or a newer breachwatch wrote this ledger.
        NotFoundError: `must_exist`, and there is no ledger.
        UnavailableError: the database is locked, full or away.
        TamperedError: the ledger was sealed with another master key, or the file is damaged.
    """
    database = Database(url, busy_timeout, must_exist=must_exist)
    seals = Seals.under(keys)
    try:
        bring_up_to_date(database, must_exist=must_exist)
        check_keys(database, keys, seals)
    except BaseException:
        database.close()
        raise
    return Store(
        ledger=SqlLedger(database, seals, codec, waypoint, derive),
        vault=SqlVault(database, keys),
        outbox=SqlOutbox(database),
        team=SqlTeam(database, keys),
        leases=SqlLeases(database),
        database=database,
    )


if TYPE_CHECKING:

    def _keeps_the_ports(store: Store) -> tuple[Ledger, Vault, OutboxStore, Team, Leases]:
        return store.ledger, store.vault, store.outbox, store.team, store.leases
