"""CSV exports: rows that span lines, headers that name values, and a column that holds the record itself."""

import csv
import io

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from breachwatch.collectors.csv_records import CsvSplitter, TableSplitter, header_of


def rows(data: bytes, step: int = 1_000) -> list[bytes]:
    splitter = CsvSplitter()
    found = [each for at in range(0, len(data), step) for each in splitter.feed(data[at : at + step])]
    return [record.body for record in found + splitter.flush()]


def test_a_row_ends_with_a_line_feed_outside_quotes() -> None:
    assert rows(b'1,"a\nb",2\r\n3,"c ""d"" e",4\n') == [b'1,"a b",2', b'3,"c ""d"" e",4']
    assert rows(b'1,"a\nb",2\r\n3,c', 1) == [b'1,"a b",2', b"3,c"]


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b'"RecordType","CreationDate","AuditData"\n"x"', (["RecordType", "CreationDate", "AuditData"], ",")),
        (b"time;name;ip\r\n", (["time", "name", "ip"], ";")),
        (b"a\tb\n", (["a", "b"], "\t")),
        (b"1774616816,x,y\n", None),
        (b'{"a": 1, "b": 2}\n', None),
        (b"alone\n", None),
        (b"a,a\n", None),
        (b"", None),
        (b'192.0.2.7 - - [27/Mar/2026:13:06:56 +0000] "GET /a,b HTTP/1.1" 200 1\n', None),
    ],
)
def test_a_header_is_told_from_a_row(head: bytes, expected: tuple[list[str], str] | None) -> None:
    assert header_of(head) == expected


def test_a_row_becomes_an_object() -> None:
    splitter = TableSplitter(["time", "user", "note"], ",")
    found = splitter.feed(b'time,user,note\n1,ana,"a ""b"""\n2,,\n\n3,"",x,more\n')
    assert [orjson.loads(record.body) for record in found] == [
        {"time": "1", "user": "ana", "note": 'a "b"'},
        {"time": "2"},
        {"time": "3", "user": "", "note": "x", "column_4": "more"},
    ]


def test_a_column_may_hold_the_record() -> None:
    splitter = TableSplitter(["Id", "AuditData"], ",", "AuditData")
    found = splitter.feed(b'Id,AuditData\n1,"{""a"": ""b""}"\n2,\n')
    assert [record.body for record in found] == [b'{"a": "b"}', b""]
    assert splitter.flush() == []


def test_without_that_column_the_row_is_the_record() -> None:
    splitter = TableSplitter(["Id", "Other"], ",", "AuditData")
    assert orjson.loads(splitter.feed(b"Id,Other\n1,2\n")[0].body) == {"Id": "1", "Other": "2"}


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n", exclude_categories=["Cs"]), max_size=8)


@given(st.lists(st.lists(TEXT, min_size=2, max_size=2), max_size=4), st.integers(1, 30))
def test_what_a_csv_writer_writes_comes_back(values: list[list[str]], step: int) -> None:
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    writer.writerow(["one", "two"])
    writer.writerows(values)
    data = out.getvalue().encode()
    splitter = TableSplitter(["one", "two"], ",")
    found = [each for at in range(0, len(data), step) for each in splitter.feed(data[at : at + step])]
    assert [list(orjson.loads(record.body).values()) for record in found + splitter.flush()] == values
