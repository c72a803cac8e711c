"""What the lanes of `bench/kafka` are about: an application's events from a seed, and a playbook with so many rules.

Of a thousand events about fifteen are failed logins, fifteen good ones and two exports: each matches a rule. Some
addresses try many accounts within moments, and then get in. Events follow each other by `STEP_US`, so that whoever
reads partitions in any order still finds each within the allowed lateness: the same alerts are due from everybody.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random

from bench.detection.words import hexed
from breachwatch.detection.playbooks.content import Content, load_content
from breachwatch.kernel.streams import Chunk
from breachwatch.kernel.time import from_microseconds
from breachwatch.notices.placeholders import PLACEHOLDERS
from breachwatch.sources.registry import load_sources
from breachwatch.sources.source import Source

STEP_US = 50
START_US = 1_774_612_800_000_000
CHUNK = 500
"""Events in one Kafka record."""
ATTACK_EVERY = 5_000
TRIED = 25
SOURCE, ORIGIN = "app-audit", "bench"

_PLAYBOOK = """\
id: bench
title: Bench
summary: For measuring.
breach_types: [confidentiality]
detection:
  raises_incident: [stuffing, entered, many_exports]
  subjects:
    - {field: user.name, kind: login}
  evidence: [src_endpoint.ip, user.name]
  suppress: PT1H
  merge_by: [src_endpoint.ip, actor.user.uid]
severity:
  data_classes: [simple]
  identification: significant
filing:
  origin: hacking
  cause: Outside.
  data_categories: [name]
  people_categories: [customers]
  prior_measures: None.
  consequences: Phishing.
checklist:
  - {id: stop, phase: contain, text: Stop it.}
notices: [en]
"""
_NOTICE = """\
---
subject: Your data at {organisation}
---

Dear {person_name},

## What happened {#nature}

Somebody copied data.

## What it may mean {#consequences}

Phishing.

## What we did {#measures}

We stopped it.

## What you can do {#advice}

Be careful.

## Whom to ask {#contact}

Write to {dpo_email}.
"""
_FIRST = """\
title: Login failed
name: login_failed
logsource: {product: breachwatch, service: app-audit}
detection:
  selection: {action: login, outcome: failure}
  condition: selection
level: informational
---
title: Login accepted
name: login_accepted
logsource: {product: breachwatch, service: app-audit}
detection:
  selection: {action: login, outcome: success}
  condition: selection
level: informational
---
title: Records exported
name: exported
logsource: {product: breachwatch, service: app-audit}
detection:
  selection: {action: export}
  condition: selection
level: low
---
title: Many accounts from one address
name: stuffing
correlation:
  type: value_count
  rules: [login_failed]
  group-by: [src_endpoint.ip]
  timespan: 10m
  condition: {field: user.name, gte: 20}
level: high
---
title: Somebody got in
name: entered
correlation:
  type: temporal_ordered
  rules: [stuffing, login_accepted]
  group-by: [src_endpoint.ip]
  timespan: 1h
level: high
---
title: Many exports
name: many_exports
correlation:
  type: event_count
  rules: [exported]
  group-by: [actor.user.uid]
  timespan: 10m
  condition: {gte: 20}
level: high
"""
_RARE = """\
---
title: Rare {number}
name: rare_{number}
logsource: {{product: breachwatch, service: app-audit}}
detection:
  selection:
    action: [{actions}]
    details.path|contains: [{words}]
  filter: {{actor.type: system}}
  condition: selection and not filter
level: medium
"""
_AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101"
_ACTIONS = ("read", "list", "search", "export", "download", "update", "delete")


def playbooks(rules: int) -> dict[str, bytes]:
    """A tree of one playbook with so many rules, at least 3; all but three ask for words that never occur."""
    dice = Random(rules)  # noqa: S311 - spreads load
    rare = "".join(
        _RARE.format(
            number=number,
            actions=", ".join(dice.sample(_ACTIONS, 2)),
            words=", ".join(f'"/{hexed(dice, 9)}"' for _ in range(dice.randint(1, 3))),
        )
        for number in range(rules - 3)
    )
    home = "playbooks/bench"
    texts = {"playbook.yml": _PLAYBOOK, "detection.yml": _FIRST + rare, "notice.en.md": _NOTICE}
    return {f"{home}/{name}": text.encode() for name, text in texts.items()}


def content(rules: int) -> tuple[Content, dict[str, Source]]:
    """The playbook, loaded, and the sources."""
    sources = load_sources()
    return load_content(playbooks(rules), sources, PLACEHOLDERS), sources


def line(dice: Random, at_us: int, number: int) -> bytes:
    """Event `number`, at an instant in microseconds."""
    at = datetime.fromtimestamp(at_us / 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
    place = number % ATTACK_EVERY
    if place % 20 == 0 and place // 20 <= TRIED:
        done = "success" if place // 20 == TRIED else "failure"
        return _login(at, done, f"attacked-{place // 20}", f"2001:db8::{number // ATTACK_EVERY + 1:x}")
    kind = dice.random()
    who, ip = dice.randrange(20_000), f"10.{dice.randrange(4)}.{dice.randrange(256)}.{dice.randrange(256)}"
    if kind < 0.015:
        return _login(at, "failure", f"user-{who}", ip)
    if kind < 0.03:
        return _login(at, "success", f"user-{who}", ip)
    action, kindly = ("export", "staff") if kind < 0.032 else (dice.choice(("read", "list", "search")), "customer")
    return (
        f'{{"time":"{at}Z","action":"{action}","outcome":"success","actor":{{"id":"u-{who}","type":"{kindly}"}},'
        f'"client":{{"ip":"{ip}","user_agent":"{_AGENT}"}},'
        f'"subject":{{"id":"c-{who}"}},"object":{{"type":"order","id":"o-{number}"}},"records":1,"app":"shop",'
        f'"details":{{"path":"/account/{who}/orders/{number}"}}}}'
    ).encode()


def _login(at: str, outcome: str, login: str, ip: str) -> bytes:
    return (
        f'{{"time":"{at}Z","action":"login","outcome":"{outcome}","login":"{login}@example.com",'
        f'"client":{{"ip":"{ip}","user_agent":"{_AGENT}"}},"app":"shop"}}'
    ).encode()


def chunks(events: int, *, first: int = 0, start_us: int = START_US, step_us: int = STEP_US) -> Iterator[Chunk]:
    """So many events from number `first` on, as collectors hand them on. Received at the time of their last event."""
    dice = Random(first)  # noqa: S311 - spreads load
    for begin in range(first, first + events, CHUNK):
        numbers = range(begin, min(begin + CHUNK, first + events))
        records = tuple(line(dice, start_us + number * step_us, number) for number in numbers)
        received = from_microseconds(start_us + numbers[-1] * step_us)
        yield Chunk(SOURCE, ORIGIN, begin, received, records)


def keys(groups: int, *, first: int = 0, start_us: int = START_US) -> Iterator[Chunk]:
    """One failed login from each of so many addresses, all within the ten minutes for which they are remembered."""
    step_us = 300_000_000 // max(groups, 1) or 1
    for begin in range(first, first + groups, CHUNK):
        numbers = range(begin, min(begin + CHUNK, first + groups))
        records = tuple(
            _login(
                datetime.fromtimestamp((start_us + (n - first) * step_us) / 1e6, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f"),
                "failure",
                f"user-{n % 20_000}",
                f"11.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}",
            )
            for n in numbers
        )
        received = from_microseconds(start_us + (numbers[-1] - first) * step_us)
        yield Chunk(SOURCE, f"{ORIGIN}-keys", begin, received, records)
