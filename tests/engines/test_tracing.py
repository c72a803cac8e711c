"""A trace leads from a record to a mail, the same whenever it is told, and names nobody."""

import gzip
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import pairwise
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from breachwatch.engines.embedded.engine import EmbeddedEngine
from breachwatch.engines.embedded.spool import Spool
from breachwatch.engines.tracing import TracingObserver, exporting, resource_of
from breachwatch.kernel.ids import IncidentId, derive
from breachwatch.kernel.observing import Mailed, Way, incident_traceparent, traceparent
from breachwatch.kernel.streams import Alert
from breachwatch.kernel.time import to_microseconds

AT = datetime(2026, 3, 27, 13, tzinfo=UTC)
CHAIN = ["collect", "match", "correlate", "take alert", "incident", "mail"]
SECOND_US = 1_000_000


class Traced:
    """An observer whose spans the test can look at."""

    def __init__(self) -> None:
        self.at = AT
        self._exporter = InMemorySpanExporter()
        self.observer = TracingObserver(
            SimpleSpanProcessor(self._exporter), resource_of("up", "node-1"), lambda: self.at
        )

    @property
    def spans(self) -> list[ReadableSpan]:
        return list(self._exporter.get_finished_spans())

    def named(self, name: str) -> ReadableSpan:
        (found,) = [span for span in self.spans if span.name == name]
        return found

    def ids(self) -> list[tuple[str, int, int, int]]:
        """Name, trace, span and parent of each."""
        return [(one.name, one.context.trace_id, one.context.span_id, _parent(one)) for one in self.spans]


def _parent(span: ReadableSpan) -> int:
    return span.parent.span_id if span.parent else 0


@pytest.fixture
def traced() -> Traced:
    return Traced()


def raised_by(alert: Alert) -> IncidentId:
    return IncidentId(derive("in", alert.playbook, alert.id))


def story(traced: Traced, alert: Alert) -> None:
    """A record is received and matched, completes an alert, which raises an incident, of which the team is told."""
    start = to_microseconds(AT)
    way = Way(start, start + SECOND_US, start + 2 * SECOND_US)
    traced.at = AT + timedelta(seconds=3)
    traced.observer.alert(alert, way)
    traced.at = AT + timedelta(seconds=5)
    traced.observer.taken(alert, raised_by(alert), 1.0)
    traced.at = AT + timedelta(seconds=9)
    traced.observer.mailed(Mailed("team_mail", "accepted", "out-1", raised_by(alert), 1, 2.0))


class TestOneTrace:
    def test_leads_from_the_record_to_the_mail_each_step_under_the_one_before(self, traced: Traced, words: Any) -> None:
        story(traced, words.alert("a"))
        assert {one.context.trace_id for one in traced.spans} == {traced.spans[0].context.trace_id}
        for before, after in pairwise(CHAIN):
            assert _parent(traced.named(after)) == traced.named(before).context.span_id, after
        assert _parent(traced.named("collect")) == 0

    def test_tells_the_times_at_which_things_truly_happened(self, traced: Traced, words: Any) -> None:
        story(traced, words.alert("a"))
        start = to_microseconds(AT) * 1000
        lasted = {one.name: ((one.start_time or 0) - start, (one.end_time or 0) - start) for one in traced.spans}
        seconds = {name: (begin / 1e9, end / 1e9) for name, (begin, end) in lasted.items()}
        assert seconds == {
            "collect": (0, 1),
            "match": (1, 2),
            "correlate": (2, 3),
            "take alert": (4, 5),
            "incident": (4, 5),
            "mail": (7, 9),
        }

    def test_is_the_same_when_all_is_told_again(self, traced: Traced, words: Any) -> None:
        again = Traced()
        for one in (traced, again):
            story(one, words.alert("a"))
        assert traced.ids() == again.ids()

    def test_goes_on_under_the_context_that_other_programs_were_given(self, traced: Traced, words: Any) -> None:
        alert = words.alert("a")
        story(traced, alert)
        for context, name in ((traceparent(alert), "correlate"), (incident_traceparent(raised_by(alert)), "incident")):
            span = traced.named(name).context
            assert context == f"00-{span.trace_id:032x}-{span.span_id:016x}-01"

    def test_an_alert_that_joins_an_incident_links_to_it(self, traced: Traced, words: Any) -> None:
        first, second = words.alert("a"), words.alert("b")
        traced.observer.taken(first, raised_by(first), 0.1)
        traced.observer.taken(second, raised_by(first), 0.1)
        incident = traced.named("incident").context
        joined = [one for one in traced.spans if one.name == "take alert"][1]
        assert joined.context.trace_id != incident.trace_id
        assert [(link.context.trace_id, link.context.span_id) for link in joined.links] == [
            (incident.trace_id, incident.span_id)
        ]

    def test_an_incident_is_told_once_however_often_its_alert_grows(self, traced: Traced, words: Any) -> None:
        for revision in (1, 2, 3):
            alert = words.alert("a", revision=revision)
            traced.observer.taken(alert, raised_by(alert), 0.1)
        assert [one.name for one in traced.spans].count("incident") == 1
        assert len({one.context.span_id for one in traced.spans}) == 4

    def test_an_alert_that_raises_nothing_ends_at_the_case_plane(self, traced: Traced, words: Any) -> None:
        traced.observer.taken(words.alert("a", raises_incident=False), None, 0.1)
        assert [one.name for one in traced.spans] == ["take alert"]

    def test_a_mail_that_the_relay_refused_is_an_error(self, traced: Traced) -> None:
        for result, failed in (("accepted", False), ("deferred", False), ("refused", True), ("relay_trouble", True)):
            traced.observer.mailed(Mailed("notice", result, f"out-{result}", IncidentId("in-1"), 1, 0.1))
            assert (not traced.spans[-1].status.is_unset) == failed, result

    def test_says_nothing_of_anybody(self, traced: Traced, words: Any) -> None:
        person = "camille@shop.example"
        alert = replace(
            words.alert("a", subjects=(f"s-{person}",)),
            group={"user": person, "src_endpoint.ip": "192.0.2.7"},
            samples=({"message": person},),
            title=f"Export by {person}",
        )
        story(traced, alert)
        told = "".join(one.to_json() for one in traced.spans)
        assert person not in told
        assert "192.0.2.7" not in told


