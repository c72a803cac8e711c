"""The spool's file: who may have it, how it is locked among threads, and SQLite's errors in the program's own words."""

import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

from breachwatch.engines.embedded.schema import connect, lay_out
from breachwatch.engines.embedded.sealing import SALT_BYTES, Sealer
from breachwatch.kernel.errors import TamperedError, UnavailableError

_VACUUM_PAGES = 2_000


class SealedFile:
    """One connection for writing and one for reading, each under its own lock, so that reading does not wait.

    `lock` also guards what its owner counts in memory beside the file.

    Raises:
        UnavailableError: the file cannot be opened, or another process has it.
        TamperedError: the file was written under another key.
    """

    def __init__(self, path: Path, key: bytes, busy_timeout: timedelta) -> None:
        self.lock = threading.RLock()
        self._read_lock = threading.RLock()
        self._closed = False
        self._guard = guard_file(path)
        try:
            with plain_errors():
                self._writer = connect(path, busy_timeout)
                lay_out(self._writer)
                self._reader = connect(path, busy_timeout)
            self.sealer = self._unlock(key)
        except BaseException:
            os.close(self._guard)
            raise

    def _unlock(self, key: bytes) -> Sealer:
        with self.writing() as db:
            kept = dict(db.execute("SELECT name, value FROM meta WHERE name IN ('salt', 'proof')").fetchall())
            if kept:
                sealer = Sealer(key, kept["salt"])
                try:
                    sealer.open(kept["proof"], "proof")
                except TamperedError as error:
                    raise TamperedError("the spool was written under another key") from error
                return sealer
            salt = os.urandom(SALT_BYTES)
            sealer = Sealer(key, salt)
            rows = [("salt", salt), ("proof", sealer.seal(b"breachwatch", "proof"))]
            db.executemany("INSERT INTO meta VALUES (?, ?)", rows)
            return sealer

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction: durable when the block has ended, undone when it raised.

        Raises:
            UnavailableError: locked, full, closed; nothing was written.
        """
        with self.lock, plain_errors():
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    self._writer.execute("ROLLBACK")
                raise

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The reading connection, for one thread at a time.

        Raises:
            UnavailableError: locked or closed.
        """
        with self._read_lock, plain_errors():
            yield self._reader

    def shrink(self) -> None:
        """Give free pages back to the disk, some at a time so that nobody waits long for the lock."""
        free = _VACUUM_PAGES
        while free >= _VACUUM_PAGES:
            with self.lock, plain_errors():
                free = self._writer.execute("PRAGMA freelist_count").fetchone()[0]
                # a script, since a single `execute` frees one page only
                self._writer.executescript(f"PRAGMA incremental_vacuum({_VACUUM_PAGES});")
        with self.lock, plain_errors():
            self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        """Close the file and let other processes have it. Closing twice does nothing."""
        with self.lock, self._read_lock:
            if self._closed:
                return
            self._closed = True
            for db in (self._reader, self._writer):
                with suppress(sqlite3.Error):
                    db.close()
            os.close(self._guard)


@contextmanager
def plain_errors() -> Iterator[None]:
    """SQLite's refusals as `UnavailableError`: whatever was tried was not done."""
    try:
        yield
    except sqlite3.Error as error:
        raise UnavailableError(f"the spool cannot take this now: {error}") from error


def guard_file(path: Path) -> int:
    """Keep other processes off the spool until the returned descriptor is closed or this process ends.

    Raises:
        UnavailableError: another process has it, or the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        guard = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise UnavailableError(f"the spool cannot be opened: {error.strerror}") from error
    try:
        fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(guard)
        raise UnavailableError(f"another process works on {path}: only one breachwatch may") from error
    return guard
