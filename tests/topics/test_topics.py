"""The streams as others read them: `topics/` says what the program carries, and hides nothing about people."""

import dataclasses
import gzip
import inspect
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator
from pydantic import TypeAdapter

from breachwatch.engines.asyncapi import asyncapi, main, to_yaml
from breachwatch.engines.kafka.correlate_stage import PART
from breachwatch.engines.kafka.match_stage import SEQUENCE
from breachwatch.engines.streams import VALUES, load_streams
from breachwatch.incidents.facts import NoteAttached
from breachwatch.kernel import streams as kernel_streams
from breachwatch.kernel.errors import ContentError
from breachwatch.kernel.facts import GENESIS, Recorded
from breachwatch.kernel.ids import IncidentId
from breachwatch.kernel.observing import TRACE_HEADER, WAY_HEADER
from breachwatch.kernel.shipped import shipped
from breachwatch.ledger.rows import fact_item

ROOT = Path(__file__).parents[2]
TOPICS = ROOT / "topics"
GOOD = (TOPICS / "90-dead-letters.yml").read_text(encoding="utf-8")


def test_the_streams_are_numbered_in_the_order_of_the_flow() -> None:
    flow = ["records", "matches", "progress", "alerts", "windows", "facts", "dead-letters"]
    assert list(load_streams(TOPICS)) == flow


def test_every_value_that_crosses_a_stream_has_one_and_no_stream_carries_anything_else() -> None:
    crossing = {
        name
        for name, kind in inspect.getmembers(kernel_streams, dataclasses.is_dataclass)
        if kind.__module__ == kernel_streams.__name__
    }
    within_others = {"Match", "Tally"}
    opaque = {"WindowState"}
    values = {stream.value for stream in load_streams(TOPICS).values()}
    assert values == crossing - within_others | opaque == set(VALUES)


def test_what_one_part_writes_another_reads() -> None:
    streams = {name: stream for name, stream in load_streams(TOPICS).items() if stream.cleanup == "delete"}
    for stream in streams.values():
        assert set(stream.written_by).isdisjoint(stream.read_by), stream.name
    flow = [(stream.written_by[0], stream.read_by[0]) for stream in streams.values()]
    assert flow[:4] == [("collectors", "match"), ("match", "correlate"), ("correlate", "cases"), ("cases", "others")]


def test_a_changelog_is_read_by_the_stage_that_wrote_it_and_follows_the_partitions_of_its_input() -> None:
    streams = load_streams(TOPICS)
    changelogs = {name: stream for name, stream in streams.items() if stream.cleanup == "compact"}
    assert {name: (log.read_by, log.placed_by) for name, log in changelogs.items()} == {
        "progress": (("match", "desk"), "records"),
        "windows": (("correlate",), "matches"),
    }
    for log in changelogs.values():
        assert log.read_by[:1] == log.written_by
        assert log.partitions == streams[log.placed_by].partitions


def test_art_5_raw_records_leave_first_and_nobody_outside_reads_them() -> None:
    streams = load_streams(TOPICS)
    raw = streams["records"]
    assert raw.personal_data.form == "clear"
    assert raw.retention is not None
    assert all(raw.retention <= stream.retention for stream in streams.values() if stream.retention)
    assert raw.retention <= timedelta(days=1)
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
    assert kept == made, "topics/ or a value's type changed: run python -m breachwatch.engines.asyncapi"


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
    assert kafka["topicConfiguration"]["cleanup.policy"] == ["delete"]
    assert kafka["topicConfiguration"]["retention.ms"] == 24 * 60 * 60 * 1000
    assert kafka["partitions"] == channels["records"]["bindings"]["kafka"]["partitions"]


def test_the_document_is_what_the_asyncapi_initiative_calls_one() -> None:
    document = asyncapi(load_streams(TOPICS).values())
    assert [error.message for error in official().iter_errors(document)] == []


@pytest.mark.parametrize(
    ("place", "wrong"),
    [
        (("channels", "records", "adress"), "breachwatch.records"),
        (("channels", "records", "bindings", "kafka", "partitions"), "twelve"),
        (("operations", "match-read-records", "action"), "look"),
        (("components", "schemas", "Alert", "type"), "thing"),
    ],
)
def test_that_schema_would_notice_a_mistake(place: tuple[str, ...], wrong: str) -> None:
    document = asyncapi(load_streams(TOPICS).values())
    inner: Any = document
    for part in place[:-1]:
        inner = inner[part]
    inner[place[-1]] = wrong
    assert list(official().iter_errors(document))


