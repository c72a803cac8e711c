"""A ledger's schema comes up to date by being opened, whole or not at all, and only under its own keys."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from breachwatch.kernel.errors import ContentError, NotFoundError, TamperedError
from breachwatch.ledger.database import Database
from breachwatch.ledger.keys import Keys
from breachwatch.ledger.migrate import HEAD, MIGRATIONS
from breachwatch.ledger.schema import metadata
from breachwatch.ledger.store import Store, open_ledger

Open = Callable[..., Store]


def test_the_migrations_lead_to_the_tables_that_the_code_knows(store: Store) -> None:
    with store.database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_the_newest_migration_is_the_one_the_code_expects() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))

    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_opening_again_changes_nothing(open_store: Open, write: Any) -> None:
    write(open_store(), "in-1", "stays")
    again = open_store(must_exist=True)

    assert again.sizes() == (1, 1)
    assert list(again.ledger.verify()) == []


def test_many_who_open_a_new_ledger_at_once_make_one(open_store: Open, write: Any) -> None:
    with ThreadPoolExecutor(4) as pool:
        stores = list(pool.map(lambda _: open_store(), range(4)))

    for n, one in enumerate(stores):
        write(one, "in-1", f"through door {n}")
    assert stores[0].sizes() == (1, 4)
    assert list(stores[0].ledger.verify()) == []


def test_where_there_must_be_a_ledger_none_is_made(open_store: Open, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"there is no ledger at|is empty"):
        open_store(must_exist=True)
    assert list(tmp_path.glob("ledger.db*")) == []


def test_a_migration_that_fails_leaves_the_database_as_it_was(open_store: Open, store_url: str) -> None:
    database = Database(store_url, timedelta(seconds=5))
    with database.writing() as connection:
        connection.exec_driver_sql("CREATE TABLE sign_ins (in_the_way integer)")

    with pytest.raises(sa.exc.DBAPIError, match="sign_ins"):
        open_store()

    with database.reading() as connection:
        assert sa.inspect(connection).get_table_names() == ["sign_ins"]
    with database.writing() as connection:
        connection.exec_driver_sql("DROP TABLE sign_ins")
    assert open_store().sizes() == (0, 0)
    database.close()


def test_a_ledger_of_a_newer_version_is_left_alone(open_store: Open) -> None:
    with open_store().database.writing() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(ContentError, match=rf"written by a newer breachwatch \(schema 9999; this one knows {HEAD}\)"):
        open_store()


def test_a_ledger_opens_under_its_own_master_key_only(store: Store, store_url: str, fact_codec: Any) -> None:
    stranger = Keys(os.urandom(32), os.urandom(32))

    with pytest.raises(TamperedError, match=r"sealed with another master key; put the master\.key"):
        open_ledger(store_url, stranger, fact_codec)


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_the_file_of_a_ledger_is_for_its_owner_alone(store: Store, write: Any, tmp_path: Path) -> None:
    write(store, "in-1", "something")

    assert {path.stat().st_mode & 0o777 for path in tmp_path.glob("ledger.db*")} == {0o600}


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_sqlite_waits_for_the_disk_and_keeps_its_rules(store: Store) -> None:
    with store.database.writing() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
        }

    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1}
