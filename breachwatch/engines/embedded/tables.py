"""What the spool keeps and for how long, what waits in it, and how its tallies are counted."""

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from breachwatch.engines.streams import Stream
from breachwatch.kernel.streams import Chunk, Tally

NO_TIME = timedelta(0)


@dataclass(frozen=True, slots=True)
class Retention:
    """How long each stream outlives its use; zero means gone in the very transaction that used it.

    `records`: raw log lines after they were received, once matched. `alerts`: after they were found, once taken.
    `dead_letters`: addresses and reasons (never content), at most `dead_letter_limit` of them, oldest out first.
    `facts`: published envelopes.
    """

    records: timedelta = NO_TIME
    alerts: timedelta = NO_TIME
    dead_letters: timedelta = timedelta(days=14)
    dead_letter_limit: int = 100_000
    facts: timedelta = timedelta(days=90)

    @classmethod
    def of(cls, streams: Mapping[str, Stream]) -> "Retention":
        """As `topics/` says for dead letters and facts; nobody but this process reads the rest, so it goes at once."""
        letters, facts = streams["dead-letters"].retention, streams["facts"].retention
        return cls(dead_letters=letters or NO_TIME, facts=facts or NO_TIME)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A chunk in the spool. `chunk` is None when its sealed body cannot be opened any more."""

    offset: int
    source: str
    origin: str
    first_ordinal: int
    records: int
    chunk: Chunk | None


@dataclass(frozen=True, slots=True)
class Packed:
    """A chunk in the spool as `pack_chunk` made it. `body` is None when it cannot be opened any more."""

    offset: int
    source: str
    origin: str
    first_ordinal: int
    records: int
    received_us: int
    body: bytes | None


@dataclass(frozen=True, slots=True)
class Backlog:
    """What still waits: chunks to be matched, their sealed size, alerts to be taken, when the oldest chunk came."""

    chunks: int
    size_bytes: int
    alerts: int
    oldest_received_at: datetime | None


def chunk_context(source: str, origin: str, first_ordinal: int, records: int, received_us: int) -> str:
    """What a sealed chunk is bound to, so that no body can be put under another row."""
    return f"chunk {records} {first_ordinal} {received_us} {len(source)} {source} {origin}"


def sum_bodies(db: sqlite3.Connection, after: int, until: int) -> tuple[int, int]:
    """(chunks, bytes of their sealed bodies) with offsets beyond `after`, up to `until`."""
    found = db.execute(
        'SELECT count(*), coalesce(sum(length(body)), 0) FROM chunks WHERE "offset" > ? AND "offset" <= ?',
        (after, until),
    ).fetchone()
    return int(found[0]), int(found[1])


def store_tallies(db: sqlite3.Connection, tallies: Mapping[str, Tally]) -> None:
    """Add to the counts of each source."""
    rows: list[tuple[str, str, str, int]] = []
    for source, one in tallies.items():
        rows += [
            (source, "records", "", one.records),
            (source, "events", "", one.events),
            (source, "late", "", one.late),
        ]
        rows += [(source, "ignored", reason, count) for reason, count in one.ignored.items()]
        rows += [(source, "dead", reason, count) for reason, count in one.dead.items()]
        rows += [(source, "allowed", entry, count) for entry, count in one.allowed.items()]
    db.executemany(
        "INSERT INTO tallies VALUES (?, ?, ?, ?)"
        " ON CONFLICT (source, what, reason) DO UPDATE SET count = count + excluded.count",
        [row for row in rows if row[3]],
    )


def read_tallies(rows: Iterable[tuple[str, str, str, int]]) -> dict[str, Tally]:
    """Counts as they were stored, by source."""
    by_source: dict[str, Tally] = {}
    for source, what, reason, count in rows:
        match what:
            case "ignored":
                more = Tally(ignored={reason: count})
            case "dead":
                more = Tally(dead={reason: count})
            case "allowed":
                more = Tally(allowed={reason: count})
            case _:
                more = Tally(
                    records=count if what == "records" else 0,
                    events=count if what == "events" else 0,
                    late=count if what == "late" else 0,
                )
        by_source[source] = by_source.get(source, Tally()) + more
    return by_source
