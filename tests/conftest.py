"""What every test may ask for: a clock it holds, keys, and a ledger in SQLite and in PostgreSQL."""

import fcntl
import itertools
import os
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
import sqlalchemy as sa
from xdist.scheduler import LoadScopeScheduling

ROOT = Path(__file__).parents[1]
CACHE = ROOT / ".cache"
STARTED_BY_TESTS = CACHE / "postgres.started-by-tests"


class Clock:
    """Time as the test says it is: `clock()` or `clock.now()` reads it, `clock.advance(timedelta)` moves it."""

    def __init__(self, at: datetime = datetime(2026, 3, 27, 17, tzinfo=UTC)) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def __call__(self) -> datetime:
        return self.at

    def advance(self, by: timedelta) -> datetime:
        self.at += by
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


# ---------------------------------------------------------------------------------------------- workers


class _Workers(LoadScopeScheduling):
    """Each test goes to whoever is free; those of one file that share a running demo and a browser stay together."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid.partition("::")[0] if nodeid.startswith("tests/browser/") else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """In place of `--dist`: the groups of `loadgroup` are not found by pytest-xdist 3.8 with pytest 9."""
    return _Workers(config, log)


# ---------------------------------------------------------------------------------------------- PostgreSQL


def _script(command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([ROOT / "script/postgres", command], capture_output=True, text=True, check=False, timeout=280)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """The URL of a running server. Whoever comes first starts it, whoever is last to leave stops it again."""
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "postgres.users").open("w") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        was_running = _script("running").returncode == 0
        started = _script("start")
        if started.returncode:
            pytest.fail(f"PostgreSQL could not be started:\n{started.stderr}", pytrace=False)
        if not was_running:
            STARTED_BY_TESTS.touch()
        yield started.stdout.strip()
        fcntl.flock(users, fcntl.LOCK_UN)
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        if STARTED_BY_TESTS.exists():
            STARTED_BY_TESTS.unlink()
            _script("stop")


class Databases:
    """Makes empty databases on one server. Their names hold the process, so that workers do not meet."""

    def __init__(self, server: str) -> None:
        self._server = sa.make_url(server)
        self._engine = sa.create_engine(self._server, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        self._names = (f"breachwatch_{os.getpid()}_{number}" for number in itertools.count(1))

    def make(self) -> str:
        name = next(self._names)
        self._run(f"CREATE DATABASE {name}")
        return self._server.set(database=name).render_as_string(hide_password=False)

    def drop(self, url: str) -> None:
        self._run(f"DROP DATABASE {sa.make_url(url).database} WITH (FORCE)")

    def _run(self, statement: str) -> None:
        with self._engine.connect() as connection:
            connection.exec_driver_sql(statement)


@pytest.fixture(scope="session")
def postgresql_databases(postgresql_server: str) -> Databases:
    return Databases(postgresql_server)


@pytest.fixture
def postgresql_url(postgresql_databases: Databases) -> Iterator[str]:
    """An empty database of this test alone."""
    url = postgresql_databases.make()
    yield url
    postgresql_databases.drop(url)


# ---------------------------------------------------------------------------------------------- the ledger


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'ledger.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest) -> str:
    """A place for a ledger that does not exist yet, once in each database."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def keys(state_dir: Path) -> Any:
    from breachwatch.ledger.keys import open_keys

    return open_keys(state_dir)


@pytest.fixture(scope="session")
def fact_codec() -> Any:
    """Reads every fact of every room."""
    from breachwatch.assessment import facts as assessment
    from breachwatch.clocks import facts as clocks
    from breachwatch.filings import facts as filings
    from breachwatch.incidents import facts as incidents
    from breachwatch.kernel.facts import Codec
    from breachwatch.notices import facts as notices
    from breachwatch.subjects import facts as subjects

    rooms: tuple[Any, ...] = (assessment, clocks, filings, incidents, notices, subjects)
    return Codec(kind for room in rooms for kind in get_args(room.Said))


@pytest.fixture
def open_store(store_url: str, keys: Any, fact_codec: Any) -> Iterator[Callable[..., Any]]:
    """Opens the ledger (again); everything that was opened is closed after the test."""
    from breachwatch.ledger.store import open_ledger

    opened: list[Any] = []

    def opener(**options: Any) -> Any:
        opened.append(open_ledger(store_url, keys, fact_codec, **options))
        return opened[-1]

    yield opener
    for one in opened:
        one.close()


@pytest.fixture
def store(open_store: Callable[..., Any]) -> Any:
    """An open ledger."""
    return open_store()
