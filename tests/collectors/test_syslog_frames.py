"""Which bytes are one message (RFC 6587, RFC 5426), and which part the application wrote (RFC 5424, RFC 3164)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breachwatch.collectors.lines import Record
from breachwatch.collectors.syslog_frames import Framer, datagram, unwrapped

NEW = b"<34>1 2026-03-27T13:00:00Z web-1.example.com shop 111 ID47 - "
OLD = b"<34>Mar 27 13:00:00 web-1 sshd[2001]: "


def counted(message: bytes) -> bytes:
    return b"%d %s" % (len(message), message)


def bodies(records: list[Record]) -> list[bytes]:
    return [record.body for record in records]


class TestFraming:
    def test_rfc_6587_3_4_1_octet_counting(self) -> None:
        assert bodies(Framer().feed(counted(OLD + b"one") + counted(NEW + b"two"))) == [OLD + b"one", NEW + b"two"]

    def test_rfc_6587_3_4_2_a_line_feed_ends_a_message(self) -> None:
        assert bodies(Framer().feed(OLD + b"one\n" + NEW + b"two\r\n")) == [OLD + b"one", NEW + b"two"]

    def test_one_sender_may_mix_both(self) -> None:
        data = counted(OLD + b"one") + OLD + b"two\n" + counted(OLD + b"three") + b"\n" + counted(OLD + b"four")
        assert [body[-3:] for body in bodies(Framer().feed(data))] == [b"one", b"two", b"ree", b"our"]

    def test_a_line_that_begins_with_digits_is_no_count(self) -> None:
        assert bodies(Framer().feed(b"2026-03-27T13:00:00Z plain\n12 monkeys\n")) == [
            b"2026-03-27T13:00:00Z plain",
            b"12 monkeys",
        ]

    def test_a_counted_message_of_several_lines_stays_one_record(self) -> None:
        assert bodies(Framer().feed(counted(OLD + b"a\nb\n"))) == [OLD + b"a#012b"]

    def test_a_nul_at_the_end_is_framing(self) -> None:
        assert bodies(Framer().feed(OLD + b"one\0\n")) == [OLD + b"one"]

    def test_what_a_sender_leaves_unfinished_is_a_record_too(self) -> None:
        framer = Framer()
        assert framer.feed(OLD + b"one\n" + b"400 " + OLD + b"cut") == [Record(OLD + b"one", len(OLD) + 3)]
        assert bodies(framer.flush()) == [OLD + b"cut"]
        assert framer.flush() == []

    def test_a_message_too_long_is_cut_and_the_next_one_is_not(self) -> None:
        framer = Framer(max_bytes=50)
        long = OLD + b"x" * 500
        records = framer.feed(counted(long) + OLD + b"y" * 500 + b"\n" + counted(OLD + b"z"))
        assert records == [
            Record(long[:50], len(long)),
            Record((OLD + b"y" * 12)[:50], len(long)),
            Record(OLD + b"z", 39),
        ]

    @given(st.lists(st.integers(1, 40), max_size=8), st.booleans())
    def test_where_the_stream_is_cut_does_not_matter(self, cuts: list[int], last: bool) -> None:
        data = counted(OLD + b"one") + OLD + b"two\n" + counted(NEW + b"three") + (OLD + b"four\n" if last else b"")
        framer, at, records = Framer(), 0, []
        for size in cuts:
            records += framer.feed(data[at : at + size])
            at += size
        records += framer.feed(data[at:])
        assert records == Framer().feed(data)

    @given(st.lists(st.binary(max_size=40), max_size=5))
    def test_no_bytes_break_it(self, parts: list[bytes]) -> None:
        framer = Framer(max_bytes=16)
        records = [record for part in parts for record in framer.feed(part)] + framer.flush()
        assert all(b"\n" not in record.body.replace(b"#012", b"") for record in records)


def test_rfc_5426_a_datagram_is_a_message() -> None:
    assert datagram(OLD + b"one\n") == Record(OLD + b"one", len(OLD) + 3)
    assert datagram(b"\n\0") is None


class TestUnwrapping:
    @pytest.mark.parametrize(
        "head",
        [
            NEW,
            b"<165>1 2026-03-27T13:00:00.000003-07:00 192.0.2.1 myproc 8710 - - ",
            b'<165>1 2026-03-27T13:00:00Z web-1 app - ID47 [x@32473 iut="3" q="a \\"b\\] c"][y@32473 z=""] ',
            b"<34>1 - - - - - - \xef\xbb\xbf",
            OLD,
            b"<34>Mar  7 13:00:00 web-1 nginx: ",
            b"<34>2026-03-27T13:00:00+01:00 web-1 nginx[1]: ",
            OLD + b"@cee: ",
            b"<13>",
            b"",
        ],
    )
    def test_msg_alone_is_left(self, head: bytes) -> None:
        record = unwrapped(Record(head + b'{"action": "read"}', len(head) + 18))
        assert record == Record(b'{"action": "read"}', 18)

    def test_a_cut_message_keeps_what_its_true_size_adds(self) -> None:
        assert unwrapped(Record(NEW + b"abc", len(NEW) + 1_000)) == Record(b"abc", 1_000)

    @given(st.binary(max_size=60))
    def test_no_bytes_break_it(self, body: bytes) -> None:
        message = b"<1>1 " + body
        assert message.endswith(unwrapped(Record(message, len(message))).body)
