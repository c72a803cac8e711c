"""Trouble with the database is told in plain words, leaves nothing half-written, and is over when it is over."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from breachwatch.incidents.facts import NoteAttached
from breachwatch.kernel.errors import BreachwatchError, ContentError, TamperedError, UnavailableError
from breachwatch.kernel.facts import SYSTEM, Recorded
from breachwatch.kernel.ids import IncidentId
from breachwatch.ledger.database import Database
from breachwatch.ledger.keys import Keys
from breachwatch.ledger.store import Store, open_ledger

Write = Callable[..., list[Recorded]]
Open = Callable[..., Store]
HOME = IncidentId("in-1")
SOON = timedelta(milliseconds=150)


def long_text(n: int) -> str:
    return f"{n} " + "x" * 4_000


# ---------------------------------------------------------------------------------------------- locked


def test_who_finds_the_case_locked_waits_then_says_so(open_store: Open, write: Write) -> None:
    patient, hasty = open_store(), open_store(busy_timeout=SOON)
    write(patient, HOME, "before")

    with patient.ledger.begin() as tx:
        tx.facts(HOME)
        with pytest.raises(UnavailableError, match="is locked by another program; nothing was written, try again"):
            write(hasty, HOME, "too soon")
        tx.append(HOME, SYSTEM, tx.facts(HOME)[0].at, [NoteAttached("first")])
    write(hasty, HOME, "now it goes")

    assert [fact.body.text for fact in patient.ledger.facts(HOME)] == ["before", "first", "now it goes"]


def test_who_waits_long_enough_gets_in(store: Store, write: Write) -> None:
    write(store, HOME, "before")
    with store.ledger.begin() as tx:
        tx.facts(HOME)
        waiting = threading.Thread(target=write, args=(store, HOME, "waited"))
        waiting.start()
        tx.append(HOME, SYSTEM, tx.facts(HOME)[0].at, [NoteAttached("first")])
    waiting.join()

    assert [fact.body.text for fact in store.ledger.facts(HOME)] == ["before", "first", "waited"]


def test_reading_waits_for_nobody(open_store: Open, write: Write) -> None:
    store, hasty = open_store(), open_store(busy_timeout=SOON)
    write(store, HOME, "before")

    with store.ledger.begin() as tx:
        tx.append(HOME, SYSTEM, tx.facts(HOME)[0].at, [NoteAttached("not yet")])
        assert [fact.body.text for fact in hasty.ledger.facts(HOME)] == ["before"]
        assert list(hasty.ledger.verify()) == []


# ---------------------------------------------------------------------------------------------- full


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_a_full_disk_is_told_and_nothing_is_half_written(store: Store, write: Write) -> None:
    kept = [write(store, HOME, "before")[0].body.text]
    with _pages_at_most(store, 100), pytest.raises(UnavailableError, match="cannot grow: the disk is full"):
        _fill(store, write, kept)

    assert len(kept) > 5
    assert [fact.body.text for fact in store.ledger.facts(HOME)] == kept
    assert list(store.ledger.verify()) == []
    write(store, HOME, "there is room again")
    assert store.sizes() == (1, len(kept) + 1)


def _fill(store: Store, write: Write, kept: list[str]) -> None:
    for n in range(1_000):
        write(store, HOME, long_text(n))
        kept.append(long_text(n))


@contextmanager
def _pages_at_most(store: Store, pages: int) -> Iterator[None]:
    """Let the file grow no further, on every connection, until the end of the block."""
    engine = store.database.engine

    def bound(connection: Any, _record: object) -> None:
        connection.execute(f"PRAGMA max_page_count={pages}")

    engine.dispose()
    sa.event.listen(engine, "connect", bound)
    yield
    sa.event.remove(engine, "connect", bound)
    engine.dispose()


FILL = """
import resource, signal, sys
from pathlib import Path
from datetime import UTC, datetime
from breachwatch.incidents.facts import NoteAttached
from breachwatch.kernel.errors import UnavailableError
from breachwatch.kernel.facts import SYSTEM, Codec
from breachwatch.ledger.keys import open_keys
from breachwatch.ledger.store import open_ledger

url, state, size = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
store = open_ledger(url, open_keys(state), Codec([NoteAttached]))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
for n in range(10_000):
    try:
        with store.ledger.begin() as tx:
            tx.append("in-1", SYSTEM, datetime.now(UTC), [NoteAttached(f"{n} " + "x" * 4_000)])
    except UnavailableError as error:
        print(n, error)
        break
