"""LEEF, both versions: what parts attributes, and how a device tells its time."""

from collections.abc import Callable
from typing import Any

import pytest

from breachwatch.sources.event import Dead, Outcome

ONE = "LEEF:1.0|Acme|Wall|1.0|4000|"
TWO = "LEEF:2.0|Acme|Wall|1.0|4000|"
TIME = "devTime=1774616816001"


@pytest.mark.parametrize(
    "line",
    [
        f"{ONE}src=192.0.2.7\tusrName=ana=maria\t{TIME}",
        f"{TWO}^|src=192.0.2.7^usrName=ana=maria^{TIME}",
        f"{TWO}x5E|src=192.0.2.7^usrName=ana=maria^{TIME}",
        f"{TWO}0x09|src=192.0.2.7\tusrName=ana=maria\t{TIME}",
        f"{TWO}|src=192.0.2.7\tusrName=ana=maria\t{TIME}",
        f"{TWO}src=192.0.2.7\tusrName=ana=maria\t{TIME}",
        f"{TWO}\t|src=192.0.2.7\tusrName=ana=maria\t{TIME}",
        f"<13>Mar 27 13:06:56 gw {ONE}src=192.0.2.7\tusrName=ana\\=maria\t{TIME}",
    ],
)
def test_attributes_are_parted_by_tabs_or_by_what_the_header_says(fields: Callable[..., Any], line: str) -> None:
    told = fields("generic-leef", line)
    assert (told["src"], told["usrName"], told["eventId"]) == ("192.0.2.7", "ana=maria", "4000")


@pytest.mark.parametrize(
    ("attributes", "time"),
    [
        ("devTime=Mar 27 2026 13:06:56", "2026-03-27T13:06:56Z"),
        ("devTime=2026-03-27 13:06:56\tdevTimeFormat=yyyy-MM-dd HH:mm:ss", "2026-03-27T13:06:56Z"),
        ("devTime=27/03/2026 at 01:06 PM\tdevTimeFormat=dd/MM/yyyy 'at' hh:mm a", "2026-03-27T13:06:00Z"),
        (
            "devTime=2026-03-27T13:06:56.123+0200\tdevTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSZ",
            "2026-03-27T11:06:56.123000Z",
        ),
        ("devTime=1774616816\tdevTimeFormat=QQQ", "2026-03-27T13:06:56Z"),
        ("devTime=later\tdevTimeFormat=yyyy", "bad time"),
        ("src=192.0.2.7", "no time in devTime"),
    ],
)
def test_a_device_may_say_how_its_time_is_written(at: Callable[..., str], attributes: str, time: str) -> None:
    assert at("generic-leef", ONE + attributes) == time


@pytest.mark.parametrize("line", ["hello", "LEEF:3.0|a|b|c|d|", "LEEF:1.0|a|b|c", "LEEF:1.0"])
def test_what_is_no_leef_is_dead(parse: Callable[..., Outcome], line: str) -> None:
    assert parse("generic-leef", line) == Dead("not LEEF")
