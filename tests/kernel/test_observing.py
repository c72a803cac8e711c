"""The seam by which the program tells of itself: silence costs nothing, and ids of traces are the same for all."""

import inspect
import re

from hypothesis import given
from hypothesis import strategies as st

from breachwatch.engines.prometheus import PrometheusObserver
from breachwatch.kernel.ids import IncidentId, derive
from breachwatch.kernel.observing import (
    SILENT,
    Observer,
    Way,
    incident_traceparent,
    span_of,
    trace_of_incident,
    unpack_way,
)

TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-01")


def test_metrics_hear_everything_that_an_observer_may_hear() -> None:
    heard = {name for name, _ in inspect.getmembers(Observer, inspect.isfunction) if not name.startswith("_")}
    assert heard <= vars(PrometheusObserver).keys()
    for name in heard:
        wanted = inspect.signature(getattr(Observer, name))
        assert inspect.signature(getattr(PrometheusObserver, name)) == wanted, name


def test_silence_says_nothing() -> None:
    assert SILENT.received("linux-sshd", 3) is None  # type: ignore[func-returns-value]
    assert SILENT.transaction("match", 0.1, failed=True) is None  # type: ignore[func-returns-value]


@given(st.integers(0, 1 << 60), st.integers(0, 1 << 60), st.integers(0, 1 << 60))
def test_a_way_comes_out_of_a_header_as_it_went_in(received: int, taken: int, matched: int) -> None:
    way = Way(received, taken, matched)
    assert unpack_way(way.packed()) == way


@given(st.none() | st.binary(max_size=60))
def test_a_header_of_somebody_else_is_no_way_and_no_trouble(packed: bytes | None) -> None:
    way = unpack_way(packed)
    assert way is None or re.fullmatch(rb"\d+-\d+-\d+", packed or b"")


@given(st.text(max_size=30), st.text(max_size=30))
def test_a_trace_follows_from_its_incident_alone(playbook: str, alert: str) -> None:
    incident = IncidentId(derive("in", playbook, alert))
    context = incident_traceparent(incident)
    assert TRACEPARENT.fullmatch(context)
    assert context == incident_traceparent(incident)
    assert trace_of_incident(incident) in context


def test_spans_of_one_trace_differ_by_name_and_by_cause() -> None:
    trace = trace_of_incident(IncidentId("in-1"))
    spans = {span_of(trace, name, key) for name in ("match", "mail") for key in ("", "a", "b")}
    assert len(spans) == 6