"""


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("size", [400_000, 1_000_000, 4_500_000])
def test_files_that_may_not_grow_lose_nothing_that_was_acknowledged(
    open_store: Open, keys: Keys, state_dir: Path, store_url: str, size: int
) -> None:
    """The operating system itself refuses to write: in the WAL, or in the database at a checkpoint."""
    done = subprocess.run(
        [sys.executable, "-c", FILL, store_url, state_dir, str(size)], capture_output=True, text=True, check=True
    )
    acknowledged, message = done.stdout.strip().split(" ", 1)

    assert "the disk may be full or failing; nothing was written, try again" in message
    store = open_store()
    assert [fact.body.text for fact in store.ledger.facts(HOME)] == [long_text(n) for n in range(int(acknowledged))]
    assert list(store.ledger.verify()) == []


# ---------------------------------------------------------------------------------------------- away


@pytest.fixture
def cut_off(postgresql_server: str) -> Callable[[Store], None]:
    """Ends every connection of a store, as a server that restarts does."""
    admin = sa.create_engine(postgresql_server, poolclass=sa.NullPool)

    def cut(store: Store) -> None:
        with admin.connect() as connection:
            query = sa.text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name")
            connection.execute(query, {"name": store.database.engine.url.database})

    return cut


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_a_server_that_goes_away_in_the_middle_is_told_and_found_again(
    store: Store, write: Write, cut_off: Callable[[Store], None]
) -> None:
    at = write(store, HOME, "before")[0].at

    with pytest.raises(UnavailableError, match=r"is (away|shutting down or starting); nothing was written, try again"):
        _write_while(store, at, lambda: cut_off(store))
    write(store, HOME, "it is back")

    assert [fact.body.text for fact in store.ledger.facts(HOME)] == ["before", "it is back"]
    assert list(store.ledger.verify()) == []


def _write_while(store: Store, at: Any, happens: Callable[[], None]) -> None:
    with store.ledger.begin() as tx:
        tx.append(HOME, SYSTEM, at, [NoteAttached("lost")])
        happens()
        tx.append(HOME, SYSTEM, at, [NoteAttached("lost too")])


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_connections_that_died_while_idle_are_not_noticed(
    store: Store, write: Write, cut_off: Callable[[Store], None]
) -> None:
    write(store, HOME, "before")
    cut_off(store)

    write(store, HOME, "after")
    assert store.sizes() == (1, 2)


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_a_server_that_has_become_read_only_is_told(store: Store, write: Write, postgresql_server: str) -> None:
    with sa.create_engine(postgresql_server, isolation_level="AUTOCOMMIT").connect() as admin:
        admin.exec_driver_sql(
            f"ALTER DATABASE {store.database.engine.url.database} SET default_transaction_read_only=on"
        )
    store.close()

    with pytest.raises(UnavailableError, match="is read-only; nothing was written"):
        write(store, HOME, "not now")
    assert store.sizes() == (0, 0)


def test_a_server_that_is_not_there_is_told_without_its_password(keys: Keys, fact_codec: Any) -> None:
    with pytest.raises(UnavailableError, match="is away") as caught:
        open_ledger("postgresql://breachwatch:hidden@127.0.0.1:1/ledger", keys, fact_codec)
    assert "hidden" not in str(caught.value)


# ---------------------------------------------------------------------------------------------- wrong


def test_a_file_that_is_no_database_is_told(keys: Keys, fact_codec: Any, tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"this was never a database" * 100)

    with pytest.raises(TamperedError, match="is damaged"):
        open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}", keys, fact_codec)


def test_a_folder_in_the_files_place_is_told(keys: Keys, fact_codec: Any, tmp_path: Path) -> None:
    (tmp_path / "ledger.db").mkdir()

    with pytest.raises(UnavailableError, match="cannot be opened"):
        open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}", keys, fact_codec)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("nonsense", "is not a database URL; sqlite:///PATH for a file"),
        ("mysql://example.org/x", "mysql is not supported; use sqlite:///PATH or postgresql://"),
        ("sqlite://", "names no file; a ledger in memory would keep nothing"),
        ("sqlite:///:memory:", "names no file"),
    ],
)
def test_an_address_that_cannot_be_used_comes_with_one_that_can(url: str, told: str) -> None:
    with pytest.raises(ContentError, match=told):
        Database(url, SOON)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_postgresql_may_be_written_in_every_usual_way(scheme: str) -> None:
    database = Database(f"{scheme}://user:hidden@db.example.org/ledger", SOON)

    assert not database.is_sqlite
    assert database.name == "the ledger postgresql+psycopg://user:***@db.example.org/ledger"


def test_a_mistake_of_ours_is_not_dressed_up_as_trouble(store: Store) -> None:
    with pytest.raises(sa.exc.DBAPIError) as caught, store.database.writing() as connection:
        connection.exec_driver_sql("SELECT nothing FROM nowhere")
    assert not isinstance(caught.value, BreachwatchError)


def test_all_who_share_a_server_share_its_clock(store: Any, store_url: str, clock: Any) -> None:
    agreed = store.database.clock(clock)
    if store_url.startswith("sqlite"):
        assert agreed is clock, "whoever has a file has it alone"
        return
    first, second = agreed(), agreed()
    assert first.utcoffset() == timedelta(0)
    assert first <= second
    assert abs(second - datetime.now(UTC)) < timedelta(minutes=5)
