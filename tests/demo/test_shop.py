"""The shop's day is a true story: ordinary people, two attacks, and every address one that cannot exist."""

import json
import re
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network

from breachwatch.demo.people import customers
from breachwatch.demo.shop import AUDIT, AUTH, ENTERED, EXPORT_FROM, EXPORTED, STUFFING_FROM, day

ENDS_AT = datetime(2026, 3, 27, 18, 0, tzinfo=UTC)
PEOPLE = customers(2_000)
LINES = day(PEOPLE, ENDS_AT, UTC)
EVENTS = [json.loads(line.text) for line in LINES if line.file == AUDIT]
DOCUMENTATION = [ip_network(net) for net in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")]


def test_the_same_day_can_be_played_twice() -> None:
    assert day(PEOPLE, ENDS_AT, UTC) == LINES


def test_a_day_is_thousands_of_ordinary_events_in_order_of_time() -> None:
    assert len(EVENTS) > 5_000
    assert [line.at for line in LINES] == sorted(line.at for line in LINES)
    assert LINES[-1].at <= ENDS_AT


def test_some_tried_accounts_are_entered_and_one_key_takes_many_records() -> None:
    entered = {e["subject"]["id"] for e in EVENTS if e["client"]["ip"] == STUFFING_FROM and e.get("subject")}
    taken = {ref for e in EVENTS if e["client"]["ip"] == EXPORT_FROM and "subjects" in e for ref in e["subjects"]}
    assert len(entered) == len(ENTERED)
    assert len(taken) == EXPORTED


def test_nobody_in_the_story_can_exist() -> None:
    addresses = {event["client"]["ip"] for event in EVENTS}
    addresses |= {found for line in LINES if line.file == AUTH for found in re.findall(r"from (\S+) port", line.text)}
    assert all(any(ip_address(one) in net for net in DOCUMENTATION) for one in addresses)
    assert all(person.email.endswith("@shop.example") for person in PEOPLE)
    assert len({person.email for person in PEOPLE}) == len(PEOPLE)
