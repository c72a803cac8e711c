"""CSV files cut into records: a record ends with a line feed outside quotes; a header row gives the values names."""

import re
from collections.abc import Sequence

import orjson

from breachwatch.collectors.lines import MAX_RECORD_BYTES, CappedBuffer, Record
from breachwatch.sources.formats.csv_lines import splitter

_SIGNS = (",", ";", "\t", "|")
_NAME = re.compile(r"[\w .:()/@#-]{1,200}")


class CsvSplitter:
    """Cuts a stream of bytes into rows. Line feeds within a row become blanks, so that a record stays one line.

    Args:
        max_bytes: how much of an over-long row is kept.
    """

    def __init__(self, max_bytes: int = MAX_RECORD_BYTES) -> None:
        self._row = CappedBuffer(max_bytes)
        self._quoted = False

    def feed(self, data: bytes) -> list[Record]:
        """Take the next bytes; returns the rows they complete."""
        first, *others = data.split(b"\n")
        records: list[Record] = []
        self._add(first)
        for line in others:
            if self._quoted:
                self._row.add(b" ")
            else:
                records.append(self._row.take())
            self._add(line)
        return records

    def _add(self, part: bytes) -> None:
        self._row.add(part)
        self._quoted ^= bool(part.count(b'"') & 1)

    def flush(self) -> list[Record]:
        """The stream has ended: what is left is a row too, unless nothing is."""
        self._quoted = False
        return [self._row.take()] if self._row.size else []


def header_of(head: bytes) -> tuple[list[str], str] | None:
    """The column names of a file's first row and what parts them; None when that row is no header."""
    row = head.split(b"\n", 1)[0].decode("utf-8", "replace").rstrip("\r")
    if row.lstrip().startswith(("{", "[", "<")):
        return None
    for sign in _SIGNS:
        names = [name or "" for name in splitter(sign)(row)]
        if len(names) > 1:
            good = all(_NAME.fullmatch(name) and not name[0].isdigit() for name in names if name)
            return (names, sign) if good and len(set(names)) == len(names) and names[0] else None
    return None


class TableSplitter:
    """Cuts a CSV file with a header into JSON objects, a row each, or into the JSON texts of one of its columns.

    The header is no record. An absent value makes no key; values beyond the header are called `column_27` by place.

    Args:
        names: the columns.
        sign: what parts them.
        column: the column whose text is the record, if there is one of that name.
        max_bytes: how much of an over-long row is kept.
    """

    def __init__(self, names: Sequence[str], sign: str, column: str = "", max_bytes: int = MAX_RECORD_BYTES) -> None:
        self._rows = CsvSplitter(max_bytes)
        self._split = splitter(sign)
        self._names = names
        self._column = names.index(column) if column in names else None
        self._header_passed = False

    def feed(self, data: bytes) -> list[Record]:
        """Take the next bytes; returns the records they complete."""
        return self._made(self._rows.feed(data))

    def flush(self) -> list[Record]:
        """The stream has ended: what is left is a record too."""
        return self._made(self._rows.flush())

    def _made(self, rows: list[Record]) -> list[Record]:
        if rows and not self._header_passed:
            self._header_passed = True
            rows = rows[1:]
        return [self._record(row) for row in rows if row.body.strip()]

    def _record(self, row: Record) -> Record:
        if row.size > len(row.body):
            return row
        values = self._split(row.body.decode("utf-8", "replace"))
        if self._column is not None:
            cell = values[self._column] if self._column < len(values) else None
            text = (cell or "").encode("utf-8", "replace")
        else:
            made = orjson.dumps(
                {
                    self._names[place] if place < len(self._names) else f"column_{place + 1}": value
                    for place, value in enumerate(values)
                    if value is not None
                }
            )
            text = bytes(
                memoryview(made)
            )  # what orjson gives holds on to its buffer, ten times the room of a short row
        return Record(text, len(text))
