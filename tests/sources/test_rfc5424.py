"""RFC 5424: header, structured data and message as fields. The examples are made after its section 6.5."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from breachwatch.sources.event import Dead, Event, Outcome
from breachwatch.sources.registry import load_sources

HEAD = "<165>1 2026-03-27T13:06:56.003Z host.example.com app 71 ID47"


def test_every_part_has_a_name(fields: Callable[..., Any], at: Callable[..., str]) -> None:
    line = rf'{HEAD} [ex@32473 iut="3" source="A\"pp\]\\"][b x="1" x="2"] {chr(0xFEFF)}hello'
    told = fields("generic-rfc5424", line)
    assert (told["facility"], told["severity"], told["hostname"], told["appname"]) == (20, 5, "host.example.com", "app")
    assert (told["procid"], told["msgid"], told["message"]) == ("71", "ID47", "hello")
    assert told["structured"] == {"ex@32473": {"iut": "3", "source": 'A"pp]\\'}, "b": {"x": ["1", "2"]}}
    assert at("generic-rfc5424", line) == "2026-03-27T13:06:56.003000Z"


def test_structured_data_can_be_named_by_a_rule() -> None:
    source = load_sources()["generic-rfc5424"]
    outcome = source.parse(f'{HEAD} [login ip="192.0.2.7"] x'.encode(), 1_774_700_000_000_000)
    assert isinstance(outcome, Event)
    assert source.native("structured.login.ip") == ("structured", "login", "ip")
    assert outcome.fields["structured"]["login"]["ip"] == "192.0.2.7"


@pytest.mark.parametrize(
    ("line", "absent"),
    [
        ("<34>1 2026-03-27T13:06:56+01:00 host su - ID47 - su root failed", {"procid", "structured"}),
        ("<34>1 2026-03-27T13:06:56Z - - - - -", {"hostname", "appname", "procid", "msgid", "message", "structured"}),
        ("1 2026-03-27T13:06:56Z host su - - [a] text", {"facility", "severity", "procid"}),
    ],
)
def test_a_dash_is_absence(fields: Callable[..., Any], line: str, absent: set[str]) -> None:
    assert absent.isdisjoint(fields("generic-rfc5424", line))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("<34>1 - host su - - - text", "no time in timestamp"),
        ("<34>1 yesterday host su - - - text", "bad time"),
        ("<34>Mar 27 13:06:56 host su: text", "not RFC 5424"),
        (f"{HEAD} [unclosed", "not RFC 5424"),
        (f'{HEAD} [a b="c" text', "not RFC 5424"),
        (f"{HEAD} text without structured data", "not RFC 5424"),
    ],
)
def test_the_rest_is_dead_with_its_reason(parse: Callable[..., Outcome], line: str, reason: str) -> None:
    assert parse("generic-rfc5424", line) == Dead(reason)


def test_a_message_that_is_json_is_read_where_a_definition_says_so(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yml"
    mine.write_text(
        "name: mine\ntitle: t\nextends: generic-rfc5424\nunwrap: {texts: [message]}\n"
        "attributes: {message: message.text, user.name: message.user}\n"
    )
    source = load_sources([mine])["mine"]
    outcome = source.parse(f'{HEAD} - {{"text": "hi", "user": "ana"}}'.encode(), 1_774_700_000_000_000)
    assert isinstance(outcome, Event)
    told = source.to_ocsf(outcome)
    assert (told["message"], told["user"]) == ("hi", {"name": "ana"})
