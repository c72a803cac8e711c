"""Selections and conditions: how tests combine, and where fields are found."""

from collections.abc import Callable
from typing import Any

import pytest

from breachwatch.sources.source import Source

Holds = Callable[..., bool]
THREE = """
web_a:
  a: 1
web_b:
  b: 1
app:
  c: 1
_hidden:
  d: 1
condition: {condition}
"""


@pytest.mark.parametrize(
    ("condition", "present", "expected"),
    [
        ("web_a and web_b", "ab", True),
        ("web_a and web_b", "a", False),
        ("web_a or app", "c", True),
        ("not web_a", "b", True),
        ("not web_a", "a", False),
        ("web_a and not (web_b or app)", "a", True),
        ("web_a and not (web_b or app)", "ac", False),
        ("web_a or web_b and app", "a", True),
        ("1 of web_*", "b", True),
        ("any of web_*", "c", False),
        ("all of web_*", "ab", True),
        ("all of web_*", "a", False),
        ("all of them", "abc", True),  # what begins with an underscore is not one of them
        ("1 of them", "d", False),
        ("1 of _*", "d", True),
        ("not 1 of web_*", "c", True),
        ("[web_a, app]", "c", True),  # a list of conditions: any of them
    ],
)
def test_conditions_combine_selections(holds: Holds, condition: str, present: str, expected: bool) -> None:
    assert holds(THREE.format(condition=condition), dict.fromkeys(present, 1)) is expected


@pytest.mark.parametrize(
    ("selection", "fields", "expected"),
    [
        ("{a: x, b: y}", {"a": "x", "b": "y"}, True),  # a mapping: all
        ("{a: x, b: y}", {"a": "x"}, False),
        ("[{a: x}, {b: y}]", {"b": "y"}, True),  # a list of mappings: any
        ("[{a: x, b: y}, {c: z}]", {"a": "x", "c": "z"}, True),
        ("[{a: x, b: y}, {c: z}]", {"a": "x"}, False),
        ("[needle, other]", {"a": {"deep": ["hay", "the NEEDLE here"]}}, True),  # keywords: any value of the event
        ("needle", {"a": "hay"}, False),
        ("'|all': [hay, needle]", {"a": "hay", "b": "a needle"}, True),
        ("'|all': [hay, needle]", {"a": "hay"}, False),
        ("[404]", {"status": 404}, True),
    ],
)
def test_selections_are_mappings_lists_or_keywords(
    holds: Holds, selection: str, fields: dict[str, Any], expected: bool
) -> None:
    form = f"s: {selection}" if not selection.startswith("'|") else f"s:\n  {selection}"
    assert holds(f"{form}\ncondition: s", fields) is expected


def test_fields_are_found_by_ocsf_path_native_path_and_literal_name(
    holds: Holds, open_source: Callable[..., Source]
) -> None:
    source = open_source({"src_endpoint.ip": ("client", "ip")}, {"class_uid": 3002})
    selection = "s:\n  src_endpoint.ip: 192.0.2.1\ncondition: s"
    assert holds(selection, {"client": {"ip": "192.0.2.1"}}, source)
    assert holds(selection, {"client.ip": "192.0.2.1"}, source)
    assert not holds(selection, {"src_endpoint": {"ip": "192.0.2.1"}}, source)
    assert holds("s:\n  client.ip: 192.0.2.1\ncondition: s", {"client": {"ip": "192.0.2.1"}}, source)
    assert holds("s:\n  a.b.c: 1\ncondition: s", {"a": {"b": [{"c": 2}, {"c": 1}]}}, source)


def test_what_is_true_of_every_event_of_a_source_can_be_asked(holds: Holds, open_source: Callable[..., Source]) -> None:
    source = open_source({}, {"class_uid": 3002})
    assert holds("s:\n  class_uid: 3002\ncondition: s", {}, source)
    assert not holds("s:\n  class_uid|gt: 3002\ncondition: s", {}, source)
