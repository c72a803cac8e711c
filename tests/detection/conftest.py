"""A small playbook that is right, and the shortest ways to read rules and to ask them."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from textwrap import dedent
from typing import Any

import pytest

from breachwatch.detection.matching.compiler import Compiler
from breachwatch.detection.sigma.sigma_documents import Draft, read_documents
from breachwatch.sources.event import Ignored
from breachwatch.sources.source import Source

PLAYBOOK = """\
id: data-copy
title: Records copied
summary: Somebody copied records.
breach_types: [confidentiality]
detection:
  raises_incident: [many_copies]
  subjects:
    - field: user.uid
      kind: customer_id
      rules: [record_copied]
  evidence: [src_endpoint.ip, user.uid]
  records_field: web_resources.count
  suppress: PT1H
  merge_by: [actor.user.uid]
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
  - id: stop
    phase: contain
    text: Stop it.
notices: [en]
"""
DETECTION = """\
title: Record copied
name: record_copied
logsource:
  product: breachwatch
  service: app-audit
detection:
  selection:
    action: [export, download]
  staff:
    actor.user.type: staff
  condition: selection and not staff
level: low
---
title: Many records copied
name: many_copies
correlation:
  type: value_count
  rules: [record_copied]
  group-by: [actor.user.uid]
  timespan: 10m
  condition:
    field: user.uid
    gte: 3
level: high
"""
NOTICE = """\
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
CASE = """\
source: app-audit
given:
  - repeat: 3
    every: PT1M
    start: "2026-03-27T09:00:00Z"
    line: '{"time":"{time}","action":"export","actor":{"id":"k-1","type":"api_key"},"subject":{"id":"c-{n}"}}'
expect:
  - rule: many_copies
    count: 1
    raises_incident: true
    group: {actor.user.uid: k-1}
"""
HOME = "playbooks/data-copy"


@pytest.fixture
def tree() -> dict[str, str]:
    """Files of a playbook in which nothing is wrong."""
    return {
        f"{HOME}/playbook.yml": PLAYBOOK,
        f"{HOME}/detection.yml": DETECTION,
        f"{HOME}/notice.en.md": NOTICE,
        f"{HOME}/cases/three.yml": CASE,
    }


def _open_source(attributes: Mapping[str, tuple[str, ...]], constants: Mapping[str, Any]) -> Source:
    return Source(
        name="any",
        title="Any",
        description="",
        logsource={"category": "any"},
        attributes=attributes,
        constants=constants,
        allowed_lateness=timedelta(minutes=5),
        parse=lambda _raw, _received_us: Ignored("never asked"),
    )


@pytest.fixture
def open_source() -> Callable[..., Source]:
    """A source whose list of fields is open; attributes and constants may be given."""
    return lambda attributes=None, constants=None: _open_source(attributes or {}, constants or {})


def _draft(detection: str, placeholders: Mapping[str, tuple[str, ...]] | None = None) -> Draft:
    text = "title: t\nlogsource: {category: any}\ndetection:\n" + "".join(
        f"  {line}\n" for line in dedent(detection).strip().splitlines()
    )
    drafts, problems = read_documents(text.encode(), "rule.yml", placeholders)
    assert not problems, problems
    return drafts[0]


@pytest.fixture
def rule() -> Callable[[str], Draft]:
    """Reads the `detection:` part of a rule."""
    return _draft


@pytest.fixture
def holds() -> Callable[..., bool]:
    """Whether a rule's `detection:` matches an event."""

    def ask(
        detection: str,
        fields: dict[str, Any],
        source: Source | None = None,
        placeholders: Mapping[str, tuple[str, ...]] | None = None,
    ) -> bool:
        condition = _draft(detection, placeholders).condition
        assert condition is not None
        return Compiler(source or _open_source({}, {})).condition(condition)(fields)

    return ask
