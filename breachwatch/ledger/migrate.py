"""Bringing a ledger's schema up to date when it is opened, and checking that it is opened with its own keys."""

import hmac
from pathlib import Path

import sqlalchemy as sa

from breachwatch.kernel.errors import ContentError, NotFoundError, Problem, TamperedError
from breachwatch.ledger.chain import Seals, Total, same
from breachwatch.ledger.database import Database
from breachwatch.ledger.keys import MasterKey
from breachwatch.ledger.schema import heads, totals

HEAD = "0002"
"""The newest revision in `migrations/versions`; a test holds both together."""
MIGRATIONS = Path(__file__).parent / "migrations"
_VERSION = sa.table("alembic_version", sa.column("version_num", sa.Text()))


def bring_up_to_date(database: Database, *, must_exist: bool) -> None:
    """Run the migrations that this ledger has not seen, all of them or none; cheap when there are none.

    Raises:
        NotFoundError: `must_exist`, and the database holds no ledger.
        ContentError: a newer breachwatch wrote this ledger.
    """
    with database.reading() as connection:
        found = _revision(connection)
    if found == HEAD:
        return
    if found is None and must_exist:
        raise NotFoundError(f"{database.name} is empty")
    with database.writing() as connection:
        database.lock_name(connection, "migrations")
        _upgrade(database, connection)


def _revision(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table(_VERSION.name):
        return None
    found: str | None = connection.scalar(sa.select(_VERSION.c.version_num))
    return found


def _upgrade(database: Database, connection: sa.Connection) -> None:
    from alembic import command  # noqa: PLC0415 - takes a while to load, and is seldom needed
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util.exc import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        found = _revision(connection)
        message = f"was written by a newer breachwatch (schema {found}; this one knows {HEAD})"
        raise ContentError(
            [Problem(database.name, 0, 0, message, "open it with that version or a later one")]
        ) from error


def check_keys(database: Database, keys: MasterKey, seals: Seals) -> None:
    """Compare the ledger's mark with the master key; a new ledger gets its mark and its first seal.

    Raises:
        TamperedError: the ledger was sealed with another master key.
    """
    mark = hmac.digest(keys.derive("mark-ledger"), b"this is the key", "sha256").hex()
    with database.reading() as connection:
        found = connection.scalar(sa.select(totals.c.key_check))
    if found is None:
        found = _first_seal(database, seals, mark)
    if not same(found, mark):
        raise TamperedError(
            f"{database.name} was sealed with another master key; "
            "put the master.key it was made with back in the state folder"
        )


def _first_seal(database: Database, seals: Seals, mark: str) -> str:
    with database.writing() as connection:
        used = connection.scalar(sa.select(sa.func.count()).select_from(heads))
        insert = database.insert(totals).values(
            id=1, incidents=0, facts=0, sum="0", mac=seals.total(Total(whole=not used)), key_check=mark
        )
        connection.execute(insert.on_conflict_do_nothing())
        found: str | None = connection.scalar(sa.select(totals.c.key_check))
        return found or ""