def test_headers_are_told_by_the_names_under_which_they_are_written() -> None:
    messages = asyncapi(load_streams(TOPICS).values())["components"]["messages"]
    assert set(messages["Alert"]["headers"]["properties"]) == {TRACE_HEADER, PART}
    assert set(messages["MatchBatch"]["headers"]["properties"]) == {SEQUENCE, WAY_HEADER}
    assert "required" not in messages["Alert"]["headers"]


def test_the_schema_of_every_value_is_there_for_others() -> None:
    document = asyncapi(load_streams(TOPICS).values())
    for channel in document["channels"].values():
        [message] = channel["messages"]
        assert message in document["components"]["schemas"]


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
        for row in re.findall(r"^\| `([\w.-]+)` \| (\w+) \| ([\w ]+) \| (\w+) \| ([\w ,]+) \|", page, re.M)
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
        ("90-dead-letters.yml", GOOD.replace("retention:", "retenton:"), r':15:1: unknown key "retenton".*"retention"'),
        (
            "90-dead-letters.yml",
            GOOD.replace("value: DeadLetter", "value: DeadLeter"),
            r':3:\d+: .*did you mean "DeadLetter"',
        ),
        (
            "90-dead-letters.yml",
            GOOD.replace("cleanup: delete", "cleanup: burn"),
            r':16:\d+: .*"burn" is not one of the choices',
        ),
        ("90-dead-letters.yml", GOOD.replace("P14D", "P0D"), r":15:\d+: retention"),
        ("90-dead-letters.yml", GOOD.replace("P14D", "fortnight"), r":15:\d+: retention"),
        ("90-dead-letters.yml", GOOD.replace("partitions: 3", "partitions: 0"), r":12:\d+: partitions"),
        ("90-dead-letters.yml", GOOD.replace("form: none", "form: secret"), r":18:\d+: personal_data.form"),
        ("90-dead-letters.yml", GOOD.replace("1 MiB", "1 lot"), r":14:\d+: largest"),
        ("90-dead-letters.yml", GOOD.replace("retention: P14D\n", ""), r"how long is a value kept"),
        ("90-dead-letters.yml", GOOD.replace("cleanup: delete", "cleanup: compact"), r"knows no retention"),
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


def test_a_stream_placed_by_another_has_as_many_partitions(tmp_path: Path) -> None:
    for name in ("00-records.yml", "15-progress.yml"):
        text = (TOPICS / name).read_text(encoding="utf-8")
        text = text.replace("partitions: 12", "partitions: 24") if "progress" in name else text
        (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(ContentError, match=r"15-progress.yml: partitions: 24, but .* records, which has 12"):
        load_streams(tmp_path)


def test_nothing_outlives_its_retention_by_more_than_a_day_nor_raw_records_by_more_than_an_hour() -> None:
    for name, stream in load_streams(TOPICS).items():
        if stream.retention is not None:
            over = timedelta(milliseconds=int(stream.config()["segment.ms"]))
            assert over <= timedelta(hours=1 if name == "records" else 24), name


def test_a_chunk_with_the_longest_record_fits() -> None:
    assert int(load_streams(TOPICS)["records"].config()["max.message.bytes"]) > 2 << 20


def test_reception_is_dated_by_the_broker_whose_clock_all_share() -> None:
    dated = {name: stream.config()["message.timestamp.type"] for name, stream in load_streams(TOPICS).items()}
    assert [name for name, kind in dated.items() if kind == "LogAppendTime"] == ["records", "matches"]


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


def official() -> Draft7Validator:
    packed = Path(__file__).with_name("official") / "asyncapi-3.0.0.json.gz"
    return Draft7Validator(json.loads(gzip.decompress(packed.read_bytes())))


def _words(retention: timedelta | None) -> str:
    if retention is None:
        return "newest of each key"
    return f"{retention.days} days" if retention.days > 1 else "24 hours"
