"""The frame of syslog lines: every way in which a host and its programs are written down."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from breachwatch.kernel.time import to_microseconds
from breachwatch.sources.event import Outcome
from breachwatch.sources.formats.syslog import Line, reader

SAID = "Failed password for ana from 192.0.2.7 port 4711 ssh2"
NOON = to_microseconds(datetime(2026, 3, 28, 12, tzinfo=UTC))


@pytest.mark.parametrize(
    ("line", "host", "pid"),
    [
        (f"Mar 27 13:06:56 shop sshd[71]: {SAID}", "shop", 71),
        (f"<38>Mar 27 13:06:56 shop sshd[71]: {SAID}", "shop", 71),
        (f"Mar 27 2026 13:06:56 shop sshd[71]: {SAID}", "shop", 71),
        (f"Mar 27 13:06:56 shop sshd: {SAID}", "shop", None),
        (f"Mar 27 13:06:56 sshd[71]: {SAID}", None, 71),
        (f"Mar 27 13:06:56 [sshd]: {SAID}", None, None),
        (f"Mar 27 13:06:56 [sshd] {SAID}", None, None),
        (f"2026-03-27T13:06:56.000000+00:00 shop sshd[71]: {SAID}", "shop", 71),
        (f"2026-03-27T14:06:56+0100 shop sshd[71]: {SAID}", "shop", 71),  # journalctl -o short-iso
        (f"2026-03-27T13:06:56Z 2001:db8::1 sshd[71]: {SAID}", "2001:db8::1", 71),
        (f"<38>1 2026-03-27T13:06:56Z shop sshd 71 - - {SAID}", "shop", 71),
        (f"<38>1 2026-03-27T13:06:56Z - sshd - - - \ufeff{SAID}", None, None),
        (f'<38>1 2026-03-27T13:06:56Z shop sshd 71 ID [a@1 b="]\\"["][c d="e"] {SAID}', "shop", 71),
        (f"Mar 27 13:06:56 shop sshd[71]: {SAID}\r", "shop", 71),
    ],
)
def test_a_line_is_read_in_each_dialect(
    parse: Callable[..., Outcome], fields: Callable[..., dict[str, Any]], line: str, host: str | None, pid: int | None
) -> None:
    found = fields("linux-sshd", line)
    assert (found.get("host"), found.get("pid"), found["message"]) == (host, pid, SAID)
    assert parse("linux-sshd", line).at_us == to_microseconds(datetime(2026, 3, 27, 13, 6, 56, tzinfo=UTC))  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "blank line"),
        (" \r\n", "blank line"),
        ("sshd[71]: no time at all", "not a syslog line"),
        ('{"json": "sshd"}', "not a syslog line"),
        ("Mar 27 13:06:56 shop last message repeated 2 times", "not sshd"),
        ("Mar 27 13:06:56 sshd last message repeated 2 times", "repeat of an unknown line"),
        ("Feb 30 13:06:56 shop sshd[71]: x", "bad time"),
        ("Mar 27 25:06:56 shop sshd[71]: x", "bad time"),
        ("Foo 27 13:06:56 shop sshd[71]: x", "bad time"),
        ("2026-13-27T13:06:56Z shop sshd[71]: x", "bad time"),
        ("1899-12-31T23:59:59Z shop sshd[71]: x", "time out of range"),
        ("9999-12-31T23:59:59Z shop sshd[71]: x", "time out of range"),
        ("Mar 27 1899 13:06:56 shop sshd[71]: x", "time out of range"),
        ("Mar 27 9999 13:06:56 shop sshd[71]: x", "time out of range"),
        ("<38>1 2026-03-27T13:06:56Z shop sshd", "not a syslog line"),
    ],
)
def test_what_is_no_line_says_why(at: Callable[..., str], line: str, reason: str) -> None:
    assert at("linux-sshd", line) == reason


def test_a_record_beyond_a_mebibyte_is_too_long_to_read(at: Callable[..., str]) -> None:
    assert at("linux-sshd", b"Mar 27 13:06:56 shop sshd[71]: " + b"x" * 10_485_760) == "too long"


def test_the_reader_alone_gives_lines_of_any_program() -> None:
    line = reader(ZoneInfo("UTC"))(b"Mar 27 13:06:56.25 shop /usr/sbin/cron[9]: done", NOON)
    assert line == Line(
        to_microseconds(datetime(2026, 3, 27, 13, 6, 56, 250_000, tzinfo=UTC)), "shop", "cron", 9, "done"
    )
