"""A survey of many records says of each what the parser says of it, or nothing."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from breachwatch.sources.event import Event
from breachwatch.sources.formats.json_lines import MAX_DEPTH
from breachwatch.sources.registry import load_sources
from breachwatch.sources.source import Source, Survey

RECEIVED_US = 1_774_616_816_000_000
AT = "2026-03-27T13:06:56Z"
SOURCES = load_sources()
KINDS = [("Channel",), ("EventID",), None]
FIELDS = [("CommandLine",), ("Image",), ("User",), ("ProcessId",), ("Signature",), ("actor", "id"), ("action",)]
NAMES = ["windows-json", "generic-json", "app-audit", "aws-cloudtrail", "okta"]

times = st.one_of(
    st.datetimes().map(lambda at: at.isoformat() + "Z"),
    st.sampled_from(
        [
            AT,
            "2026-03-27 13:06:56.1234567891z",
            "2026-03-27t13:06:56+05:30",
            "2026-03-27T13:06:56-0000",
            "2026-03-27T13:06:60Z",
            "2026-03-27T13:06:56",
            "2026-03-28T13:06:56Z",
            "2026-03-28T13:06:57Z",
            "1970-01-01T00:00:00Z",
            "1969-12-31T23:59:59.9999999Z",
            "2026-03-27T24:00:00Z",
            1_774_616_816,
            None,
            "",
        ]
    ),
)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=5,
)
keys = st.sampled_from(
    [
        "Channel",
        "EventID",
        "CommandLine",
        "Image",
        "User",
        "ProcessId",
        "Signature",
        "Path",
        "action",
        "actor",
        "Event",
        "winlog",
        "System",
        "SourceName",
        "NewProcessName",
        "UtcTime",
        "eventName",
        "eventname",
        "eventType",
        "detail",
        "Records",
        "data",
        "other",
        "actor.id",
    ]
)
objects = st.builds(
    lambda at, event, action, more: (
        {**at, "EventID": event, "action": action, "eventName": "a", "eventType": "b"} | more
    ),
    st.dictionaries(
        st.sampled_from(
            [
                "time",
                "@timestamp",
                "timestamp",
                "eventTime",
                "published",
                "TimeCreated_SystemTime",
                "EventTime",
                "p_event_time",
            ]
        ),
        times,
        max_size=3,
    ),
    st.one_of(st.just(1), st.integers(0, 5000), st.just("4104"), values),
    st.one_of(st.just("login"), st.just(""), values),
    st.dictionaries(keys, values, max_size=4),
)
usual = st.builds(
    lambda fields: {name: AT for name in ("time", "TimeCreated_SystemTime", "eventTime")} | fields, objects
)
ODD = [
    b"",
    b" ",
    b"{}",
    b"[]",
    b'{"time":"2026-03-27T13:06:56Z"',
    b'{"time":"2026-03-27T13:06:56Z","action":"a"}\n{"time":"2026-03-27T13:06:56Z","action":"a"}',
    b'{"time":"2026-03-27T13:06:56Z","action":"a","x":1e999}',
    b'{"time":"2026-03-27T13:06:56Z","action":"a","x":[-1.5E+400 ]}',
    b'{"time":"2026-03-27T13:06:56Z","action":"a","x":1' + b"0" * 400 + b"}",
    b'{"time":"2026-03-27T13:06:56Z","action":"a","x":' + b"9" * 230 + b"e99}",
    b'{"time":"2026-03-27T13:06:56Z","action":"a","x":"\xff"}',
    b'{"time":"2026-03-27T13:06:56Z","action":"a","x":"\xc3',
    b'{"time":"2026-03-27T13:06:56Z","action":"a","x":"\xed\xa0\x80"}',
    b'{"time":"2026-03-27T13:06:56Z","action":"a","x":' + b"[" * 63 + b"]" * 63 + b"}",
    b'{"time":"2026-03-27T13:06:56Z","action":"a","x":' + b"[" * 64 + b"]" * 64 + b"}",
    b'{"time":"2026-03-27T13:06:56Z","action":"a","x":' + b'{"":' * 70 + b"1" + b"}" * 71,
    b'{"time":"2026-03-27T13:06:56Z","time":1,"action":"a"}',
    b'{"time":1,"time":"2026-03-27T13:06:56Z","action":"a"}',
    b'\xef\xbb\xbf{"time":"2026-03-27T13:06:56Z","action":"a"}',
    b'{"time":"2026-03-27T13:06:56\\u0000Z","action":"a"}',
]
records = st.one_of(
    objects.map(lambda each: json.dumps(each).encode()),
    usual.map(lambda each: json.dumps(each, ensure_ascii=False).encode("utf-8", "surrogatepass")),
    st.sampled_from(ODD),
)


def survey_of(source: Source) -> Survey:
    assert source.survey is not None
    survey = source.survey(KINDS, FIELDS)
    assert survey is not None
    return survey


def told_of(name: str, *raw: bytes) -> list[tuple[Any, ...] | None]:
    survey = survey_of(SOURCES[name])
    return [
        None if told is None else (survey.kind(told), survey.fields(told)) for told in survey.look(raw, RECEIVED_US)
    ]


def same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and one == other


def differences(source: Source, raw: list[bytes]) -> Iterator[tuple[bytes, Any, Any]]:
    survey = survey_of(source)
    for record, told in zip(raw, survey.look(raw, RECEIVED_US), strict=True):
        if told is None:
            continue
        outcome = source.parse(record, RECEIVED_US)
        if type(outcome) is not Event:
            yield record, told, outcome
            continue
        nul = b"\\u0000" in record  # such records are odd to the scan, and read whole
        kind = (outcome.fields.get("Channel"), outcome.fields.get("EventID"), None)
        if not nul and not all(map(same, survey.kind(told), kind)):
            yield record, survey.kind(told), kind
        for key, value in survey.fields(told).items():
            if not nul and not same(value, outcome.fields.get(key)):
                yield record, key, outcome.fields.get(key)


@pytest.mark.parametrize("name", NAMES)
@given(raw=st.lists(records, max_size=8))
@example(raw=ODD)
def test_what_is_told_is_what_the_parser_says(name: str, raw: list[bytes]) -> None:
    assert list(differences(SOURCES[name], raw)) == []


def test_ordinary_records_are_told() -> None:
    raw = json.dumps({"TimeCreated_SystemTime": AT, "EventID": 1, "Channel": "C", "Image": "a.exe"}).encode()
    [told] = told_of("windows-json", raw)
    assert told is not None
    kind, fields = told
    assert kind == ("C", 1, None)
    assert fields["Image"] == "a.exe"
    assert fields["CommandLine"] is None


def test_one_unusual_record_among_others_is_left_to_the_parser_alone() -> None:
    plain = b'{"time":"2026-03-27T13:06:56Z","action":"login"}'
    told = told_of(
        "app-audit", plain, b"no JSON", plain, b'{"time":"2026-03-27T13:06:56Z","x":1e999,"action":"a"}', plain
    )
    assert [each is None for each in told] == [False, True, False, True, False]


def test_fields_that_a_normaliser_makes_are_not_told() -> None:
    survey = survey_of(SOURCES["windows-json"])
    assert ("Signature",) not in survey.told
    assert ("actor", "id") not in survey.told
    assert ("CommandLine",) in survey.told
    made = SOURCES["windows-json"].survey
    assert made is not None
    assert made([("TimeCreated_SystemTime",)], []) is None


def test_deep_records_are_left_to_the_parser_though_others_are_told() -> None:
    flat = b'{"time":"2026-03-27T13:06:56Z","action":"a","x":"%s"}' % (b"{" * 30)
    deep = b'{"time":"2026-03-27T13:06:56Z","action":"a","x":%s}' % (b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)
    assert [each is None for each in told_of("app-audit", flat, deep, flat)] == [False, True, False]
    assert told_of("app-audit", b"", b"", deep) == [None, None, None]  # blank lines make up for no brackets
