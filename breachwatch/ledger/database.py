"""One database behind one engine: how it is opened, begun, locked, and how its trouble is told in plain words."""

import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from breachwatch.kernel.errors import (
    BreachwatchError,
    ContentError,
    NotFoundError,
    Problem,
    RefusedError,
    TamperedError,
    UnavailableError,
)

MOVED = ".moved"
"""Ends the name of a file whose ledger lives elsewhere now."""

_WRITES = "breachwatch_writes"
_STANDSTILL_MS = 60_000
_SERVER_TIME = sa.select(sa.func.clock_timestamp(type_=sa.DateTime(timezone=True)))
_POSTGRESQL_NAMES = ("postgres", "postgresql", "postgresql+psycopg")
_SQLITE_TROUBLE = {
    "SQLITE_BUSY": "is locked by another program",
    "SQLITE_LOCKED": "is locked by another program",
    "SQLITE_PROTOCOL": "is locked by another program",
    "SQLITE_FULL": "cannot grow: the disk is full",
    "SQLITE_IOERR": "cannot be read or written; the disk may be full or failing",
    "SQLITE_READONLY": "is read-only",
    "SQLITE_CANTOPEN": "cannot be opened",
    "SQLITE_NOMEM": "has no memory left to work with",
}
_POSTGRESQL_TROUBLE = {
    "08": "is away",
    "25006": "is read-only",
    "28": "refuses this user or password",
    "3D": "does not exist on the server",
    "40": "was wanted by others at the same moment",
    "53": "has no room or connection left",
    "55P03": "is locked by another program",
    "57014": "is locked or took too long",
    "57P": "is shutting down or starting",
    "58": "reports trouble with its disk",
}
_POSTGRESQL_REFUSALS = {  # by their words, since there is no code before a connection stands
    "password authentication failed": "refuses this user or password; put them right in the URL of the ledger",
    "no password supplied": "wants a password; write it into the URL of the ledger",
    "certificate verify failed": "shows a certificate that we do not trust; name its authority's by sslrootcert",
    "does not match host name": "shows a certificate for another name; write the name that it bears into the URL",
    "root certificate file": "cannot be verified; sslrootcert must name the certificate of its authority",
    "does not support SSL": "does not speak TLS; turn it on there (ssl = on)",
    "no encryption": "wants TLS; add sslmode=verify-full and sslrootcert=FILE to the URL",
    "valid client certificate": "wants a certificate of ours; add sslcert=FILE and sslkey=FILE to the URL",
}


