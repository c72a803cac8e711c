"""Web access lines as stories: what the server wrote, and the Sigma fields in it."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breachwatch.sources.event import Event
from breachwatch.sources.registry import load_sources

Fields = Callable[..., dict[str, Any]]
TIME = "[27/Mar/2026:13:06:56 +0000]"
GET = {
    "request": "GET /a?b=c HTTP/1.1",
    "cs-method": "GET",
    "cs-uri": "/a?b=c",
    "cs-uri-stem": "/a",
    "cs-uri-query": "b=c",
    "cs-version": "1.1",
}
ASKED = '"GET /a?b=c HTTP/1.1"'
ANSWER = {"c-ip": "192.0.2.7", "sc-status": 200, "sc-bytes": 512} | GET


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (f"192.0.2.7 - - {TIME} {ASKED} 200 512", ANSWER),  # common
        (
            f'192.0.2.7 - ana {TIME} {ASKED} 200 512 "https://example.com/" "curl/8"',
            ANSWER | {"cs-username": "ana", "cs-referer": "https://example.com/", "cs-user-agent": "curl/8"},
        ),
        (f'192.0.2.7 - - {TIME} {ASKED} 200 512 "-" "-"', ANSWER),
        (f'192.0.2.7 - - {TIME} {ASKED} 200 512 "" ""', ANSWER | {"cs-referer": "", "cs-user-agent": ""}),
        (f'shop.example.com 192.0.2.7 - - {TIME} {ASKED} 200 512 "-" "-"', ANSWER | {"cs-host": "shop.example.com"}),
        (f"shop.example.com:443 2001:db8::7 - - {TIME} {ASKED} 200 512",
         ANSWER | {"cs-host": "shop.example.com:443", "c-ip": "2001:db8::7"}),
        (f"shop.example.com 192.0.2.7 - ana maria {TIME} {ASKED} 200 512",
         ANSWER | {"cs-host": "shop.example.com", "cs-username": "ana maria"}),
        (f'192.0.2.7 - - {TIME} {ASKED} 200 512 "-" "-" "203.0.113.9" 0.003', ANSWER | {"rest": '"203.0.113.9" 0.003'}),
        (f"192.0.2.7 - - {TIME} {ASKED} 200 512 0.003", ANSWER | {"rest": "0.003"}),
        (f"192.0.2.7 - ana maria {TIME} {ASKED} 200 512", ANSWER | {"cs-username": "ana maria"}),
        (f"192.0.2.7 - x [y] {TIME} {ASKED} 200 512", ANSWER | {"cs-username": "x [y]"}),
        (f"192.0.2.7 - {TIME} {ASKED} 200 512", ANSWER),
        (f'192.0.2.7 - - {TIME} "-" 408 -', {"c-ip": "192.0.2.7", "sc-status": 408}),
        (f'192.0.2.7 - - {TIME} "GET /" 400 0',
         {"c-ip": "192.0.2.7", "request": "GET /", "cs-method": "GET", "cs-uri": "/", "cs-uri-stem": "/",
          "sc-status": 400, "sc-bytes": 0}),
        (f'192.0.2.7 - - {TIME} "\\x16\\x03\\x01" 400 0',
         {"c-ip": "192.0.2.7", "request": "\\x16\\x03\\x01", "sc-status": 400, "sc-bytes": 0}),
        (f'192.0.2.7 - - {TIME} "Gh0st\\xAD" 400 0',
         {"c-ip": "192.0.2.7", "request": "Gh0st\\xad", "sc-status": 400, "sc-bytes": 0}),
        (f'192.0.2.7 - - {TIME} "" 400 0',
         {"c-ip": "192.0.2.7", "request": "", "sc-status": 400, "sc-bytes": 0}),
    ],
)  # fmt: skip
def test_each_kind_of_line_tells_its_fields(fields: Fields, line: str, expected: dict[str, Any]) -> None:
    assert fields("web-access", line) == expected


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (r"say \"hi\"", 'say "hi"'),
        (r"say \x22hi\x22", 'say "hi"'),
        (r"a\\b", r"a\b"),
        (r"a\x5Cb", r"a\b"),
        (r"caf\xC3\xA9", "café"),
        (r"\xFF\x00", r"\xff\x00"),
        (r"\x0a\x7f", r"\x0a\x7f"),  # nothing unprintable comes back to life
        (r"a\tb", r"a\tb"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
    ],
)
def test_the_servers_escapes_are_undone(fields: Fields, written: str, meant: str) -> None:
    assert fields("web-access", f'192.0.2.7 - - {TIME} {ASKED} 200 512 "-" "{written}"')["cs-user-agent"] == meant


def test_a_user_agent_cannot_pretend_to_be_the_next_field(fields: Fields) -> None:
    agent = r"x\" 200 1 \"-\" \"y"
    found = fields("web-access", f'192.0.2.7 - - {TIME} {ASKED} 403 512 "-" "{agent}"')
    assert (found["sc-status"], found["cs-user-agent"]) == (403, 'x" 200 1 "-" "y')


def test_a_user_name_cannot_pretend_to_be_the_time(at: Callable[..., str]) -> None:
    line = f"192.0.2.7 - x [01/Jan/2020:00:00:00 +0000] {TIME} {ASKED} 401 512"
    assert at("web-access", line) == "2026-03-27T13:06:56Z"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("27/Mar/2026:13:06:56 +0000", "2026-03-27T13:06:56Z"),
        ("27/Mar/2026:13:06:56 +0200", "2026-03-27T11:06:56Z"),
        ("27/Mar/2026:13:06:56 -0930", "2026-03-27T22:36:56Z"),
        ("27/Mar/2026:13:06:56", "2026-03-27T12:06:56Z"),  # none written: the zone of the settings
        ("30/Feb/2026:13:06:56 +0000", "bad time"),
        ("27/Mar/2026:13:06:56 +9900", "bad time"),
        ("27/Mrz/2026:13:06:56 +0000", "bad time"),
        ("27/Mar/1899:13:06:56 +0000", "time out of range"),
        ("31/Dec/9999:23:59:59 -2359", "time out of range"),
        ("01/Jan/0001:00:00:00 +2359", "time out of range"),
        ("30/Mar/2026:13:06:56 +0000", "time out of range"),
    ],
)
def test_its_time(at: Callable[..., str], written: str, expected: str) -> None:
    assert at("web-access", f"192.0.2.7 - - [{written}] {ASKED} 200 512", timezone="Europe/Paris") == expected


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "blank line"),
        ("2026/03/27 13:06:56 [error] 31#31: *46 open() failed", "not an access log line"),
        (f"192.0.2.7 - - {TIME} GET / 200 512", "not an access log line"),
        (f'192.0.2.7 - - {TIME} "GET / 200 512', "not an access log line"),
        (f'lonely {TIME} "GET / HTTP/1.1" 200 512', "not an access log line"),
        (b"\xff\xfe\x00", "not an access log line"),
        (f"192.0.2.7 - - {TIME} ".encode() + b'"' + b"x" * 10_485_760 + b'" 200 5', "too long"),
    ],
)
def test_what_is_no_access_line_says_why(at: Callable[..., str], line: str | bytes, reason: str) -> None:
    assert at("web-access", line) == reason


def test_bytes_that_are_no_text_do_not_hide_a_request(fields: Fields) -> None:
    line = f"192.0.2.7 - - {TIME} ".encode() + b'"GET /\xff\x00 HTTP/1.1" 200 512'
    assert fields("web-access", line)["cs-uri-stem"] == "/\\xff\\x00"


PARSE = load_sources()["web-access"].parse


@given(st.text(st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters='"\\'), min_size=1, max_size=40))
def test_any_user_agent_comes_back_as_it_was(agent: str) -> None:
    outcome = PARSE(f'192.0.2.7 - - {TIME} {ASKED} 200 512 "-" "{agent}"'.encode(), 1_775_000_000_000_000)
    assert isinstance(outcome, Event)
    assert outcome.fields.get("cs-user-agent") == (None if agent == "-" else agent)
