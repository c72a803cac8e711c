"""The streams as others read them: `topics/` says what the program carries, and hides nothing about people."""

import dataclasses
import inspect
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import TypeAdapter

from breachwatch.engines.streams import VALUES, asyncapi, load_streams, main, to_yaml
from breachwatch.incidents.facts import NoteAttached
from breachwatch.kernel import streams as kernel_streams
from breachwatch.kernel.errors import ContentError
from breachwatch.kernel.facts import GENESIS, Recorded
from breachwatch.kernel.ids import IncidentId
from breachwatch.kernel.shipped import shipped
from breachwatch.ledger.rows import fact_item

ROOT = Path(__file__).parents[2]
TOPICS = ROOT / "topics"
GOOD = (TOPICS / "90-dead-letters.yml").read_text(encoding="utf-8")


def test_the_streams_are_numbered_in_the_order_of_the_flow() -> None:
    assert list(load_streams(TOPICS)) == ["records", "matches", "alerts", "facts", "dead-letters"]


def test_every_value_that_crosses_a_stream_has_one_and_no_stream_carries_anything_else() -> None:
    crossing = {
        name
        for name, kind in inspect.getmembers(kernel_streams, dataclasses.is_dataclass)
        if kind.__module__ == kernel_streams.__name__ and name != "Tally"  # a count that stays within the engine
    }
    assert {stream.value for stream in load_streams(TOPICS).values()} == crossing == set(VALUES)


def test_what_one_part_writes_another_reads() -> None:
    for stream in load_streams(TOPICS).values():
        assert set(stream.written_by).isdisjoint(stream.read_by), stream.name
    flow = [(stream.written_by[0], stream.read_by[0]) for stream in load_streams(TOPICS).values()]
    assert flow[:4] == [("collectors", "match"), ("match", "correlate"), ("correlate", "cases"), ("cases", "others")]


def test_art_5_raw_records_leave_first_and_nobody_outside_reads_them() -> None:
    streams = load_streams(TOPICS)
    raw = streams["records"]
    assert raw.personal_data.form == "clear"
    assert raw.retention == min(stream.retention for stream in streams.values()) <= timedelta(days=1)
    assert "others" not in raw.read_by
    assert [name for name, stream in streams.items() if stream.personal_data.form == "clear"] == ["records"]


def test_every_stream_says_which_personal_data_it_carries_and_why() -> None:
    for stream in load_streams(TOPICS).values():
        assert len(stream.personal_data.what.split()) > 3, stream.name
        assert len(stream.personal_data.why.split()) > 5, stream.name


def test_dead_letters_cannot_carry_what_could_not_be_read() -> None:
    stream = load_streams(TOPICS)["dead-letters"]
    assert stream.personal_data.form == "none"
    assert {field.name for field in dataclasses.fields(stream.type)} == {"source", "origin", "ordinal", "reason"}


def test_asyncapi_yaml_is_the_generated_one() -> None:
    made = to_yaml(asyncapi(load_streams(TOPICS).values()))
    kept = (TOPICS / "asyncapi.yaml").read_text(encoding="utf-8")
    assert kept == made, "topics/ or a value's type changed: run python -m breachwatch.engines.streams"


def test_asyncapi_is_written_beside_the_streams_it_is_made_from(tmp_path: Path) -> None:
    (tmp_path / "90-dead-letters.yml").write_text(GOOD, encoding="utf-8")
    main(tmp_path)
    document = yaml.safe_load((tmp_path / "asyncapi.yaml").read_text(encoding="utf-8"))
    assert list(document["channels"]) == ["dead-letters"]


def test_every_reference_in_asyncapi_leads_somewhere() -> None:
    document = asyncapi(load_streams(TOPICS).values())
    pointers = list(_references(document))
    assert len(pointers) > 15
    for pointer in pointers:
        place: Any = document
        for part in pointer.removeprefix("#/").split("/"):
            place = place[part]
        assert isinstance(place, dict)


def test_asyncapi_tells_a_broker_how_long_to_keep_what() -> None:
    channels = asyncapi(load_streams(TOPICS).values())["channels"]
    kafka = channels["matches"]["bindings"]["kafka"]
    assert kafka["topicConfiguration"] == {"cleanup.policy": ["delete"], "retention.ms": 24 * 60 * 60 * 1000}
    assert kafka["partitions"] == channels["records"]["bindings"]["kafka"]["partitions"]


def test_the_schema_of_an_alert_names_every_field_of_it() -> None:
    schema = asyncapi(load_streams(TOPICS).values())["components"]["schemas"]["Alert"]
    assert set(schema["properties"]) == {field.name for field in dataclasses.fields(kernel_streams.Alert)}


