"""The spool's tables, and how its file is opened."""

import os
import sqlite3
from datetime import timedelta
from pathlib import Path

from breachwatch.kernel.errors import UnavailableError

VERSION = 1

TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE chunks (
    "offset" INTEGER PRIMARY KEY AUTOINCREMENT,
    source TEXT NOT NULL, origin TEXT NOT NULL, first_ordinal INTEGER NOT NULL, records INTEGER NOT NULL,
    received_us INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE positions (name TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE state (name BLOB PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE alerts (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, revision INTEGER NOT NULL, body BLOB NOT NULL,
    stored_us INTEGER NOT NULL, delivered INTEGER NOT NULL DEFAULT 0, UNIQUE (id, revision));
CREATE INDEX alerts_open ON alerts (seq) WHERE delivered = 0;
CREATE TABLE dead_letters (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, source TEXT NOT NULL, origin TEXT NOT NULL, ordinal INTEGER NOT NULL,
    reason TEXT NOT NULL, stored_us INTEGER NOT NULL);
CREATE TABLE tallies (
    source TEXT NOT NULL, what TEXT NOT NULL, reason TEXT NOT NULL, count INTEGER NOT NULL,
    PRIMARY KEY (source, what, reason)) WITHOUT ROWID;
CREATE TABLE facts (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, stored_us INTEGER NOT NULL, body BLOB NOT NULL);
"""


def connect(path: Path, busy_timeout: timedelta) -> sqlite3.Connection:
    """Open the file (made with mode 0600 if missing) so that a commit is on the disk when it returns.

    WAL so that reading does not wait for writing; `synchronous=FULL` so that a power cut loses no commit.

    A file that is there is not touched: whoever closes any descriptor of it gives up every lock that this process has
    on it (POSIX), and another program that then looks into it would take the write-ahead log away as its own.
    Source: sqlite.org/howtocorrupt.html, section 2.2.
    """
    if not path.exists():
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    db = sqlite3.connect(
        path, timeout=busy_timeout.total_seconds(), isolation_level=None, check_same_thread=False, cached_statements=256
    )
    db.execute("PRAGMA auto_vacuum=INCREMENTAL")
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute("PRAGMA secure_delete=FAST")
    db.execute("PRAGMA cache_size=-8192")
    return db


def lay_out(db: sqlite3.Connection) -> None:
    """Make the tables in a new file.

    Raises:
        UnavailableError: the file was written by a later breachwatch.
    """
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        raise UnavailableError(f"the spool is of version {version}; this breachwatch knows up to {VERSION}")
    if version == VERSION:
        return
    db.executescript(f"BEGIN IMMEDIATE; {TABLES} PRAGMA user_version={VERSION}; COMMIT;")