class TestTheEmbeddedEngine:
    def test_tells_the_way_of_the_record_that_completed_the_alert_and_of_no_other(
        self, make: Callable[..., EmbeddedEngine], spool: Spool, words: Any, traced: Traced
    ) -> None:
        ticks = iter(range(1, 1000))
        spool.append(replace(words.chunk("hit a p1", "hit a p2"), received_at=AT))
        spool.append(replace(words.chunk("hit a p3", first=2), received_at=AT + timedelta(seconds=1)))
        spool.append(replace(words.chunk("hit b p3", first=3), received_at=AT))

        def now() -> datetime:
            traced.at = AT + timedelta(seconds=1 + next(ticks))
            return traced.at

        make(now=now, observer=traced.observer).step()
        make(now=now, observer=traced.observer).step()
        names = [one.name for one in traced.spans]
        assert names == ["collect", "match", "correlate"]
        assert traced.named("collect").start_time == to_microseconds(AT + timedelta(seconds=1)) * 1000
        times = [traced.named(name) for name in names]
        assert all((one.start_time or 0) <= (one.end_time or 0) for one in times)
        assert [one.start_time for one in times] == sorted(one.start_time or 0 for one in times)


@pytest.fixture
def collector() -> Iterator[tuple[str, list[ExportTraceServiceRequest]]]:
    """A collector of OTLP over HTTP: (its address, what it was sent)."""
    taken: list[ExportTraceServiceRequest] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            assert self.path == "/v1/traces"
            taken.append(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", taken
    server.shutdown()
    thread.join()
    server.server_close()


class TestOtlp:
    def test_a_collector_receives_what_was_told(
        self, collector: tuple[str, list[ExportTraceServiceRequest]], words: Any
    ) -> None:
        address, taken = collector
        observer = TracingObserver(exporting(address), resource_of("clock", "node-1"), lambda: AT)
        alert = words.alert("a")
        observer.alert(alert, Way(*[to_microseconds(AT)] * 3))
        observer.taken(alert, raised_by(alert), 0.1)
        observer.close()
        scopes = [scope for request in taken for each in request.resource_spans for scope in each.scope_spans]
        spans = [span for scope in scopes for span in scope.spans]
        assert sorted(span.name for span in spans) == sorted(CHAIN[:-1])
        assert len({span.trace_id for span in spans}) == 1
        resource = {each.key: each.value.string_value for each in taken[0].resource_spans[0].resource.attributes}
        assert resource["service.name"] == "breachwatch-clock"
        assert set(resource) == {"service.name", "service.namespace", "service.version", "service.instance.id"}

    def test_a_collector_that_is_away_holds_nothing_up(self, words: Any) -> None:
        observer = TracingObserver(exporting("http://127.0.0.1:9"), resource_of("clock", "node-1"), lambda: AT)
        for number in range(100):
            observer.alert(words.alert(f"a{number}"))
        observer.close()
