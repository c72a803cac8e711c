"""Windows event log files: each event one JSON object, a damaged one in its place and no other lost.

The log is written here by hand, since none may be shipped: one chunk, its events in binary XML without templates.
Source: the format as documented by Joachim Metz, "Windows XML Event Log (EVTX)".
"""

import gzip
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import orjson
import pytest

from breachwatch.collectors.evtx_records import DAMAGED, evtx_records, is_evtx
from breachwatch.collectors.whole_files import in_one_piece, read_records
from breachwatch.kernel.errors import ContentError
from breachwatch.sources.source import Framing

CHUNK, FIRST = 65_536, 512
TICKS_1970 = 116_444_736_000_000_000
NOON_TICKS = TICKS_1970 + 1_774_612_800 * 10_000_000


class Xml:
    """Binary XML at a place of a chunk: names stand where they are used first."""

    def __init__(self, at: int) -> None:
        self._begin, self.out = at, bytearray(b"\x0f\x01\x01\x00")

    def _name(self, text: str) -> None:
        self.out += struct.pack("<I", self._begin + len(self.out) + 4)
        value = 0
        for letter in text:
            value = (value * 65_599 + ord(letter)) & 0xFFFFFFFF
        self.out += struct.pack("<IHH", 0, value & 0xFFFF, len(text)) + text.encode("utf-16-le") + b"\0\0"

    def _text(self, text: str) -> None:
        self.out += struct.pack("<BBH", 5, 1, len(text)) + text.encode("utf-16-le")

    def element(self, name: str, text: str = "", inner: Sequence[tuple[str, str]] = (), **attributes: str) -> None:
        self.out += struct.pack("<BI", 0x41 if attributes else 0x01, 0)
        size_at = len(self.out) - 4
        self._name(name)
        if attributes:
            self.out += struct.pack("<I", 0)
            for key, value in attributes.items():
                self.out += b"\x06"
                self._name(key)
                self._text(value)
        self.out += b"\x02"
        if text:
            self._text(text)
        for child, said in inner:
            self.element(child, said)
        self.out += b"\x04"
        struct.pack_into("<I", self.out, size_at, len(self.out) - size_at - 4)


def event(at: int, number: int, user: str) -> bytes:
    """One record at a place of its chunk."""
    xml = Xml(at + 24)
    xml.out += struct.pack("<BI", 0x01, 0)
    xml._name("Event")
    xml.out += b"\x02"
    xml.element("System", inner=[("EventID", "4624"), ("Computer", "pc.example.com")])
    xml.element("EventData", inner=[("TargetUserName", user)])
    xml.out += b"\x04\x00"
    size = 24 + len(xml.out) + 4
    return (
        struct.pack("<4sIQQ", b"**\0\0", size, number, NOON_TICKS + number) + bytes(xml.out) + struct.pack("<I", size)
    )


def event_log(users: Sequence[str], spoil: int = -1) -> bytes:
    """A file of one event a user; `spoil`: which of them is made unreadable."""
    records = bytearray()
    last = FIRST
    for number, user in enumerate(users, 1):
        last = FIRST + len(records)
        record = bytearray(event(last, number, user))
        if number - 1 == spoil:
            record[24:34] = b"\xff" * 10
        records += record
    head = struct.pack(
        "<8sQQQQIIII", b"ElfChnk\0", 1, len(users), 1, len(users), 128, last, FIRST + len(records), zlib.crc32(records)
    ).ljust(120, b"\0")
    tables = bytes(FIRST - 128)
    chunk = head + struct.pack("<II", 0, zlib.crc32(head + tables)) + tables + records
    begin = struct.pack("<8sQQQIHHHH", b"ElfFile\0", 0, 0, len(users) + 1, 128, 1, 3, 4096, 1).ljust(120, b"\0")
    return (begin + struct.pack("<II", 0, zlib.crc32(begin))).ljust(4096, b"\0") + chunk.ljust(CHUNK, b"\0")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "Security.evtx"
    path.write_bytes(event_log(["ana", "bob", "cho"]))
    return path


def names(path: Path) -> list[str]:
    found = [orjson.loads(record.body) for record in evtx_records(path, lambda _size: None)]
    return [each["Event"]["EventData"]["TargetUserName"] for each in found]


def test_each_event_is_one_object(log: Path) -> None:
    told: list[int] = []
    first = orjson.loads(next(evtx_records(log, told.append)).body)
    assert first["Event"]["System"]["EventID"] in {4624, "4624"}
    assert first["Event"]["System"]["Computer"] == "pc.example.com"
    assert names(log) == ["ana", "bob", "cho"]


def test_how_far_it_is_comes_out_at_the_size_of_the_file(log: Path) -> None:
    told: list[int] = []
    assert len(list(evtx_records(log, told.append))) == 3
    assert sum(told) == log.stat().st_size


def test_it_is_told_by_its_first_bytes_packed_or_not(log: Path, tmp_path: Path) -> None:
    packed = tmp_path / "x.gz"
    packed.write_bytes(gzip.compress(log.read_bytes()))
    other = tmp_path / "Security.json"
    other.write_bytes(b'{"Event": 1}')
    assert [is_evtx(log), is_evtx(packed), is_evtx(other)] == [True, True, False]
    assert names(packed) == ["ana", "bob", "cho"]
    assert in_one_piece(log, Framing("json"))


def test_a_source_of_json_reads_event_logs_like_any_other_file(log: Path) -> None:
    assert [at for at, _ in read_records(log, Framing("json"), lambda _size: None)] == [0, 1, 2]


def test_a_damaged_event_is_lost_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.evtx"
    path.write_bytes(event_log(["ana", "bob", "cho"], spoil=1))
    found = list(evtx_records(path, lambda _size: None))
    assert found[1] == DAMAGED
    assert [b"ana" in found[0].body, b"cho" in found[2].body, len(found)] == [True, True, 3]


def test_what_only_begins_like_an_event_log_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.evtx"
    path.write_bytes(b"ElfFile\0" + b"\xff" * 100)
    with pytest.raises(ContentError, match=r"x\.evtx: is no whole event log"):
        list(evtx_records(path, lambda _size: None))
