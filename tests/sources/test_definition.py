"""What a definition can say about records that are not simply flat JSON, and what it must not say."""

from pathlib import Path
from typing import Any

import pytest

from breachwatch.kernel.errors import ContentError
from breachwatch.sources.event import Dead, Event, Ignored, Outcome
from breachwatch.sources.registry import load_sources
from breachwatch.sources.source import Answers, Raw, Source

NOON_US = 1_774_700_000_000_000
STAMP = '"time": "2026-03-27T13:06:56Z"'
BASE = "name: mine\ntitle: t\nformat: json\nlogsource: {product: p}\n"


def made(folder: Path, text: str, base: str = BASE) -> Source:
    path = folder / "mine.yml"
    path.write_text(base + text, encoding="utf-8")
    return load_sources([path])["mine"]


def refused(folder: Path, text: str, base: str = BASE) -> list[str]:
    with pytest.raises(ContentError) as caught:
        made(folder, text, base)
    return [str(problem).removeprefix(f"{folder}/") for problem in caught.value.problems]


def read(source: Source, record: str) -> Outcome:
    return source.parse(record.encode(), NOON_US)


def fields(source: Source, record: str) -> dict[str, Any]:
    outcome = read(source, record)
    assert isinstance(outcome, Event), outcome
    return outcome.fields


def test_it_tells_which_logsources_some_of_its_events_answer_to(tmp_path: Path) -> None:
    source = made(
        tmp_path,
        "answers:\n  - logsource: {category: process_creation}\n    when: {Channel: Sysmon, EventID: [1, 2]}\n"
        "any_logsource: true\n",
    )
    assert source.answers == (Answers({"category": "process_creation"}, {"Channel": ("Sysmon",), "EventID": (1, 2)}),)
    assert source.any_logsource


def test_an_alias_is_another_name_of_a_field(tmp_path: Path) -> None:
    source = made(tmp_path, "aliases: {CommandLine: process.cmd}\nfields: [process.cmd]\n")
    assert source.native("CommandLine") == ("process", "cmd")
    assert source.native("Image") is None


def test_a_record_may_lie_in_an_envelope_alone(tmp_path: Path) -> None:
    source = made(tmp_path, "unwrap: {envelope: Records}\n")
    assert fields(source, f'{{"Records": [{{{STAMP}, "a": 1}}]}}')["a"] == 1
    assert fields(source, f'{{{STAMP}, "a": 1}}')["a"] == 1
    assert read(source, '{"Records": []}') == Ignored("an envelope of no record")
    assert "whole files" in getattr(read(source, '{"Records": [{}, {}]}'), "reason", "")
    assert read(source, '{"Records": 1}') == Dead("not an envelope of records")


def test_a_record_may_be_json_text_in_a_column(tmp_path: Path) -> None:
    source = made(tmp_path, "unwrap: {column: AuditData}\n")
    inner = STAMP.replace('"', '\\"')
    assert fields(source, f'{{"Id": 1, "AuditData": "{{{inner}, \\"a\\": 1}}"}}')["a"] == 1
    assert fields(source, f'{{"AuditData": {{{STAMP}, "a": 1}}}}')["a"] == 1
    assert fields(source, f'{{{STAMP}, "a": 1}}')["a"] == 1, "the plain record is read as well"
    assert read(source, '{"AuditData": "no"}') == Dead("no JSON object in the column")
    assert source.raw is None, "escaped twice, a value does not stand in the record as JSON would write it"


def test_a_record_may_be_the_object_that_a_shipper_wrapped(tmp_path: Path) -> None:
    source = made(tmp_path, "unwrap: {within: event.original}\n")
    assert fields(source, f'{{"agent": 1, "event": {{"original": {{{STAMP}, "a": 1}}}}}}')["a"] == 1
    assert fields(source, f'{{{STAMP}, "event": "x"}}')["event"] == "x"


def test_json_text_in_a_field_is_read_in_place(tmp_path: Path) -> None:
    source = made(tmp_path, "unwrap: {texts: [detail, a.b]}\n")
    told = fields(source, f'{{{STAMP}, "detail": "{{\\"x\\": 1}}", "a": {{"b": "{{\\"y\\": 2}}"}}}}')
    assert (told["detail"], told["a"]) == ({"x": 1}, {"b": {"y": 2}})
    assert fields(source, f'{{{STAMP}, "detail": "plain"}}')["detail"] == "plain"
    deep = '{\\"a\\":' * 70 + "1" + "}" * 70
    assert read(source, f'{{{STAMP}, "detail": "{deep}"}}') == Dead("nested too deep")


def test_a_list_of_pairs_becomes_an_object(tmp_path: Path) -> None:
    source = made(
        tmp_path,
        "flatten:\n  Parameters: {key: Name, value: [Value, Values], into: param}\nattributes: {email.to: param.To}\n",
    )
    told = fields(
        source,
        f'{{{STAMP}, "Parameters": [{{"Name": "To", "Value": "a@example.com"}}, {{"Name": "Cc", "Values": [1, 2]}}, '
        '{"Name": "To", "Value": "b@example.com"}, {"Name": "x"}, 7, {"Value": 1}]}',
    )
    assert told["param"] == {"To": ["a@example.com", "b@example.com"], "Cc": [1, 2]}
    assert len(told["Parameters"]) == 6


