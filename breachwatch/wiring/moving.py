"""Moving a ledger out of its file into PostgreSQL, for who goes from one machine to many."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from breachwatch.engines.embedded.spool import Spool
from breachwatch.kernel.errors import RefusedError, UnavailableError
from breachwatch.ledger.chain import Seals
from breachwatch.ledger.database import MOVED
from breachwatch.ledger.keys import Keys, open_keys
from breachwatch.ledger.moving import Told, move
from breachwatch.ledger.store import open_ledger
from breachwatch.pipeline.case import codec, derived
from breachwatch.settings import Settings, read_secret
from breachwatch.wiring.stores import store_with


@dataclass(frozen=True, slots=True)
class Moved:
    """What was moved: table to rows. `kept`: where the old file lies from now on, out of use."""

    counts: Mapping[str, int]
    kept: Path


def move_ledger(
    settings: Settings, to: Path, *, leave_behind: bool = False, told: Told = lambda _table, _rows: None
) -> Moved:
    """Move the ledger that the settings name into the database whose URL a file holds.

    Args:
        settings: as they are before the move.
        to: the file with the URL.
        leave_behind: even if records wait in the spool that were not matched yet, or alerts that were not taken.
        told: how far it has come.

    Raises:
        RefusedError: the service runs, something still waits, the target is in use, or is no PostgreSQL.
        NotFoundError: there is no ledger.
        TamperedError: a chain is not what was written.
        UnavailableError: a database is away.
    """
    url, keys = read_secret(to), open_keys(settings.state_dir, must_exist=True)
    with ExitStack() as opened:
        nothing_waits(settings, keys, opened, None if leave_behind else ", or leave them behind with --leave-behind")
        source = store_with(settings, keys, must_exist=True)
        opened.callback(source.close)
        if not source.database.is_sqlite:
            raise RefusedError(f"{source.database.name} is on a server already; move it with its own tools (pg_dump)")
        target = open_ledger(url, keys, codec(), derived)
        opened.callback(target.close)
        counts = move(source.database, target.database, Seals.under(keys), codec(), derived, told)
        with source.database.outside_transactions() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        old = Path(source.database.engine.url.database or "")
        source.close()
        return Moved(counts, _put_away(old))


def nothing_waits(settings: Settings, keys: Keys, opened: ExitStack, otherwise: str | None = "") -> None:
    """Hold the embedded engine's spool, so that its service cannot start, and look whether all in it was worked off.

    Args:
        settings: name the state folder; where there is no spool in it, nothing is done.
        keys: of the ledger.
        opened: gives the spool back.
        otherwise: ends the message when something waits, with what else may be done; None: do not look.

    Raises:
        RefusedError: the service runs, or something waits.
    """
    file = settings.state_dir / "spool.sqlite"
    if not file.exists():
        return
    try:
        spool = Spool(file, keys.derive("spool"))
    except UnavailableError as error:
        raise RefusedError(f"stop the service first, so that nothing is written meanwhile ({error})") from error
    opened.callback(spool.close)
    backlog = spool.backlog()
    if (backlog.chunks or backlog.alerts) and otherwise is not None:
        waits = f"{backlog.chunks:,} chunks of records and {backlog.alerts:,} alerts"
        raise RefusedError(
            f"{waits} still wait in the spool of the embedded engine, and do not move: "
            f"run `breachwatch up` until its status page shows none{otherwise}"
        )


def _put_away(file: Path) -> Path:
    """Out of use, but not gone: whoever starts with the old settings is told, and begins no second ledger."""
    kept = file.with_name(file.name + MOVED)
    for ending in ("-wal", "-shm"):
        beside = file.with_name(file.name + ending)
        if beside.exists():
            beside.rename(kept.with_name(kept.name + ending))
    file.rename(kept)
    return kept
