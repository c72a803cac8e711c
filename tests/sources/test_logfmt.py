"""Pairs of names and values: the strict kind servers write, and the loose kind of appliances."""

from collections.abc import Callable
from datetime import UTC
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breachwatch.sources.event import Dead, Outcome
from breachwatch.sources.formats.carriers import Carried
from breachwatch.sources.formats.logfmt import decoder

STRICT = decoder(UTC)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('msg="a \\"b\\" c\\n\\u00e9" user=ana', {"msg": 'a "b" c\né', "user": "ana"}),
        ("status=401 big=01 neg=-5 float=1.5", {"status": 401, "big": "01", "neg": -5, "float": "1.5"}),
        ("a=1 retried b=", {"a": 1, "retried": True, "b": ""}),
        ("http.method=GET x=a=b", {"http.method": "GET", "x": "a=b"}),
        ('open="never closed', {"open": "never closed"}),
        ("a=1 a=2", {"a": [1, 2]}),
    ],
)
def test_logfmt_is_read_as_it_is_written(line: str, expected: dict[str, Any]) -> None:
    assert STRICT(line, 0) == Carried(expected)


@pytest.mark.parametrize("line", ["just words here", '{"a": 1}', '="x"', "a==b c", 'Mar 27 13:06:56 h app: "x"=1'])
def test_other_lines_are_no_logfmt(line: str) -> None:
    told = STRICT(line, 0)
    assert told == Dead("not logfmt") or (isinstance(told, Carried) and "a" in told.fields)


QUOTED = st.text(st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)


@given(st.dictionaries(st.from_regex(r"[a-z]{1,6}", fullmatch=True), QUOTED, min_size=1, max_size=5))
def test_quoted_values_come_back(values: dict[str, str]) -> None:
    def quoted(value: str) -> str:
        plain = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{plain}"'

    line = " ".join(f"{key}={quoted(value)}" for key, value in values.items())
    assert STRICT(line, 0) == Carried(values)


def test_a_firewalls_line_is_read_with_its_header(fields: Callable[..., Any], at: Callable[..., str]) -> None:
    line = "Mar 27 13:06:56 fw kernel: [1.2] IN=eth0 OUT= SRC=192.0.2.7 DST=198.51.100.1 PROTO=TCP SPT=4711 DPT=22"
    told = fields("generic-key-value", line)
    assert (told["IN"], told["OUT"], told["SRC"], told["DPT"], told["syslogHost"]) == (
        "eth0",
        "",
        "192.0.2.7",
        22,
        "fw",
    )
    assert at("generic-key-value", line) == "2026-03-27T13:06:56Z"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("<189>date=2026-03-27 srcip=192.0.2.7", {"date": "2026-03-27", "srcip": "192.0.2.7"}),
        ("a=1, b=two; c='three four'|d=\"five, six\"", {"a": 1, "b": "two", "c": "three four", "d": "five, six"}),
        ("user = ana, act = login", {"user": "ana", "act": "login"}),
        ("words (user=ana) and [rule=17]", {"user": "ana", "rule": 17}),
    ],
)
def test_the_loose_kind_takes_what_appliances_write(
    fields: Callable[..., Any], line: str, expected: dict[str, Any]
) -> None:
    told = fields("generic-key-value", f"{line} timestamp=1774616816001")
    assert {key: told.get(key) for key in expected} == expected


def test_a_line_without_pairs_is_dead(parse: Callable[..., Outcome]) -> None:
    assert parse("generic-key-value", "nothing to see") == Dead("no key=value pairs")


def test_nanoseconds_are_told_from_seconds_by_their_size(at: Callable[..., str]) -> None:
    for stamp in ("1774616816", "1774616816000", "1774616816000000", "1774616816000000000"):
        assert at("generic-key-value", f"eventtime={stamp} a=b") == "2026-03-27T13:06:56Z"