def test_the_time_may_be_in_several_places(tmp_path: Path) -> None:
    source = made(tmp_path, "time: {fields: [at.exact, at.rough, seen], formats: [rfc3339, epoch]}\n")
    moment = 1_774_616_816_000_000
    for record in (
        '{"at": {"exact": "2026-03-27T13:06:56Z", "rough": 0}}',
        '{"at": {"exact": "soon", "rough": 1774616816}}',
        '{"seen": "1774616816000"}',
    ):
        outcome = read(source, record)
        assert isinstance(outcome, Event)
        assert outcome.at_us == moment
    assert read(source, "{}") == Dead("no time in at.exact or at.rough or seen")
    assert read(source, '{"seen": "soon"}') == Dead("bad time")


def test_a_definition_that_extends_another_may_tell_one_field_where_that_told_several(tmp_path: Path) -> None:
    base, mine = tmp_path / "b.yml", tmp_path / "a.yml"
    base.write_text(BASE.replace("mine", "base") + "time: {fields: [a, b], formats: [epoch]}\n")
    mine.write_text("name: mine\ntitle: t\nextends: base\ntime: {field: c}\n")
    source = load_sources([mine, base])["mine"]  # whatever the order of the files
    assert isinstance(read(source, '{"c": 1774616816}'), Event)
    assert read(source, '{"a": 1774616816}') == Dead("no time in c")


def test_attributes_are_worked_out_from_values(tmp_path: Path) -> None:
    source = made(
        tmp_path,
        "attributes:\n  status: {first_of: [error], values: {none: Success}, otherwise: Failure, absent: Success}\n"
        '  severity_id: {first_of: [level], values: {"3": 4, high: 5}}\n',
    )

    def told(more: str) -> tuple[Any, Any]:
        outcome = read(source, f"{{{STAMP}{more}}}")
        assert isinstance(outcome, Event)
        ocsf = source.to_ocsf(outcome)
        return ocsf.get("status"), ocsf.get("severity_id")

    assert told("") == ("Success", None)
    assert told(', "error": "None", "level": 3') == ("Success", 4)
    assert told(', "error": "AccessDenied", "level": "HIGH"') == ("Failure", 5)
    assert told(', "error": 7, "level": 9') == ("Failure", 9)
    assert source.raw == Raw("json", derived=frozenset({"ocsf.status", "ocsf.severity_id"}))


def test_text_formats_may_have_derived_attributes_too(tmp_path: Path) -> None:
    source = made(
        tmp_path,
        "attributes: {severity_id: {first_of: [sc-status], values: {'404': 2}}}\n",
        "name: mine\ntitle: t\nextends: web-access\n",
    )
    outcome = read(source, '192.0.2.7 - - [27/Mar/2026:13:06:56 +0000] "GET / HTTP/1.1" 404 1')
    assert isinstance(outcome, Event)
    assert source.to_ocsf(outcome)["severity_id"] == 2


def test_rows_of_values_get_the_names_of_their_columns(tmp_path: Path) -> None:
    source = made(
        tmp_path,
        "",
        "name: mine\ntitle: t\nformat: csv\nlogsource: {product: p}\ncolumns: [at, user, text]\n"
        "time: {field: at, formats: ['%Y-%m-%d %H:%M:%S']}\n",
    )
    told = fields(source, '2026-03-27 13:06:56,,"a ""b"", c",4,,6')
    assert told == {"at": "2026-03-27 13:06:56", "text": 'a "b", c', "column_4": "4", "column_6": "6"}
    assert fields(source, '2026-03-27 13:06:56,"","never closed')["user"] == ""
    assert read(source, "alone") == Dead("too few columns")


@pytest.mark.parametrize(
    ("text", "base", "expected"),
    [
        ("normalise: nothing-so\n", BASE, 'mine.yml:5:12: there is no normaliser "nothing-so"'),
        ("columns: [a]\n", BASE, 'mine.yml:5:10: "columns" is for format: csv only'),
        ("time: {field: a, fields: [b]}\n", BASE, "mine.yml:5:26: time has either a field or fields, not both"),
        (
            "fields: [a]\naliases: {b: c}\n",
            BASE,
            'mine.yml:6:14: field "c" is not among the fields of this source; known: a',
        ),
        (
            "fields: [Event]\nanswers: [{logsource: {product: x}, when: {Evnt: 1}}]\n",
            BASE,
            'mine.yml:6:50: field "Evnt" is not among the fields of this source; did you mean "Event"?',
        ),
        (
            "",
            "name: mine\ntitle: t\nformat: json\nlogsource: {}\n",
            "mine.yml:4:12: must name a product, service or category where no answers are given",
        ),
        (
            "",
            "name: mine\ntitle: t\nformat: lines\nparser: sshdd\nlogsource: {product: p}\n",
            'mine.yml:4:9: there is no parser "sshdd"; did you mean "sshd"?',
        ),
        ("", "name: mine\ntitle: t\nformat: csv\nlogsource: {product: p}\n", "mine.yml:3:9: csv needs columns"),
        ("answers: [{logsource: {}}]\n", BASE, "mine.yml:5:23: answers.0.logsource: "),
    ],
)
def test_a_mistake_has_its_address(tmp_path: Path, text: str, base: str, expected: str) -> None:
    assert any(line.startswith(expected) for line in refused(tmp_path, text, base)), refused(tmp_path, text, base)


def test_a_circle_of_definitions_is_refused(tmp_path: Path) -> None:
    one, two = tmp_path / "one.yml", tmp_path / "two.yml"
    one.write_text("name: one\ntitle: t\nextends: two\n")
    two.write_text("name: two\ntitle: t\nextends: one\n")
    with pytest.raises(ContentError, match='there is no source "two" to extend'):
        load_sources([one, two])
