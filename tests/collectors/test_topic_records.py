"""Events of somebody else's topic keep their place, whatever was fetched together."""

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breachwatch.collectors.lines import MAX_RECORD_BYTES
from breachwatch.collectors.topic_records import WIDEST_GAP, chunks_of, origin_of, record_of

NOW = datetime(2026, 3, 27, tzinfo=UTC)


@dataclass(frozen=True)
class Message:
    offset: int
    value: bytes | None


@st.composite
def messages(draw: st.DrawFn) -> list[Message]:
    """Offsets that rise, with gaps here and there."""
    offset, made = draw(st.integers(0, 1 << 40)), []
    for value in draw(st.lists(st.one_of(st.none(), st.binary(max_size=300)), min_size=1, max_size=60)):
        made.append(Message(offset, value))
        offset += draw(st.sampled_from([1, 1, 1, 2, WIDEST_GAP + 1, WIDEST_GAP + 2, 500]))
    return made


@given(messages(), st.integers(1, 20), st.integers(1, 2_000))
def test_every_event_is_at_its_offset_and_what_lies_between_is_empty(
    sent: list[Message], records: int, size: int
) -> None:
    found: dict[int, bytes] = {}
    reached = sent[0].offset
    for chunk, following in chunks_of(sent, "words", "kafka:t/0", NOW, max_records=records, max_bytes=size):
        assert chunk.first_ordinal >= reached
        assert following == chunk.first_ordinal + len(chunk.records)
        assert len(chunk.records) <= records + WIDEST_GAP
        found |= dict(enumerate(chunk.records, chunk.first_ordinal))
        reached = following
    assert reached == sent[-1].offset + 1
    assert {message.offset: record_of(message.value).body for message in sent}.items() <= found.items()
    assert not any(found[offset] for offset in found.keys() - {message.offset for message in sent})


@given(messages(), st.data())
def test_fetched_in_two_parts_events_have_the_same_ids(sent: list[Message], data: st.DataObject) -> None:
    def placed(*parts: list[Message]) -> dict[int, bytes]:
        made = [chunk for part in parts for chunk, _ in chunks_of(part, "words", "kafka:t/0", NOW)]
        every = {n: record for chunk in made for n, record in enumerate(chunk.records, chunk.first_ordinal)}
        return {message.offset: every[message.offset] for message in sent}

    cut = data.draw(st.integers(0, len(sent)))
    assert placed(sent[:cut], sent[cut:]) == placed(sent)


@pytest.mark.parametrize(
    ("value", "record"),
    [
        (None, b""),
        (b"", b""),
        (b"a line\r\n", b"a line"),
        (b'{\n "a": 1\r\n}\n', b'{  "a": 1  }'),
        (b'\0\0\0\0\7{"a":1}', b'{"a":1}'),
        (b"\0\0\0\0\7binary", b"\0\0\0\0\7binary"),
    ],
)
def test_an_event_is_one_line(value: bytes | None, record: bytes) -> None:
    assert record_of(value) == (record, len(record))


def test_an_event_too_long_is_cut_and_its_true_size_told() -> None:
    (made,) = chunks_of([Message(7, b"x" * (MAX_RECORD_BYTES + 5))], "words", "kafka:t/0", NOW)
    assert made[0].oversized == ((0, MAX_RECORD_BYTES + 5),)
    assert len(made[0].records[0]) == MAX_RECORD_BYTES


def test_topics_of_one_name_on_two_clusters_are_two() -> None:
    assert origin_of("t", 3) == "kafka:t/3"
    assert origin_of("t", 3, "a:9092") == "kafka:t@a:9092/3"
