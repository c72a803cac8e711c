"""Writes one of every value that crosses streams, as the version of breachwatch writes it that can be imported.

    python tests/topics/write_values.py tests/topics/written/next

For an earlier version: `PYTHONPATH=CHECKOUT_OF_ITS_TAG python tests/topics/write_values.py tests/topics/written/TAG`.
What a version wrote is never written anew: every later one must read it (`test_written.py`).
"""

import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
from pydantic import TypeAdapter

from breachwatch.engines.wire import pack_alert, pack_chunk
from breachwatch.incidents.facts import NoteAttached
from breachwatch.kernel import streams
from breachwatch.kernel.facts import GENESIS, Recorded
from breachwatch.kernel.ids import AlertId, EventId, IncidentId, SubjectRef
from breachwatch.kernel.streams import Alert, Chunk, DeadLetter, Match
from breachwatch.ledger.rows import fact_item

AT = datetime(2026, 3, 27, 9, 30, 15, 250_000, tzinfo=UTC)
AT_US = 1_774_603_815_250_000
PEOPLE = (SubjectRef("s-aaaaaaaaaaaaaaaaaaaaaaaaaa"), SubjectRef("s-bbbbbbbbbbbbbbbbbbbbbbbbbb"))

CHUNKS = {
    "chunk-lines": Chunk("shop", "http:shop", 1_000, AT, (b"one", "zw\u00f6lf".encode(), b"", b"\x00\xff")),
    "chunk-line-feeds": Chunk(
        "evtx", "file:C:/logs/Security.evtx#1", 0, AT, (b"one\ntwo", b"three"), ((1, 3_000_000),)
    ),
    "chunk-empty": Chunk("shop", "http:shop", 7, AT, ()),
}
MATCH = Match(
    "brute-force",
    "0e4ac4a4-0000-4000-8000-000000000001",
    EventId("ev-cccccccccccccccccccccccccc"),
    AT_US,
    "linux-sshd",
    {"src_endpoint.ip": "192.0.2.7", "user": PEOPLE[0]},
    PEOPLE,
    3,
    {
        "time": AT_US // 1000,
        "user": {"uid": PEOPLE[0]},
        "src_endpoint": {"ip": "192.0.2.7", "port": 22},
        "n": [1.5, None],
    },
)
ALERT = Alert(
    AlertId("al-dddddddddddddddddddddddddd"),
    2,
    "brute-force",
    "many-failures",
    "Many failures, then a success: caf\u00e9",
    "high",
    {"src_endpoint.ip": "2001:db8::7"},
    AT,
    AT + timedelta(minutes=3),
    12,
    PEOPLE,
    4,
    12,
    ("linux-sshd", "shop"),
    (MATCH.sample,),
    True,
    (AlertId("al-eeeeeeeeeeeeeeeeeeeeeeeeee"),),
    True,
)
LETTER = DeadLetter("shop", "file:/var/log/shop.log#1", 17, "not JSON")
FACT = fact_item(
    Recorded(IncidentId("in-1"), 3, "NoteAttached", AT, "dpo", "person", NoteAttached("vu"), GENESIS, GENESIS),
    {"text": "vu"},
).payload


def written() -> Mapping[str, bytes]:
    """Name to value, of all that this version can write."""
    values = {name: pack_chunk(chunk) for name, chunk in CHUNKS.items()}
    values["alert"] = pack_alert(ALERT)
    values["fact"] = orjson.dumps(dict(FACT))
    if not hasattr(streams, "MatchBatch"):  # up to 0.2
        values["match"] = _json(MATCH)
        values["dead-letter"] = _json(LETTER)
    else:
        from breachwatch.engines import wire

        values["match-batch"] = wire.pack_match_batch(match_batch())
        values["tick"] = wire.pack_match_batch(streams.MatchBatch(3, 12, AT_US))
        values["progress"] = wire.pack_progress(progress())
        values["dead-letter"] = wire.pack_dead_letter(LETTER)
    return values


def match_batch() -> Any:
    """Two families for one partition."""
    return streams.MatchBatch(3, 12, AT_US, {"linux-sshd": AT_US - 5}, {"f1": (MATCH, MATCH), "f2": (MATCH,)})


def progress() -> Any:
    """With every count."""
    tally = streams.Tally(9, 7, 1, {"empty": 1}, {"not JSON": 1}, {"office": 2})
    return streams.Progress(3, 1_000, AT_US, {"shop": tally}, {"rule": "KeyError, source shop"}, "worker-1")


def _json(value: object) -> bytes:
    return TypeAdapter(type(value)).dump_json(value)


def main(folder: Path) -> None:
    """Write each value into a file of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in written().items():
        (folder / f"{name}.bin").write_bytes(value)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