class Database:
    """An engine for SQLite or PostgreSQL with two ways in: `reading` and `writing`.

    Attributes:
        name: what it is called in messages; never holds a password.
        is_sqlite: which of the two it is.
    """

    def __init__(self, url: str, busy_timeout: timedelta, *, must_exist: bool = False) -> None:
        target = _target(url)
        self.is_sqlite = target.get_backend_name() == "sqlite"
        self.name = f"the ledger {target.database if self.is_sqlite else target.render_as_string()}"
        if self.is_sqlite:
            _prepare_file(Path(target.database or ""), must_exist)
        self.engine = _sqlite(target, busy_timeout) if self.is_sqlite else _postgresql(target, busy_timeout)

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A consistent view of the whole ledger at one moment, which waits for nobody.

        Raises:
            UnavailableError: the database is away.
        """
        isolation = {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ"}
        with self._plainly(), self.engine.connect().execution_options(**isolation) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """One unit of work: durable after the block, or undone with it.

        Raises:
            UnavailableError: the database is locked, full, read-only or away; nothing was written.
        """
        with (
            self._plainly(),
            self.engine.connect().execution_options(**{_WRITES: True}) as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def outside_transactions(self) -> Iterator[sa.Connection]:
        """For the few statements that must run by themselves, such as VACUUM."""
        with self._plainly(), self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            yield connection

    def insert(self, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
        """An INSERT that can say what to do on conflict; both dialects spell it alike."""
        return sqlite.insert(table) if self.is_sqlite else postgresql.insert(table)

    def lock_name(self, connection: sa.Connection, *name: str) -> None:
        """Hold a name until the transaction ends, so that two do not create one thing; SQLite writers are alone."""
        if not self.is_sqlite:
            digest = hashlib.sha256("\0".join(name).encode("utf-8", "surrogatepass")).digest()
            number = int.from_bytes(digest[:8], "big", signed=True)
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(number)))

    def clock(self, otherwise: Callable[[], datetime]) -> Callable[[], datetime]:
        """The time of the server, which all who work on this ledger share; of a file, `otherwise`.

        It raises `UnavailableError` while the database is away.
        """

        def now() -> datetime:
            with self.outside_transactions() as connection:
                told = connection.execute(_SERVER_TIME).scalar_one()
            return told.astimezone(UTC)

        return otherwise if self.is_sqlite else now

    def close(self) -> None:
        """Give back every connection."""
        self.engine.dispose()

    @contextmanager
    def _plainly(self) -> Iterator[None]:
        try:
            yield
        except PoolTimeoutError as error:
            raise UnavailableError(f"{self.name} has no connection left; try again") from error
        except DBAPIError as error:
            if plain := self._told(error.orig):
                raise plain from error
            raise
        except (sqlite3.Error, psycopg.Error) as error:  # from the preparation of a new connection
            if plain := self._told(error):
                raise plain from error
            raise

    def _told(self, cause: object) -> BreachwatchError | None:
        """The plain form of a driver's error; None when it is a mistake of ours and must be seen as it is."""
        trouble = ""
        if isinstance(cause, sqlite3.Error):
            code = getattr(cause, "sqlite_errorname", "")
            if code.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
                return TamperedError(f"{self.name} is damaged: {cause}")
            trouble = next((text for name, text in _SQLITE_TROUBLE.items() if code.startswith(name)), "")
        elif isinstance(cause, psycopg.Error):
            code = cause.sqlstate or ""
            trouble = next((text for start, text in _POSTGRESQL_TROUBLE.items() if code.startswith(start)), "")
            if not trouble and isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError):
                for words, refusal in _POSTGRESQL_REFUSALS.items():
                    if words in str(cause):
                        return UnavailableError(f"{self.name} {refusal}")
                trouble = "is away"
        return UnavailableError(f"{self.name} {trouble}; nothing was written, try again") if trouble else None


def _target(url: str) -> URL:
    try:
        target = make_url(url)
    except ArgumentError:
        raise ContentError(
            [Problem("ledger url", 0, 0, "is not a database URL", "sqlite:///PATH for a file")]
        ) from None
    if target.drivername in _POSTGRESQL_NAMES:
        return target.set(drivername="postgresql+psycopg")
    if target.drivername not in ("sqlite", "sqlite+pysqlite"):
        hint = "use sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME"
        raise ContentError([Problem("ledger url", 0, 0, f"{target.drivername} is not supported", hint)])
    if not target.database or target.database == ":memory:":
        raise ContentError([Problem("ledger url", 0, 0, "names no file", "a ledger in memory would keep nothing")])
    return target


def _prepare_file(path: Path, must_exist: bool) -> None:
    """Make sure that the file is there, and that a new one is for its owner's eyes only (its WAL follows it)."""
    if path.exists():
        return
    moved = path.with_name(path.name + MOVED)
    if moved.exists():
        raise RefusedError(
            f"this ledger was moved to another database and {moved} is its old copy: "
            "name the new place in [ledger] url_file"
        )
    if must_exist:
        raise NotFoundError(f"there is no ledger at {path}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise UnavailableError(f"the ledger {path} cannot be created: {error.strerror}") from error


def _sqlite(target: URL, busy_timeout: timedelta) -> sa.Engine:
    engine = sa.create_engine(
        target,
        pool_size=8,
        pool_timeout=busy_timeout.total_seconds(),
        connect_args={"timeout": busy_timeout.total_seconds()},
    )

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # begun by us below, not by the driver's guess
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "recursive_triggers=ON",
            "secure_delete=ON",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgresql(target: URL, busy_timeout: timedelta) -> sa.Engine:
    milliseconds = int(busy_timeout.total_seconds() * 1000)
    seconds = max(2, -(-milliseconds // 1000))
    return sa.create_engine(
        target,
        pool_pre_ping=True,
        pool_timeout=busy_timeout.total_seconds(),
        connect_args={
            "connect_timeout": seconds,
            # a process that stands still in the middle of a transaction loses it, and with it what others wait for
            "options": f"-c lock_timeout={milliseconds} -c idle_in_transaction_session_timeout={_STANDSTILL_MS} "
            "-c TimeZone=UTC -c client_encoding=UTF8",
            "application_name": "breachwatch",
        },
    )
