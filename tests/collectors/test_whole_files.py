"""Whole files for a replay: how a file is cut follows from its source and its bytes, and every record has its place."""

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from breachwatch.collectors.whole_files import in_one_piece, read_records, read_whole
from breachwatch.kernel.errors import ContentError
from breachwatch.sources.source import Framing

AT = datetime(2026, 3, 27, 13, tzinfo=UTC)
JSON = Framing("json", ("Records",), "AuditData")


def bodies(path: Path, framing: Framing) -> list[bytes]:
    return [record.body for _, record in read_records(path, framing, lambda _size: None)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.log"


def test_lines_are_records_of_a_text_source_whatever_they_look_like(path: Path) -> None:
    path.write_bytes(b"[1,\n2]\n\nlast")
    assert bodies(path, Framing()) == [b"[1,", b"2]", b"", b"last"]


@pytest.mark.parametrize(
    "data",
    [
        b'{"a": 1}\n{"b": 2}\n',
        b'[{"a": 1},{"b": 2}]',
        b'{"a": 1}{"b": 2}',
        b'{"Records":[{"a": 1},{"b": 2}]}\n',
        b'\xef\xbb\xbf{"Records": [\n{"a": 1},\n{"b": 2}\n]}',
        b'Id,AuditData\r\n1,"{""a"": 1}"\r\n2,"{""b"": 2}"\r\n',
        json.dumps([{"a": 1}, {"b": 2}], indent=4).encode(),
        '[{"a": 1}, {"b": 2}]'.encode("utf-16"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_a_json_source_takes_every_shape_in_which_its_records_come(path: Path, data: bytes, packed: bool) -> None:
    path.write_bytes(gzip.compress(data) if packed else data)
    assert [json.loads(body) for body in bodies(path, JSON)] == [{"a": 1}, {"b": 2}]


def test_a_record_that_is_no_json_keeps_its_place(path: Path) -> None:
    path.write_bytes(b'{"a": 1}\nnonsense\n{"b": 2}\n')
    assert [at for at, record in read_records(path, JSON, lambda _size: None) if b"{" in record.body] == [0, 2]


def test_rows_of_a_csv_source_may_span_lines(path: Path) -> None:
    path.write_bytes(b'1,"two\nlines"\n2,x\n')
    assert bodies(path, Framing("csv")) == [b'1,"two lines"', b"2,x"]


@pytest.mark.parametrize(
    ("data", "framing", "whole"),
    [
        (b'{"a": 1}\n{"b": 2}\n', JSON, False),
        (b'[{"a": 1}]', JSON, True),
        (b"a,b\n1,2\n", JSON, True),
        (b"a line\n", Framing(), False),
        (b"\xef\xbb\xbfa line\n", Framing(), True),
        (gzip.compress(b"a line\n"), Framing(), True),
        (b"1,2\n", Framing("csv"), True),
    ],
)
def test_only_plain_lines_can_be_read_from_any_line_end(path: Path, data: bytes, framing: Framing, whole: bool) -> None:
    path.write_bytes(data)
    assert in_one_piece(path, framing) is whole


class TestChunks:
    def test_a_whole_file_and_how_far_it_is(self, path: Path) -> None:
        path.write_bytes(b"".join(b"%d\n" % n for n in range(2_500)) + b"end")
        told: list[int] = []
        chunks = list(read_whole(path, "linux-sshd", AT, told.append))
        assert [len(chunk.records) for chunk in chunks] == [1_000, 1_000, 501]
        assert chunks[-1].records[-1] == b"end"
        assert sum(told) == path.stat().st_size

    def test_a_packed_file_reads_the_same(self, path: Path) -> None:
        path.write_bytes(gzip.compress(b"1\n2\n"))
        told: list[int] = []
        chunks = list(read_whole(path, "linux-sshd", AT, told.append))
        assert [chunk.records for chunk in chunks] == [(b"1", b"2")]
        assert sum(told) == path.stat().st_size

    def test_a_record_beyond_a_mebibyte_is_cut_and_its_size_told(self, path: Path) -> None:
        path.write_bytes(b'[{"a": "' + b"x" * (3 << 20) + b'"}, {"b": 1}]')
        long, short = read_whole(path, "generic-json", AT, lambda _size: None, JSON)
        assert [len(record) for record in long.records] == [1 << 20]
        assert long.oversized == ((0, (3 << 20) + 9),)
        assert (short.first_ordinal, short.records) == (1, (b'{"b": 1}',))

    def test_a_broken_packed_file_gives_what_it_has_and_says_so(self, path: Path) -> None:
        path.write_bytes(gzip.compress(b"1\n" * 1_000_000)[:-9])
        got: list[int] = []
        with pytest.raises(ContentError, match="no whole gzip file"):
            got.extend(len(chunk.records) for chunk in read_whole(path, "linux-sshd", AT, lambda _size: None))
        assert sum(got) > 500_000

    @pytest.mark.parametrize("behind", [b"", b"junk"])
    def test_a_small_broken_packed_file_gives_what_it_has_too(self, path: Path, behind: bytes) -> None:
        whole = gzip.compress(b"1\n2\n")
        path.write_bytes(whole + (behind or whole[:-9]))
        got: list[bytes] = []
        chunks = read_whole(path, "linux-sshd", AT, lambda _size: None)
        with pytest.raises(ContentError, match="no whole gzip file"):
            got.extend(record for chunk in chunks for record in chunk.records)
        assert got[:2] == [b"1", b"2"]
