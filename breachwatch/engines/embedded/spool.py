"""The durable spool: every stream of the embedded engine in one SQLite file, sealed value by value.

An append or a commit that returned is on the disk. One that raised `UnavailableError` left nothing behind.
"""

import logging
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from breachwatch.engines.embedded.sealed_file import SealedFile
from breachwatch.engines.embedded.tables import (
    NO_TIME,
    Backlog,
    Packed,
    Retention,
    Waiting,
    chunk_context,
    read_tallies,
    store_tallies,
    sum_bodies,
)
from breachwatch.engines.merging import merge_revisions
from breachwatch.engines.wire import pack_alert, pack_chunk, unpack_alert, unpack_chunk
from breachwatch.kernel.errors import TamperedError, UnavailableError
from breachwatch.kernel.observing import SILENT, Observer
from breachwatch.kernel.ports import Waypoint, passing
from breachwatch.kernel.streams import Alert, Chunk, DeadLetter, Tally
from breachwatch.kernel.time import from_microseconds, parse_rfc3339, to_microseconds

log = logging.getLogger(__name__)
_PAGE_ROWS = 500


class Spool:
    """One file, one process, any number of threads.

    Args:
        path: the SQLite file; `-wal` and `-shm` lie beside it, `.lock` keeps a second process out.
        key: at least 16 secret bytes; what the file holds is readable only with them.
        waypoint: told of `spool:before-append` (inside the transaction) and `spool:after-append` (durable).
        retention: how long each stream is kept after use.
        busy_timeout: how long to wait for a lock that another program holds on the file.
        limit_bytes: most bytes of chunks that may wait; an append beyond is refused, so that no disk is filled.
        observer: told of chunks that are durable.

    Raises:
        UnavailableError: the file cannot be opened, or another process has it.
        TamperedError: the file was written under another key.
    """

    def __init__(
        self,
        path: Path,
        key: bytes,
        *,
        waypoint: Waypoint = passing,
        retention: Retention | None = None,
        busy_timeout: timedelta = timedelta(seconds=5),
        limit_bytes: int = 4 << 30,
        observer: Observer = SILENT,
    ) -> None:
        self._waypoint, self._observer = waypoint, observer
        self._retention = retention or Retention()
        self._limit_bytes = limit_bytes
        self._listeners: list[Callable[[], object]] = []
        self._file = SealedFile(path, key, busy_timeout)
        self._sealer = self._file.sealer
        with self._file.reading() as db:
            row = db.execute("SELECT value FROM meta WHERE name = 'committed'").fetchone()
            self._committed = int(row[0]) if row else 0
            self._waiting = sum_bodies(db, self._committed, 1 << 62)

    # ------------------------------------------------------------------ records in

    def append(self, chunk: Chunk, position: Mapping[str, Any] | None = None) -> int:
        """Store a chunk, and in the same transaction where its collector goes on from.

        Args:
            chunk: what to store.
            position: anything that JSON can hold; kept under its own `key`, else under the chunk's origin.

        Returns:
            The chunk's offset; offsets grow and are never used twice.

        Raises:
            UnavailableError: locked, full, or too much is waiting; neither chunk nor position was stored.
        """
        received_us = to_microseconds(chunk.received_at)
        context = chunk_context(chunk.source, chunk.origin, chunk.first_ordinal, len(chunk.records), received_us)
        body = self._sealer.seal(pack_chunk(chunk), context)
        if self._waiting[1] + len(body) > self._limit_bytes:
            raise UnavailableError(f"the spool holds {self._waiting[1]:,} bytes that still wait: its limit")
        row = (chunk.source, chunk.origin, chunk.first_ordinal, len(chunk.records), received_us, body)
        with self._file.writing() as db:
            offset = db.execute(
                "INSERT INTO chunks (source, origin, first_ordinal, records, received_us, body)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                row,
            ).lastrowid
            if position is not None:
                self._save_position(db, str(position.get("key", chunk.origin)), position)
            self._waypoint("spool:before-append")
        assert offset is not None  # noqa: S101 - an INSERT always has one
        with self._file.lock:
            self._waiting = (self._waiting[0] + 1, self._waiting[1] + len(body))
        self._waypoint("spool:after-append")
        self._observer.received(chunk.source, len(chunk.records))
        self._tell()
        return offset

    def position(self, key: str) -> Mapping[str, Any] | None:
        """Where a collector goes on from, as of its last durable chunk."""
        with self._file.reading() as db:
            row = db.execute("SELECT body FROM positions WHERE name = ?", (key,)).fetchone()
        return orjson.loads(self._sealer.open(row[0], f"position {key}")) if row else None

    def _save_position(self, db: sqlite3.Connection, key: str, position: Mapping[str, Any]) -> None:
        body = self._sealer.seal(orjson.dumps(dict(position)), f"position {key}")
        db.execute("INSERT OR REPLACE INTO positions VALUES (?, ?)", (key, body))

    def on_append(self, listener: Callable[[], object]) -> Callable[[], None]:
        """Call `listener`, from whatever thread appends, after each durable append; returns how to end that."""
        self._listeners = [*self._listeners, listener]

        def end() -> None:
            self._listeners = [one for one in self._listeners if one is not listener]

        return end

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()

    # ------------------------------------------------------------------ records out

    @property
    def committed(self) -> int:
        """The offset up to which every chunk had its effects stored; 0 at first."""
        return self._committed

    def next(self, after: int | None = None) -> tuple[int, Chunk] | None:
        """The first chunk after an offset (by default the committed one); None when nothing waits.

        Raises:
            TamperedError: its body cannot be opened.
        """
        found = self.waiting(1, after)
        if not found:
            return None
        if found[0].chunk is None:
            raise TamperedError(f"the chunk at offset {found[0].offset} cannot be opened")
        return found[0].offset, found[0].chunk

    def waiting(self, records: int, after: int | None = None) -> list[Waiting]:
        """Chunks after an offset, oldest first: at least one if any waits, and no more than give `records`."""
        return [
            Waiting(one.offset, one.source, one.origin, one.first_ordinal, one.records, self._unpacked(one))
            for one in self.packed(records, after)
        ]

    def packed(self, records: int, after: int | None = None, size_bytes: int = 1 << 62) -> list[Packed]:
        """The same as they lie there, and no more than have `size_bytes`: for who hands them on without looking in."""
        rows = []
        with self._file.reading() as db:
            found = db.execute(
                'SELECT "offset", source, origin, first_ordinal, records, received_us, CAST(body AS BLOB) FROM chunks'
                ' WHERE "offset" > ? ORDER BY "offset"',
                (self._committed if after is None else after,),
            )
            for row in found:
                rows.append(row)
                records, size_bytes = records - max(row[4], 1), size_bytes - len(row[6])
                if records <= 0 or size_bytes <= 0:
                    break
            found.close()
        return [Packed(*(*row[:6], self._unsealed(*row))) for row in rows]

    def _unsealed(
        self, offset: int, source: str, origin: str, ordinal: int, count: int, received_us: int, body: bytes
    ) -> bytes | None:
        try:
            return self._sealer.open(body, chunk_context(source, origin, ordinal, count, received_us))
        except TamperedError:
            log.error("the chunk at offset %d cannot be opened: its %d records are lost", offset, count)
            return None

    def _unpacked(self, one: Packed) -> Chunk | None:
        try:
            return None if one.body is None else unpack_chunk(one.body)
        except ValueError:
            log.error("the chunk at offset %d cannot be read: its %d records are lost", one.offset, one.records)
            return None

    # ------------------------------------------------------------------ effects

    def commit(
        self,
        offset: int,
        changes: Iterable[tuple[str, bytes | None]],
        alerts: Sequence[Alert],
        dead: Sequence[DeadLetter],
        tally: Tally | Mapping[str, Tally],
    ) -> bool:
        """Store everything that the chunks up to `offset` caused, and that they are done, in one transaction.

        Args:
            offset: of the last chunk that went in.
            changes: the correlator's state keys with their new values; None forgets one.
            alerts: to be taken, in this order; a revision stored before is not stored again.
            dead: letters to keep.
            tally: what became of the records, in all or by source.

        Returns:
            False, with nothing changed, if `offset` was committed before.

        Raises:
            UnavailableError: locked or full; nothing was stored, so commit the same again.
        """
        with self._file.writing() as db:
            if offset <= self._committed:
                return False
            stored_us = self._newest_us(db, offset)
            self._store_state(db, changes)
            db.executemany(
                "INSERT OR IGNORE INTO alerts (id, revision, body, stored_us) VALUES (?, ?, ?, ?)",
                [(one.id, one.revision, self._seal_alert(one), stored_us) for one in alerts],
            )
            self._store_dead(db, dead, stored_us)
            store_tallies(db, {"": tally} if isinstance(tally, Tally) else tally)
            done = sum_bodies(db, self._committed, offset)
            if self._retention.records <= NO_TIME:
                db.execute('DELETE FROM chunks WHERE "offset" <= ?', (offset,))
            db.execute("INSERT OR REPLACE INTO meta VALUES ('committed', ?)", (str(offset).encode(),))
        with self._file.lock:
            self._committed = max(self._committed, offset)
            self._waiting = (self._waiting[0] - done[0], self._waiting[1] - done[1])
        return True

    def state(self) -> Iterator[tuple[str, bytes]]:
        """The correlator's stored state, key by key.

        Raises:
            TamperedError: a value is not what was written.
        """
        with self._file.reading() as db:
            rows = db.execute("SELECT name, body FROM state").fetchall()
        for name, body in rows:
            key, _, value = self._sealer.open(body, f"state {name.hex()}").partition(b"\0")
            yield key.decode("utf-8", "surrogatepass"), value

    def _store_state(self, db: sqlite3.Connection, changes: Iterable[tuple[str, bytes | None]]) -> None:
        for key, value in changes:
            name = self._sealer.name(key)
            if value is None:
                db.execute("DELETE FROM state WHERE name = ?", (name,))
                continue
            body = self._sealer.seal(key.encode("utf-8", "surrogatepass") + b"\0" + value, f"state {name.hex()}")
            db.execute("INSERT OR REPLACE INTO state VALUES (?, ?)", (name, body))

    def _store_dead(self, db: sqlite3.Connection, dead: Sequence[DeadLetter], stored_us: int) -> None:
        if not dead:
            return
        db.executemany(
            "INSERT INTO dead_letters (source, origin, ordinal, reason, stored_us) VALUES (?, ?, ?, ?, ?)",
            [(one.source, one.origin, one.ordinal, one.reason, stored_us) for one in dead],
        )
        db.execute(
            "DELETE FROM dead_letters WHERE seq <= (SELECT max(seq) FROM dead_letters) - ?",
            (self._retention.dead_letter_limit,),
        )

    def _newest_us(self, db: sqlite3.Connection, offset: int) -> int:
        found = db.execute(
            'SELECT max(received_us) FROM chunks WHERE "offset" > ? AND "offset" <= ?', (self._committed, offset)
        ).fetchone()[0]
        return int(found or 0)

    # ------------------------------------------------------------------ alerts out

    def undelivered(self, limit: int = 1000, without: Iterable[str] = ()) -> list[Alert]:
        """Alerts that nobody took yet: the newest revision of each, with the references of all that wait.

        Args:
            limit: how many alerts at most, those that wait longest; however many revisions one has, it counts as one.
            without: ids of alerts to leave out.

        Raises:
            TamperedError: one is not what was written.
        """
        with self._file.reading() as db:
            names = db.execute(
                "SELECT id FROM alerts WHERE delivered = 0 AND id NOT IN (SELECT value FROM json_each(?))"
                " GROUP BY id ORDER BY min(seq) LIMIT ?",
                (orjson.dumps(list(without)).decode(), limit),
            ).fetchall()
        return merge_revisions(self._open_revisions([name for (name,) in names]))

    def _open_revisions(self, names: list[str]) -> Iterator[Alert]:
        wanted, after = orjson.dumps(names).decode(), 0
        while names:
            with self._file.reading() as db:
                rows = db.execute(
                    "SELECT seq, id, revision, body FROM alerts WHERE delivered = 0 AND seq > ?"
                    " AND id IN (SELECT value FROM json_each(?)) ORDER BY seq LIMIT ?",
                    (after, wanted, _PAGE_ROWS),
                ).fetchall()
            for _, name, revision, body in rows:
                yield unpack_alert(self._sealer.open(body, f"alert {name} {revision}"))
            if len(rows) < _PAGE_ROWS:
                return
            after = rows[-1][0]

    def delivered(self, alert: Alert) -> None:
        """Note that this revision, and so all before it, was taken. Noting it again changes nothing."""
        with self._file.writing() as db:
            taken = (alert.id, alert.revision)
            if self._retention.alerts <= NO_TIME:
                db.execute("DELETE FROM alerts WHERE id = ? AND revision <= ?", taken)
            else:
                db.execute("UPDATE alerts SET delivered = 1 WHERE id = ? AND revision <= ?", taken)

    def _seal_alert(self, alert: Alert) -> bytes:
        return self._sealer.seal(pack_alert(alert), f"alert {alert.id} {alert.revision}")

    # ------------------------------------------------------------------ facts, for others to subscribe to

    def publish(self, envelope: Mapping[str, Any]) -> None:
        """Store a fact envelope (CloudEvents 1.0, with `id` and an RFC 3339 `time`); the same `id` is stored once.

        Raises:
            UnavailableError: locked or full; publish it again.
        """
        name = str(envelope["id"])
        body = self._sealer.seal(orjson.dumps(dict(envelope)), f"fact {name}")
        at_us = to_microseconds(parse_rfc3339(str(envelope["time"])))
        with self._file.writing() as db:
            db.execute("INSERT OR IGNORE INTO facts (id, stored_us, body) VALUES (?, ?, ?)", (name, at_us, body))

    def published(self, after: int = 0, limit: int = 1000) -> list[tuple[int, Mapping[str, Any]]]:
        """(number, envelope) of facts after a number, in order of publication."""
        with self._file.reading() as db:
            rows = db.execute(
                "SELECT seq, id, body FROM facts WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit)
            ).fetchall()
        return [(seq, orjson.loads(self._sealer.open(body, f"fact {name}"))) for seq, name, body in rows]

    # ------------------------------------------------------------------ what there is

    def dead_letters(self, limit: int = 200) -> list[DeadLetter]:
        """The newest dead letters, newest first."""
        with self._file.reading() as db:
            rows = db.execute(
                "SELECT source, origin, ordinal, reason FROM dead_letters ORDER BY seq DESC LIMIT ?", (limit,)
            ).fetchall()
        return [DeadLetter(*row) for row in rows]

    def totals(self) -> Tally:
        """What became of every record since the spool was made."""
        return sum(self.totals_by_source().values(), Tally())

    def totals_by_source(self) -> dict[str, Tally]:
        """The same for each source."""
        with self._file.reading() as db:
            rows = db.execute("SELECT source, what, reason, count FROM tallies").fetchall()
        return read_tallies(rows)

    def backlog(self) -> Backlog:
        """What still waits."""
        with self._file.reading() as db:
            alerts = db.execute("SELECT count(*) FROM alerts WHERE delivered = 0").fetchone()[0]
            oldest = db.execute(
                'SELECT received_us FROM chunks WHERE "offset" > ? ORDER BY "offset" LIMIT 1', (self._committed,)
            ).fetchone()
        return Backlog(*self._waiting, alerts, from_microseconds(oldest[0]) if oldest else None)

    def prune(self, now: datetime) -> int:
        """Forget what outlived its retention, and give its room back to the disk; returns the rows that went."""
        keep, at = self._retention, to_microseconds(now)
        aged = (
            ('chunks WHERE "offset" <= :committed AND received_us', keep.records),
            ("alerts WHERE delivered = 1 AND stored_us", keep.alerts),
            ("dead_letters WHERE stored_us", keep.dead_letters),
            ("facts WHERE stored_us", keep.facts),
        )
        gone = 0
        with self._file.writing() as db:
            for which, kept in aged:
                values = {"committed": self._committed, "before": at - kept // timedelta(microseconds=1)}
                gone += db.execute(f"DELETE FROM {which} <= :before", values).rowcount  # noqa: S608 - constants above
        self._file.shrink()
        return gone

    def close(self) -> None:
        """Close the file; everything acknowledged stays. Closing twice does nothing."""
        self._file.close()
