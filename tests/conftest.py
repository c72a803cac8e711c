"""What every test may ask for: a clock it holds, keys, a ledger in SQLite and in PostgreSQL, and Apache Kafka."""

import asyncio
import fcntl
import itertools
import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any, get_args

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


# ---------------------------------------------------------------------------------------------- Apache Kafka


class Kafka:
    """A broker that answers at `bootstrap`. Everyone who uses it keeps to a `prefix()` of their own."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap

    def prefix(self) -> str:
        """A start for names of topics, groups and transactions that nobody else has, now or in another run."""
        return f"t{secrets.token_hex(5)}"

    def forget(self, prefix: str) -> None:
        """Delete the topics that begin so: a broker with thousands of them grows slow."""

        async def delete() -> None:
            from aiokafka.admin import AIOKafkaAdminClient

            admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
            await admin.start()
            try:
                await admin.delete_topics([name for name in await admin.list_topics() if name.startswith(prefix)])
            finally:
                await admin.close()

        loop = asyncio.new_event_loop()
        try:
            loop.run_until_complete(delete())
        finally:
            loop.close()


class OwnKafka(Kafka):
    """Nodes that a test may do anything to. `node` is 1 to 3; without it all of them are meant."""

    def __init__(self, folder: Path, nodes: int, *options: str) -> None:
        self.folder = folder
        self.nodes = range(1, nodes + 1)
        self._options = ("--nodes", str(nodes), "--folder", str(folder), *options)
        super().__init__("")
        self.start()

    def start(self) -> None:
        """Every node that is down; returns when they answer."""
        self.bootstrap = _kafka("start", *self._options)

    def stop(self) -> None:
        """The orderly way, as at a shutdown of the machine."""
        self.thaw()
        _kafka("stop", "--folder", str(self.folder))

    def kill(self, node: int | None = None) -> None:
        """`kill -9`: what was in its memory is lost."""
        self._signal(signal.SIGKILL, node)
        for pid in self._pids(node):
            while _alive(pid):
                os.sched_yield()

    def freeze(self, node: int | None = None) -> None:
        """It keeps its connections and its port, and answers nothing: a network that has parted."""
        self._signal(signal.SIGSTOP, node)

    def thaw(self, node: int | None = None) -> None:
        self._signal(signal.SIGCONT, node)

    def log(self, node: int = 1) -> str:
        """What the node has said since its last start."""
        return (self.folder / str(node) / "log").read_text()

    def _pids(self, node: int | None) -> list[int]:
        files = [self.folder / str(one) / "pid" for one in ([node] if node else self.nodes)]
        return [int(file.read_text()) for file in files if file.exists()]

    def _signal(self, number: int, node: int | None) -> None:
        for pid in self._pids(node):
            if _alive(pid):
                os.kill(pid, number)


def _alive(pid: int) -> bool:
    try:
        return "kafka.Kafka" in Path(f"/proc/{pid}/cmdline").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def _kafka(*arguments: str) -> str:
    """What script/kafka prints; when no broker can be had the test fails and says why."""
    done = subprocess.run([ROOT / "script/kafka", *arguments], capture_output=True, text=True, check=False, timeout=280)
    if done.returncode:
        pytest.fail(f"Apache Kafka could not {arguments[0]}:\n{done.stderr}", pytrace=False)
    return done.stdout.strip()


@pytest.fixture(scope="session")
def kafka() -> Iterator[Kafka]:
    """One broker for the whole run. Whoever comes first starts it anew, whoever is last to leave stops it.

    BREACHWATCH_TEST_KAFKA=host:port names another one to use.
    """
    if given := os.environ.get("BREACHWATCH_TEST_KAFKA"):
        yield Kafka(given)
        return
    folder = CACHE / "kafka" / "tests"
    folder.mkdir(parents=True, exist_ok=True)

    def end() -> None:
        _kafka("stop", "--folder", str(folder))
        shutil.rmtree(folder)

    with (CACHE / "kafka" / "users").open("w") as users:
        if _alone_with(users):
            end()
        fcntl.flock(users, fcntl.LOCK_SH)
        yield Kafka(_kafka("start", "--folder", str(folder)))
        fcntl.flock(users, fcntl.LOCK_UN)
        if _alone_with(users):
            end()


def _alone_with(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@pytest.fixture
def kafka_prefix(kafka: Kafka) -> Iterator[str]:
    """A prefix of this test alone on the shared broker; its topics are deleted after the test."""
    prefix = kafka.prefix()
    yield prefix
    kafka.forget(prefix)


@pytest.fixture(scope="session")
def start_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., OwnKafka]]:
    """`start_kafka(nodes, *options)`: a broker of one's own until the end of the run. `prepare(folder)` comes first."""
    made: list[OwnKafka] = []

    def start(nodes: int = 1, *options: str, prepare: Callable[[Path], None] | None = None) -> OwnKafka:
        folder = tmp_path_factory.mktemp("kafka")
        if prepare:
            prepare(folder)
        made.append(OwnKafka(folder, nodes, *options))
        return made[-1]

    yield start
    for one in made:
        one.thaw()
        one.kill()
        shutil.rmtree(one.folder)


@pytest.fixture(scope="session")
def _one_kafka(start_kafka: Callable[..., OwnKafka]) -> OwnKafka:
    return start_kafka(1)


@pytest.fixture(scope="session")
def _three_kafkas(start_kafka: Callable[..., OwnKafka]) -> OwnKafka:
    return start_kafka(3)


@pytest.fixture
def own_kafka(_one_kafka: OwnKafka) -> Iterator[OwnKafka]:
    """A single node that this test may stop, kill and freeze; it is well again for the next one."""
    yield _one_kafka
    _one_kafka.thaw()
    _one_kafka.start()


@pytest.fixture
def three_kafkas(_three_kafkas: OwnKafka) -> Iterator[OwnKafka]:
    """Three nodes that keep each record three times; this test may stop, kill and freeze any of them."""
    yield _three_kafkas
    _three_kafkas.thaw()
    _three_kafkas.start()


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
