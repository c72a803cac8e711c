"""A source answers: where is this field, and what does the event mean in OCSF."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breachwatch.sources.event import DAY_US, Dead, Event, placed
from breachwatch.sources.source import Source, accessor, pick


def test_a_field_is_found_by_its_ocsf_path_or_its_native_name(source: Callable[..., Source]) -> None:
    audit = source("app-audit")
    assert audit.native("actor.user.uid") == ("actor", "id")
    assert audit.native("actor.id") == ("actor", "id")
    assert audit.native("action") == ("action",)
    assert audit.native("details.ticket.id") == ("details", "ticket", "id")


def test_a_closed_list_knows_no_other_field_and_an_open_one_knows_all(source: Callable[..., Source]) -> None:
    assert source("linux-sshd").native("src_addr") is None
    assert source("app-audit").native("acton") is None
    assert source("generic-json").native("anything.at.all") == ("anything", "at", "all")
    assert "src_endpoint.ip" in source("web-access").known_fields()
    assert "c-ip" in source("web-access").known_fields()


@pytest.mark.parametrize(
    ("name", "attributes"),
    [
        (
            "linux-sshd",
            "activity_id status status_id status_detail auth_protocol actor.process.pid user.name src_endpoint.ip "
            "src_endpoint.port device.hostname is_invalid_user unmapped.invalid_user invalid_user action",
        ),
        (
            "web-access",
            "src_endpoint.ip actor.user.name http_request.http_method http_request.url.path "
            "http_request.url.query_string http_request.user_agent http_request.referrer http_response.code "
            "traffic.bytes_out c-ip cs-method cs-uri-stem cs-uri-query cs-uri sc-status cs-user-agent cs-referer "
            "cs-username",
        ),
        (
            "app-audit",
            "status actor.user.uid actor.user.type src_endpoint.ip http_request.user_agent user.uid user.name "
            "web_resources.type web_resources.uid web_resources.count app_name action outcome records",
        ),
    ],
)
def test_the_fields_that_playbooks_use_exist(source: Callable[..., Source], name: str, attributes: str) -> None:
    missing = [field for field in attributes.split() if source(name).native(field) is None]
    assert missing == []


def test_to_ocsf_nests_constants_and_leaves_out_what_is_absent() -> None:
    made = Source(
        name="x",
        title="x",
        description="",
        logsource={},
        attributes={"user.name": ("who",), "user.uid": ("id",), "user.name.x": ("who",)},
        constants={"metadata.product.name": "X", "class_uid": 1},
        allowed_lateness=timedelta(0),
        parse=lambda _raw, _received: Dead("never"),
    )
    told = made.to_ocsf(Event(1_500_999, {"who": "ana"}))
    assert told == {"time": 1500, "metadata": {"product": {"name": "X"}}, "class_uid": 1, "user": {"name": "ana"}}


@pytest.mark.parametrize(
    ("fields", "path", "value"),
    [
        ({"a": {"b": 1}}, ("a", "b"), 1),
        ({"a.b": 2, "a": {"b": 1}}, ("a", "b"), 2),  # the literal key wins
        ({"a": 1}, ("a", "b"), None),
        ({}, ("a", "b", "c"), None),
        ({"a": {"b": {"c": 3}}}, ("a", "b", "c"), 3),
        ({"a": [{"b": 1}, {"b": 2}, {"c": 3}, 4]}, ("a", "b"), [1, 2]),
        ({"a": [{"b": ["x", "y"]}, {"b": "z"}]}, ("a", "b"), ["x", "y", "z"]),  # as the statements of a policy are
        ({"a": []}, ("a", "b"), None),
        ({"a": {"b": False}}, ("a", "b"), False),
    ],
)
def test_pick_looks_through_nesting(fields: dict[str, Any], path: tuple[str, ...], value: object) -> None:
    assert pick(fields, path) == value
    assert accessor(path)(fields) == value


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "a.b", "c"]), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(
    st.dictionaries(st.sampled_from(["a", "b", "a.b", "c", "a.b.c"]), JSON),
    st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=3).map(tuple),
)
def test_an_accessor_finds_what_pick_finds(fields: dict[str, Any], path: tuple[str, ...]) -> None:
    assert accessor(path)(fields) == pick(fields, path)


def test_an_event_of_tomorrow_is_kept_and_one_of_the_day_after_is_dead() -> None:
    assert placed(DAY_US + 5, 5, {}) == Event(DAY_US + 5, {})
    assert placed(DAY_US + 6, 5, {}) == Dead("time out of range")
    assert placed(-1, 5, {}) == Dead("time out of range")
