"""What the shop's systems write on one day: ordinary business, a knock on the SSH door, and two attacks that succeed.

Times are those of a day that ends when the demo starts, so that the 72 hours begin now. Everything follows from the
seed: the same day can be played twice.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from random import Random

from breachwatch.demo.people import Customer
from breachwatch.kernel.time import rfc3339

AUDIT = "shop-audit.ndjson"
AUTH = "auth.log"

STUFFING_FROM = "203.0.113.66"
EXPORT_FROM = "198.51.100.23"
STUFFED, EXPORTED = 420, 640
"""Accounts tried; customers whose records the stolen API key took."""

ENTERED = range(30, STUFFED, 23)
"""Which of the tried accounts had a password that was known already."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of one log file (`file` is its name), without its line ending, and when it was written."""

    at: datetime
    file: str
    text: str


def day(people: Sequence[Customer], ends_at: datetime, zone: tzinfo, seed: int = 1) -> list[Line]:
    """Nine hours of the shop ending at `ends_at`, in order of time: about 7,000 lines.

    `zone` is the server's: its auth.log tells local time without a year.
    """
    draw = Random(seed)  # noqa: S311 - a story, not a secret
    opens = ends_at - timedelta(hours=9)
    lines = [
        *_business(draw, people, opens, timedelta(hours=8, minutes=40)),
        *_staff(draw, people, opens),
        *_ssh(draw, opens.astimezone(zone)),
        *_stuffing(draw, people, ends_at - timedelta(minutes=50)),
        *_export(people, ends_at - timedelta(minutes=20)),
    ]
    return sorted(lines, key=lambda line: line.at)


def _business(draw: Random, people: Sequence[Customer], start: datetime, length: timedelta) -> Iterator[Line]:
    for visit in range(1_100):
        person, at = draw.choice(people), start + draw.random() * length
        client = _client(draw, visit)
        for _ in range(draw.choices((0, 1, 2), (88, 10, 2))[0]):
            yield _login(at, client, person, "failure")
            at += timedelta(seconds=draw.randint(4, 25))
        yield _login(at, client, person, "success")
        for _ in range(draw.randint(2, 7)):
            at += timedelta(seconds=draw.randint(3, 90))
            action, thing = draw.choice(
                (("read", "order"), ("read", "profile"), ("update", "basket"), ("read", "invoice"))
            )
            yield _act(at, action, {"id": person.id, "type": "customer"}, client, [person.id], thing, person.id)


def _staff(draw: Random, people: Sequence[Customer], start: datetime) -> Iterator[Line]:
    for member in range(6):
        for _ in range(45):
            at = start + timedelta(minutes=draw.randint(20, 500), seconds=draw.randint(0, 59))
            person = draw.choice(people)
            actor = {"id": f"staff-{member + 1}", "type": "staff"}
            yield _act(at, "read", actor, f"192.0.2.{10 + member}", [person.id], "customer", person.id)
    for hour in range(9):
        parcel = draw.sample(people, 12)
        at = start + timedelta(hours=hour, minutes=5)
        key = {"id": "key-shipping", "type": "api_key"}
        yield _act(at, "export", key, "192.0.2.40", [one.id for one in parcel], "address", "parcels")


def _ssh(draw: Random, start: datetime) -> Iterator[Line]:
    for attempt in range(60):
        at = start + timedelta(hours=2, seconds=attempt * 3)
        user = draw.choice(("admin", "oracle", "test", "git", "ubuntu"))
        yield _sshd(at, f"Failed password for invalid user {user} from 203.0.113.9 port {40_000 + attempt} ssh2")
    for hour in range(1, 9, 2):
        at = start + timedelta(hours=hour, minutes=11)
        yield _sshd(at, f"Accepted publickey for deploy from 192.0.2.12 port {52_000 + hour} ssh2: ED25519 SHA256:demo")


def _stuffing(draw: Random, people: Sequence[Customer], start: datetime) -> Iterator[Line]:
    for place, person in enumerate(draw.sample(people, STUFFED)):
        at = start + timedelta(seconds=place * 2)
        if place not in ENTERED:
            yield _login(at, STUFFING_FROM, person, "failure")
            continue
        yield _login(at, STUFFING_FROM, person, "success")
        actor = {"id": person.id, "type": "customer"}
        for step, thing in enumerate(("profile", "address", "payment_method"), 1):
            yield _act(at + timedelta(seconds=step), "read", actor, STUFFING_FROM, [person.id], thing, person.id)


def _export(people: Sequence[Customer], start: datetime) -> Iterator[Line]:
    key = {"id": "key-reporting", "type": "api_key"}
    for page in range(0, EXPORTED, 20):
        taken = [one.id for one in people[page : page + 20]]
        at = start + timedelta(seconds=page // 2)
        yield _act(at, "export", key, EXPORT_FROM, taken, "customer", f"page-{page // 20 + 1}")


def _login(at: datetime, client: str, person: Customer, outcome: str) -> Line:
    event: dict[str, object] = {"action": "login", "outcome": outcome, "login": person.email, **_client_part(client)}
    if outcome == "success":
        event |= {"actor": {"id": person.id, "type": "customer"}, "subject": {"id": person.id}}
    return _audit(at, event)


def _act(
    at: datetime, action: str, actor: dict[str, str], client: str, whose: list[str], kind: str, thing: str
) -> Line:
    subject: dict[str, object] = {"subject": {"id": whose[0]}} if len(whose) == 1 else {"subjects": whose}
    what = {"object": {"type": kind, "id": thing}, "records": len(whose)}
    return _audit(
        at, {"action": action, "outcome": "success", "actor": actor, **_client_part(client), **subject, **what}
    )


def _client_part(client: str) -> dict[str, object]:
    return {"client": {"ip": client, "user_agent": "Mozilla/5.0 (demo)"}}


def _audit(at: datetime, event: dict[str, object]) -> Line:
    return Line(at, AUDIT, json.dumps({"time": rfc3339(at), "app": "shop", **event}, separators=(",", ":")))


def _sshd(at: datetime, message: str) -> Line:
    return Line(at, AUTH, f"{at:%b} {at.day:2} {at:%H:%M:%S} shop-1 sshd[{4_000 + at.minute}]: {message}")


def _client(draw: Random, visit: int) -> str:
    return f"2001:db8:{visit:x}::{draw.randint(1, 0xFFFF):x}" if visit % 4 else f"198.51.100.{draw.randint(30, 250)}"
