"""What goes over the wire comes back as it was, what a later version adds is passed over, and junk is told as junk."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from breachwatch.engines.wire import (
    pack_alert,
    pack_chunk,
    pack_dead_letter,
    pack_match_batch,
    pack_progress,
    unpack_alert,
    unpack_chunk,
    unpack_dead_letter,
    unpack_match_batch,
    unpack_progress,
)
from breachwatch.kernel.ids import AlertId, EventId, SubjectRef
from breachwatch.kernel.streams import Alert, Chunk, DeadLetter, Match, MatchBatch, Progress, Tally

AT = datetime(2026, 3, 27, 9, 0, 0, 250_000, tzinfo=UTC)
BATCH = MatchBatch(3, 12, 1_774_602_000_000_000, {"linux-sshd": 1_774_601_999_000_000})
ALERT = Alert(
    AlertId("al-1"), 2, "brute-force", "many-failures", "Many failures", "high", {"src_endpoint.ip": "192.0.2.7"}, AT,
    AT + timedelta(minutes=3), 12, (SubjectRef("s-1"),), 4, 12, ("linux-sshd",), ({"time": 1, "user": {"uid": "s-1"}},),
    True,
)  # fmt: skip
PROGRESS = Progress(
    3, 1_000, 5, {"shop": Tally(9, 7, 1, {"empty": 1}, {"not JSON": 1}, {"office": 2})}, {"r": "x"}, "a"
)
LETTER = DeadLetter("shop", "file:/var/log/shop.log#1", 17, "not JSON")

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
numbers = st.integers(0, 1 << 53)
samples = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 70), 1 << 70) | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)  # fmt: skip
matches = st.builds(
    Match,
    texts,
    texts,
    texts.map(EventId),
    st.integers(-(1 << 53), 1 << 53),
    texts,
    st.dictionaries(texts, texts, max_size=3),
    st.lists(texts.map(SubjectRef), max_size=3).map(tuple),
    numbers,
    st.dictionaries(texts, samples, max_size=3),
)
batches = st.builds(
    MatchBatch,
    numbers,
    numbers,
    numbers,
    st.dictionaries(texts, numbers, max_size=3),
    st.dictionaries(texts, st.lists(matches, max_size=3).map(tuple), max_size=3),
)


@given(batches)
def test_matches_come_back_as_they_were(batch: MatchBatch) -> None:
    assert unpack_match_batch(pack_match_batch(batch)) == batch


@given(
    st.lists(st.binary(max_size=40), max_size=6),
    st.text(max_size=20),
    numbers,
    st.datetimes(timezones=st.just(UTC)),
)
def test_a_chunk_comes_back_whatever_its_bytes_and_however_its_file_is_called(
    records: list[bytes], origin: str, first: int, at: datetime
) -> None:
    oversized = ((0, 5_000_000),) if records else ()
    chunk = Chunk("shop", origin, first, at, tuple(records), oversized)
    assert unpack_chunk(pack_chunk(chunk)) == chunk


@pytest.mark.parametrize(
    ("value", "pack", "unpack"),
    [
        (ALERT, pack_alert, unpack_alert),
        (PROGRESS, pack_progress, unpack_progress),
        (LETTER, pack_dead_letter, unpack_dead_letter),
        (BATCH, pack_match_batch, unpack_match_batch),
    ],
)
def test_everything_else_is_json_whose_unknown_fields_are_passed_over(
    value: Any, pack: Callable[[Any], bytes], unpack: Callable[[bytes], Any]
) -> None:
    packed = pack(value)
    assert unpack(packed) == value
    later = json.loads(packed) | {"added_later": {"by": ["a", "later", "version"]}}
    assert unpack(json.dumps(later).encode()) == value


def test_a_chunk_whose_head_says_more_than_is_known_is_read() -> None:
    packed = pack_chunk(Chunk("shop", "http:shop", 4, AT, (b"one", b"two")))
    head, _, records = zstandard.ZstdDecompressor().decompress(packed).partition(b"\n")
    later = json.dumps(json.loads(head) | {"added_later": 1}).encode()
    chunk = unpack_chunk(zstandard.ZstdCompressor().compress(later + b"\n" + records))
    assert chunk.records == (b"one", b"two")


def test_an_alert_is_written_as_every_earlier_version_wrote_it() -> None:
    assert pack_alert(ALERT) == TypeAdapter(Alert).dump_json(ALERT)


def test_a_single_match_of_old_is_a_batch_that_tells_of_no_reception() -> None:
    match = Match("p", "r", EventId("ev-1"), 5, "shop", {"user": "s-1"})
    batch = unpack_match_batch(TypeAdapter(Match).dump_json(match))
    assert batch == MatchBatch(0, 0, 0, {}, {"": (match,)})


def test_a_dead_letter_of_a_file_with_an_impossible_name_is_json_that_everybody_can_read() -> None:
    packed = pack_dead_letter(DeadLetter("shop", "file:/var/log/\udcff.log#1", 17, "not JSON"))
    assert json.loads(packed.decode())["origin"] == "file:/var/log/\ufffd.log#1"
    assert unpack_dead_letter(packed).ordinal == 17


def _compressed(text: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(text)


@pytest.mark.parametrize(
    "unpack", [unpack_alert, unpack_chunk, unpack_dead_letter, unpack_match_batch, unpack_progress]
)
@pytest.mark.parametrize(
    "junk",
    [
        b"",
        b"\xff\xfe",
        b"null",
        b"[]",
        b"{}",
        b'{"partition": 1, "partitions": "two", "received_us": 3}',
        b'{"source": "a", "origin": "\xff", "ordinal": 1, "reason": ""}',
        _compressed(b""),
        _compressed(b"{}\n"),
        _compressed(b"[]\n"),
        _compressed(b"\xff\n"),
        _compressed(b'{"source":"s","origin":"o","first_ordinal":0,"received_at":0,"count":2,"oversized":[]}\none'),
        _compressed(b'{"source":"s","origin":"o","first_ordinal":0,"received_at":1e30,"count":1,"oversized":[]}\none'),
        _compressed(
            b'{"source":"s","origin":"o","first_ordinal":0,"received_at":0,"count":1,"lengths":[-1],"oversized":[]}\n1'
        ),
    ],
)
def test_junk_is_told_as_junk(unpack: Callable[[bytes], Any], junk: bytes) -> None:
    with pytest.raises(ValueError, match="not a"):
        unpack(junk)


def test_a_value_that_claims_to_be_enormous_is_refused_before_room_is_made_for_it() -> None:
    frame = zstandard.ZstdCompressor(write_content_size=True).compress(b"a")
    claimed = frame[:4] + bytes([0xE0]) + (1 << 45).to_bytes(8, "little") + frame[6:]
    assert zstandard.frame_content_size(claimed) == 1 << 45
    with pytest.raises(ValueError, match="larger"):
        unpack_chunk(claimed)