def test_a_published_fact_is_the_envelope_that_is_described() -> None:
    at = datetime(2026, 3, 27, tzinfo=UTC)
    fact = Recorded(IncidentId("in-1"), 3, "NoteAttached", at, "dpo", "person", NoteAttached("seen"), GENESIS, GENESIS)
    envelope = fact_item(fact, {"text": "seen"}).payload
    assert set(envelope) == {field.name for field in dataclasses.fields(kernel_streams.FactEnvelope)}
    assert TypeAdapter(kernel_streams.FactEnvelope).validate_python(dict(envelope)).sequence == "3"


def test_the_reference_page_lists_every_stream_with_its_key_and_retention() -> None:
    page = (ROOT / "docs/reference/topics.md").read_text(encoding="utf-8")
    rows = {
        row[0]: row[1:]
        for row in re.findall(r"^\| `([\w.-]+)` \| (\w+) \| ([\w ]+) \| (\w+) \| ([\w ]+) \|", page, re.M)
    }
    assert rows == {
        stream.name: (stream.value, stream.key.replace("_", " "), str(stream.partitions), _words(stream.retention))
        for stream in load_streams(TOPICS).values()
    }


def test_the_package_finds_its_streams() -> None:
    assert load_streams(shipped("topics")) == load_streams(TOPICS)


@pytest.mark.parametrize(
    ("file", "text", "complaint"),
    [
        ("90-dead-letters.yml", GOOD.replace("retention:", "retenton:"), r':12:1: unknown key "retenton".*"retention"'),
        (
            "90-dead-letters.yml",
            GOOD.replace("value: DeadLetter", "value: DeadLeter"),
            r':3:\d+: .*did you mean "DeadLetter"',
        ),
        (
            "90-dead-letters.yml",
            GOOD.replace("cleanup: delete", "cleanup: burn"),
            r':13:\d+: .*"burn" is not one of the choices',
        ),
        ("90-dead-letters.yml", GOOD.replace("P14D", "P0D"), r":12:\d+: retention"),
        ("90-dead-letters.yml", GOOD.replace("P14D", "fortnight"), r":12:\d+: retention"),
        ("90-dead-letters.yml", GOOD.replace("partitions: 3", "partitions: 0"), r":11:\d+: partitions"),
        ("90-dead-letters.yml", GOOD.replace("form: none", "form: secret"), r":15:\d+: personal_data.form"),
        ("90-graves.yml", GOOD, r':1:\d+: "breachwatch.dead-letters" stands in the wrong file'),
        ("dead-letters.yml", GOOD, r"not named like a stream; call it like 10-matches.yml"),
        ("90-dead-letters.yml", "name: [", r"not YAML"),
        ("90-dead-letters.yml", "a: &b 1\n", r":1:\d+: anchor &b is not allowed"),
    ],
)
def test_a_mistake_in_a_stream_is_told_with_its_place(tmp_path: Path, file: str, text: str, complaint: str) -> None:
    (tmp_path / file).write_text(text, encoding="utf-8")
    with pytest.raises(ContentError, match=complaint):
        load_streams(tmp_path)


def test_two_streams_cannot_stand_at_one_place_of_the_flow(tmp_path: Path) -> None:
    (tmp_path / "90-dead-letters.yml").write_text(GOOD, encoding="utf-8")
    (tmp_path / "90-lost.yml").write_text(
        GOOD.replace("breachwatch.dead-letters", "breachwatch.lost"), encoding="utf-8"
    )
    with pytest.raises(ContentError, match=r"90-lost.yml: number 90 is taken by 90-dead-letters.yml"):
        load_streams(tmp_path)


def test_a_folder_without_streams_is_no_flow(tmp_path: Path) -> None:
    with pytest.raises(ContentError, match="no stream is described here"):
        load_streams(tmp_path)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "10-matches.yml").write_text("name: 1\n", encoding="utf-8")
    (tmp_path / "x.yml").write_text("", encoding="utf-8")
    with pytest.raises(ContentError) as caught:
        load_streams(tmp_path)
    assert {Path(problem.path).name for problem in caught.value.problems} == {"10-matches.yml", "x.yml"}


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if "$ref" in value else []
        return own + [found for inner in value.values() for found in _references(inner)]
    if isinstance(value, list):
        return [found for inner in value for found in _references(inner)]
    return []


def _words(retention: timedelta) -> str:
    return f"{retention.days} days" if retention.days > 1 else "24 hours"
