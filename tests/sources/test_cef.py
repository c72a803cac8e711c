"""CEF as devices write it: escapes, values with blanks, labels, syslog in front, and times of every allowed form."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breachwatch.sources.event import Dead, Event, Outcome
from breachwatch.sources.registry import load_sources

HEAD = "CEF:0|Acme|Wall|1.0|100|Signed in|7|"
NOON_US = 1_774_700_000_000_000
SOURCE = load_sources()["generic-cef"]


def read(extension: str, head: str = HEAD) -> dict[str, Any]:
    outcome = SOURCE.parse((head + "rt=1774616816001 " + extension).encode(), NOON_US)
    assert isinstance(outcome, Event), outcome
    return outcome.fields


def test_the_header_becomes_fields_and_its_escapes_are_undone() -> None:
    fields = read("", r"CEF:1|Ac\|me|W\\all|1.0|login:1| Signed \= in |Very-High|")
    assert (fields["cefVersion"], fields["deviceVendor"], fields["deviceProduct"]) == (1, "Ac|me", r"W\all")
    assert (fields["deviceEventClassId"], fields["name"], fields["severity"]) == ("login:1", "Signed = in", "Very-High")


@pytest.mark.parametrize(
    ("extension", "expected"),
    [
        ("suser=ana maria src=192.0.2.7", {"suser": "ana maria", "src": "192.0.2.7"}),
        (r"msg=a\=b\\c\nd", {"msg": "a=b\\c\nd"}),
        ("request=https://example.com/?a=1&b=2 spt=4711", {"request": "https://example.com/?a=1&b=2", "spt": 4711}),
        ("msg=a|b|c", {"msg": "a|b|c"}),
        ("suser= dpt=22", {"suser": "", "dpt": 22}),
        (r"filePath=C:\\Users\\ana", {"filePath": r"C:\Users\ana"}),
        ("cs1Label=Rule Name cs1=block all", {"cs1": "block all", "custom": {"Rule Name": "block all"}}),
        ("act=a act=b", {"act": ["a", "b"]}),
        ("name=other", {"name": "Signed in", "ext.name": "other"}),
        ("ad.field[0]=x", {"ad.field[0]": "x"}),
    ],
)
def test_values_run_to_the_next_key(extension: str, expected: dict[str, Any]) -> None:
    fields = read(extension)
    assert {key: fields.get(key) for key in expected} == expected


@pytest.mark.parametrize(
    ("line", "time"),
    [
        (HEAD + "rt=1774616816001", "2026-03-27T13:06:56.001000Z"),
        (HEAD + "rt=Mar 27 2026 13:06:56", "2026-03-27T13:06:56Z"),
        (HEAD + "rt=Mar 27 13:06:56.123", "2026-03-27T13:06:56.123000Z"),
        (HEAD + "rt=Mar 27 2026 13:06:56.123 CET", "2026-03-27T12:06:56.123000Z"),
        (HEAD + "rt=Mar 27 2026 13:06:56 GMT+02:00", "2026-03-27T11:06:56Z"),
        (HEAD + "start=2026-03-27T13:06:56+01:00", "2026-03-27T12:06:56Z"),
        (HEAD + "rt=soon end=1774616816", "2026-03-27T13:06:56Z"),
        ("<134>Mar 27 13:06:56 fw1 " + HEAD + "src=192.0.2.7", "2026-03-27T13:06:56Z"),
        ("<134>1 2026-03-27T13:06:56+01:00 fw1 acme - - - " + HEAD + "src=192.0.2.7", "2026-03-27T12:06:56Z"),
        (HEAD + "src=192.0.2.7", "no time in rt or end or start or deviceReceiptTime"),
        (HEAD + "rt=soon", "bad time"),
        (HEAD + "rt=Mar 32 2026 13:06:56", "bad time"),
        (HEAD + "rt=Mar 27 2026 13:06:56 XYZ", "bad time"),
    ],
)
def test_the_time_is_the_devices_else_that_of_the_syslog_header(at: Callable[..., str], line: str, time: str) -> None:
    assert at("generic-cef", line) == time


@pytest.mark.parametrize("line", ["hello", "CEF:0|a|b|c", "CEF:x|a|b|c|d|e|f|rt=1", "CEF:0|a|b|c|d|e"])
def test_what_is_no_cef_is_dead(parse: Callable[..., Outcome], line: str) -> None:
    assert parse("generic-cef", line) == Dead("not CEF")


def test_the_host_of_the_syslog_header_and_the_severity_reach_ocsf() -> None:
    raw = f"<134>Mar 27 13:06:56 fw1 {HEAD}src=192.0.2.7 outcome=failure".encode()
    outcome = SOURCE.parse(raw, NOON_US)
    assert isinstance(outcome, Event)
    told = SOURCE.to_ocsf(outcome)
    assert (told["device"], told["severity_id"], told["status"]) == ({"hostname": "fw1"}, 4, "Failure")
    assert told["metadata"]["product"] == {"vendor_name": "Acme", "name": "Wall", "version": "1.0"}


def test_somebody_who_writes_thousands_of_keys_fills_no_memory(parse: Callable[..., Outcome]) -> None:
    assert parse("generic-cef", HEAD + " ".join(f"k{n}=1" for n in range(2_001))) == Dead("too many fields")


VALUE = st.text(st.characters(codec="utf-8", exclude_characters="\0\r", exclude_categories=["Cs"]), max_size=20)


@given(st.dictionaries(st.from_regex(r"[a-z]{1,6}x", fullmatch=True), VALUE, max_size=6))
def test_what_is_escaped_as_the_standard_says_comes_back(values: dict[str, str]) -> None:
    def escaped(value: str) -> str:
        return value.replace("\\", "\\\\").replace("=", "\\=").replace("\n", "\\n")

    told = {key: value.strip() for key, value in values.items()}
    fields = read(" ".join(f"{key}={escaped(value)}" for key, value in told.items()))
    assert {key: fields[key].strip() for key in told} == told
