"""The page on Windows, clouds and security tools keeps its word: its table is what is there, what it shows is read."""

import json
import re
from pathlib import Path

import pytest

from breachwatch.sources.event import Event
from breachwatch.sources.registry import load_sources

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "cloud-and-windows-sources.md"
TEXT = PAGE.read_text(encoding="utf-8")
SOURCES = load_sources()
ROWS = re.findall(r"^\| `([a-z0-9-]+)` \| .* \| (.*) \|$", TEXT, re.MULTILINE)


def test_the_table_names_sources_that_are_there() -> None:
    assert len(ROWS) > 20
    assert {name for name, _ in ROWS} <= set(SOURCES)


@pytest.mark.parametrize(("name", "told"), ROWS)
def test_each_source_answers_to_the_logsource_that_the_table_tells(name: str, told: str) -> None:
    source = SOURCES[name]
    always = dict(re.findall(r"`(product|service|category): ([\w.-]+)`", re.split(r"; |, with ", told)[0]))
    assert always.items() <= source.logsource.items()
    known = {value for answer in source.answers for value in answer.logsource.values()} | set(source.logsource.values())
    if name != "windows-json":
        assert set(re.findall(r"`(?:product: |service: |category: )?([\w.-]+)`", told)) <= known | {
            "Workload",
            "category",
            "event_type",
            "class_uid",
        }


@pytest.mark.parametrize("name", ["mail-gateway", "dlp-events"])
def test_the_format_that_is_shown_is_read_and_every_key_is_told(name: str) -> None:
    section = TEXT.split(f"\n## `{name}`", maxsplit=1)[1].split("\n## ", maxsplit=1)[0]
    (shown,) = re.findall(r"```json\n(.*?)\n```", section, re.DOTALL)
    outcome = SOURCES[name].parse(shown.encode(), 1_774_700_000_000_000)
    assert isinstance(outcome, Event)
    ocsf = SOURCES[name].to_ocsf(outcome)
    assert ocsf["activity_name"] == json.loads(shown)["action"]
    keys = set(re.findall(r"`([a-z_.]+)`", " ".join(re.findall(r"^\| (`.*?) \|", section, re.MULTILINE))))
    mapped = {".".join(path).removeprefix("ocsf.") for path in SOURCES[name].attributes.values()}
    assert {path for path in mapped if path in keys} == {path for path in mapped if path not in UNTOLD}


UNTOLD = {"status", "severity_id", "message.attachments.name"}
"""What is worked out, and what the table tells of in words."""
