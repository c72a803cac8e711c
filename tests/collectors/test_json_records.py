"""JSON files of every shape give the records one would count by hand, however the bytes arrive."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from breachwatch.collectors.json_records import JsonSplitter, stands_in_lines


def cut(data: bytes, envelope: str = "", step: int = 0, **more: Any) -> list[bytes]:
    splitter = JsonSplitter(envelope, **more)
    step = step or max(len(data), 1)
    records = [each for at in range(0, len(data), step) for each in splitter.feed(data[at : at + step])]
    return [record.body for record in records + splitter.flush()]


PRETTY = json.dumps([{"a": [1, {"b": "]}{["}]}, {"c": '\\"'}], indent=2).encode()


@pytest.mark.parametrize(
    ("data", "envelope", "expected"),
    [
        (b'[{"a": 1}, {"b": [2]}]', "", [b'{"a": 1}', b'{"b": [2]}']),
        (b'{"a": 1}{"b": 2}\n {"c": 3}', "", [b'{"a": 1}', b'{"b": 2}', b'{"c": 3}']),
        (b'{"a":\n 1}\n{"b": 2}', "", [b'{"a":  1}', b'{"b": 2}']),
        (b'{"Records": [{"a": 1}, {"b": 2}], "more": [{"c": 3}]}', "Records", [b'{"a": 1}', b'{"b": 2}']),
        (b'{"v": {"x": []}, "Records" : [{"a": 1}]}{"Records":[{"b": 2}]}', "Records", [b'{"a": 1}', b'{"b": 2}']),
        (b'{"Records": [], "next": null}', "Records", []),
        (b'{"a": 1}', "Records", [b'{"a": 1}']),
        (b'{"x": {"Records": [1]}}', "Records", [b'{"x": {"Records": [1]}}']),
        (b'{"x\\"Records": [1]}', "Records", [b'{"x\\"Records": [1]}']),
        (b'[1, "two words", null, {"a": 1}, [2]]', "", [b"1", b'"two words"', b"null", b'{"a": 1}', b"[2]"]),
        (b'\x1e{"a": 1}\n\x1e{"b": 2}\n', "", [b'{"a": 1}', b'{"b": 2}']),
        (b'[{"a": 1}]\n[{"b": 2}]', "", [b'{"a": 1}', b'{"b": 2}']),
        (b"", "", []),
        (b" \n[ ]\n", "", []),
    ],
)
def test_every_shape_is_cut_into_its_records(data: bytes, envelope: str, expected: list[bytes]) -> None:
    assert cut(data, envelope) == expected
    assert cut(data, envelope, 1) == expected


def test_pretty_printed_records_lose_their_line_feeds_and_nothing_else() -> None:
    found = cut(PRETTY)
    assert [orjson.loads(each) for each in found] == orjson.loads(PRETTY)
    assert not any(b"\n" in each for each in found)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text('a"\\{}[],:\n é', max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('aR"\\{[', max_size=3), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.lists(st.dictionaries(st.text('aR"\\{[', max_size=3), VALUES, max_size=4), max_size=5)


@given(
    OBJECTS, st.sampled_from(["array", "row", "lines", "envelope"]), st.sampled_from([None, 1, 4]), st.integers(1, 40)
)
def test_whatever_the_values_and_however_the_bytes_arrive(
    objects: list[dict[str, Any]], shape: str, indent: int | None, step: int
) -> None:
    texts = [json.dumps(each, indent=indent) for each in objects]
    data = {
        "array": json.dumps(objects, indent=indent),
        "row": "".join(texts),
        "lines": "\n".join(texts),
        "envelope": json.dumps({"n": {"Records": [1]}, "Records": objects, "z": [[], {}]}, indent=indent),
    }[shape]
    envelope = "Records" if shape == "envelope" else ""
    if shape != "envelope" and any("Records" in each for each in objects):
        return
    assert [orjson.loads(each) for each in cut(data.encode(), envelope, step)] == objects


def test_a_record_that_is_never_closed_is_lost_alone() -> None:
    spoilt = b'[\n  {\n    "a": [1,\n  },\n  {\n    "b": {\n      "c": 1\n    }\n  },\n  {\n    "d": 1\n  }\n]'
    first, *others = cut(spoilt)
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(first)
    assert [orjson.loads(each) for each in others] == [{"b": {"c": 1}}, {"d": 1}]


def test_an_indentation_of_nothing_is_no_fault() -> None:
    told = [{"a": [{"b": 1}, {"c": 2}]}, {"d": 3}]
    assert [orjson.loads(each) for each in cut(json.dumps(told, indent=0).encode())] == told


def test_a_record_of_any_length_is_cut_and_its_size_told() -> None:
    splitter = JsonSplitter(max_bytes=10)
    long = b'{"a": "' + b"x" * 1000 + b'"}'
    records = [*splitter.feed(b"[" + long[:500]), *splitter.feed(long[500:] + b', {"b": 1}]'), *splitter.flush()]
    assert records[0].size == len(long)
    assert records[0].body == long[:10]
    assert records[1].body == b'{"b": 1}'


@given(st.binary(max_size=200), st.integers(1, 20))
def test_any_bytes_are_taken_and_no_cut_of_them_changes_the_records(data: bytes, step: int) -> None:
    assert [each.split() for each in cut(data, "R", step)] == [each.split() for each in cut(data, "R")]


@pytest.mark.parametrize(
    ("head", "envelope", "lines"),
    [
        (b'{"a": 1}\n{"b": 2}\n', "", True),
        (b'{"a": 1}\nnot json\n{"b": 2}\n', "", True),
        (b'{"a": \n{"b": 2}\n{"c": 3}\n', "", True),
        (b'{"a": 1}', "", True),
        (b'{"a": 1}{"b": 2}', "", False),
        (b'{\n "a": 1\n}\n', "", False),
        (b'[{"a": 1}]', "", False),
        (b'{"Records": [{}]}\n', "Records", False),
        (b'{"Records": [{}]}\n', "", True),
        (b"no json at all\n", "", True),
        (b"", "", True),
        (b'{"a": 1}\n{"cut off her', "", True),
    ],
)
def test_a_value_a_line_is_told_from_other_shapes(head: bytes, envelope: str, lines: bool) -> None:
    assert stands_in_lines(head, envelope) is lines
