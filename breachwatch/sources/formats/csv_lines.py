"""Rows of comma-separated values whose columns a definition names; a quote that is never closed ends with the record.

A value is absent where nothing stands between two delimiters, and empty where `""` does, as PostgreSQL writes them.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

from breachwatch.sources.event import Dead, Ignored
from breachwatch.sources.formats.carriers import MAX_FIELDS, Carried, Decode

NOT_CSV = Dead("not CSV")
HEADER = Ignored("names of columns")
TOO_FEW = Dead("too few columns")


def splitter(delimiter: str = ",") -> Callable[[str], list[str | None]]:
    """A function that splits a row; an absent value is None. It stops after 2,000 values."""
    sign = re.escape(delimiter)
    value = re.compile(rf'(?:"([^"]*+(?:""[^"]*+)*)(?:"|\Z))?([^{sign}]*+)({sign}|\Z)')

    def split(row: str) -> list[str | None]:
        if '"' not in row:  # most rows, at a fifth of the cost
            return [plain or None for plain in row.split(delimiter, MAX_FIELDS)[:MAX_FIELDS]]
        values: list[str | None] = []
        at, going = 0, True
        while going and len(values) < MAX_FIELDS:
            found = value.match(row, at)
            if found is None:  # the pattern matches anywhere
                break
            quoted, rest, end = found.groups()
            if quoted is None:
                values.append(rest or None)
            else:
                values.append(quoted.replace('""', '"') + rest)
            at, going = found.end(), bool(end)
        return values

    return split


def decoder(columns: Sequence[str], delimiter: str = ",", at_least: int = 2) -> Decode:
    """A decoder of rows; values beyond the named columns are called `column_27` by their place, counted from 1.

    The row that names the columns, with which many files begin, is ignored.
    """
    split = splitter(delimiter)
    named = list(columns)

    def decode(text: str, _received_us: int) -> Carried | Ignored | Dead:
        values = split(text)
        if values == named[: len(values)]:
            return HEADER
        if len(values) < at_least:
            return TOO_FEW
        fields: dict[str, Any] = {
            name: value for name, value in zip(columns, values, strict=False) if value is not None
        }
        for place in range(len(columns), len(values)):
            if values[place] is not None:
                fields[f"column_{place + 1}"] = values[place]
        return Carried(fields)

    return decode
