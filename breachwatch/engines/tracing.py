"""Traces of OpenTelemetry, from a record to a mail, told when there is something to tell: when an alert is found.

    collect ─> match ─> correlate ─> take alert ─> incident ─> mail

The first three are told when the alert is, with the times at which they truly happened; of the records that alert
nobody, nothing is told, so a busy day costs no more than its alerts. Every id is derived: the trace from the incident
that the alert raises or would raise, each span from its trace and its cause. So no context has to be kept anywhere, a
courier finds the trace of a mail from its incident, and a replay tells the same spans again. An alert that joins an
incident raised before has a trace of its own, whose `take alert` links to the incident's.

Attributes are rules, levels and opaque ids: no group, no origin, no address. Source: OpenTelemetry specification 1.50,
"Trace API"; semantic conventions 1.37 for the resource.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from urllib.parse import urlsplit

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from breachwatch import __version__
from breachwatch.kernel.ids import IncidentId
from breachwatch.kernel.observing import (
    Mailed,
    Observer,
    Way,
    revision_key,
    span_of,
    trace_of_alert,
    trace_of_incident,
)
from breachwatch.kernel.streams import Alert
from breachwatch.kernel.time import to_microseconds

_SCOPE = InstrumentationScope("breachwatch", __version__)
_PATH = "/v1/traces"
_FAILED = frozenset({"refused", "relay_trouble"})
_REMEMBERED = 10_000
CLOSE_SECONDS = 2.0
"""How long the end of a process waits for what is still to be exported."""

EXPORT_SECONDS = 5.0
"""How long one export may take; what cannot be exported is dropped, since tracing must hold nothing up."""


class TracingObserver(Observer):
    """Tells spans of alerts and mails.

    Args:
        processor: takes each span when it is over.
        resource: of every span; see `resource_of`.
        now: the wall clock.
    """

    def __init__(self, processor: SpanProcessor, resource: Resource, now: Callable[[], datetime]) -> None:
        self._processor = processor
        self._resource = resource
        self._now = now
        self._raised = OrderedDict[str, None]()
        self._lock = threading.Lock()

    def alert(self, alert: Alert, way: Way | None = None) -> None:
        """Tell how the records came to this alert, as far as it is known."""
        trace, key, found_us = trace_of_alert(alert), revision_key(alert), self._now_us()
        parent, start_us = "", found_us
        told = _of_alert(alert)
        if way is not None:
            collect, match = span_of(trace, "collect", key), span_of(trace, "match", key)
            self._tell("collect", (trace, collect, ""), (way.received_us, way.taken_us), told)
            self._tell("match", (trace, match, collect), (way.taken_us, way.matched_us), told)
            parent, start_us = match, way.matched_us
        self._tell("correlate", (trace, span_of(trace, "correlate", key), parent), (start_us, found_us), told)

    def taken(self, alert: Alert, incident_id: IncidentId | None, seconds: float) -> None:
        """Tell that the case plane took it, and of the incident that it raised by its first revision."""
        trace, key, end_us = trace_of_alert(alert), revision_key(alert), self._now_us()
        start_us = end_us - int(seconds * 1e6)
        span, found = span_of(trace, "take alert", key), span_of(trace, "correlate", key)
        told, links = _of_alert(alert), list[tuple[str, str]]()
        if incident_id is not None:
            told["breachwatch.incident.id"] = incident_id
            home = trace_of_incident(incident_id)
            if home == trace and self._first(trace):
                ids = (trace, span_of(trace, "incident"), span)
                self._tell("incident", ids, (start_us, end_us), {"breachwatch.incident.id": incident_id})
            elif home != trace:
                links.append((home, span_of(home, "incident")))
        self._tell("take alert", (trace, span, found), (start_us, end_us), told, links=links)

    def mailed(self, mailed: Mailed) -> None:
        """Tell of one attempt at a mail."""
        trace, end_us = trace_of_incident(mailed.incident_id), self._now_us()
        told: dict[str, str | int] = {
            "breachwatch.incident.id": mailed.incident_id,
            "breachwatch.mail.id": mailed.item_id,
            "breachwatch.mail.kind": mailed.kind,
            "breachwatch.mail.result": mailed.result,
            "breachwatch.mail.attempt": mailed.attempt,
        }
        ids = (trace, span_of(trace, "mail", f"{mailed.item_id}/{mailed.attempt}"), span_of(trace, "incident"))
        times = (end_us - int(mailed.seconds * 1e6), end_us)
        self._tell("mail", ids, times, told, kind=SpanKind.CLIENT, failed=mailed.result in _FAILED)

    def close(self) -> None:
        """Export what waits, for a few seconds at most: of an end nobody should have to wait for a collector."""
        ending = threading.Thread(target=self._end, name="traces", daemon=True)
        ending.start()
        ending.join(CLOSE_SECONDS)

    def _end(self) -> None:
        self._processor.force_flush()
        self._processor.shutdown()

    def _first(self, trace: str) -> bool:
        """Whether the incident of a trace was not told here before; of the oldest it is forgotten."""
        with self._lock:
            known = trace in self._raised
            self._raised[trace] = None
            self._raised.move_to_end(trace)
            if len(self._raised) > _REMEMBERED:
                self._raised.popitem(last=False)
        return not known

    def _now_us(self) -> int:
        return to_microseconds(self._now())

    def _tell(
        self,
        name: str,
        ids: tuple[str, str, str],
        times_us: tuple[int, int],
        told: Mapping[str, str | int],
        *,
        links: Sequence[tuple[str, str]] = (),
        kind: SpanKind = SpanKind.INTERNAL,
        failed: bool = False,
    ) -> None:
        """Give one span, over already, to the processor. `ids`: of trace, span and parent, the last one if any."""
        trace, span, parent = ids
        start_us, end_us = times_us
        finished = ReadableSpan(
            name,
            context=_context(trace, span),
            parent=_context(trace, parent) if parent else None,
            resource=self._resource,
            attributes=told,
            links=[Link(_context(*one)) for one in links],
            kind=kind,
            status=Status(StatusCode.ERROR) if failed else Status(),
            start_time=start_us * 1000,
            end_time=max(start_us, end_us) * 1000,
            instrumentation_scope=_SCOPE,
        )
        self._processor.on_end(finished)


def _context(trace: str, span: str) -> SpanContext:
    return SpanContext(int(trace, 16), int(span, 16), is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))


def _of_alert(alert: Alert) -> dict[str, str | int]:
    return {
        "breachwatch.alert.id": alert.id,
        "breachwatch.alert.revision": alert.revision,
        "breachwatch.alert.level": alert.level,
        "breachwatch.playbook": alert.playbook,
        "breachwatch.rule": alert.rule,
    }


def resource_of(role: str, instance: str) -> Resource:
    """What every span of this process is of; nothing of the host or the user is looked up."""
    return Resource(
        {
            "service.name": f"breachwatch-{role}",
            "service.namespace": "breachwatch",
            "service.version": __version__,
            "service.instance.id": instance,
        }
    )


def exporting(endpoint: str) -> BatchSpanProcessor:
    """What sends spans in batches by OTLP over HTTP, in a thread of its own.

    Args:
        endpoint: of a collector, such as `http://127.0.0.1:4318`; a URL with a path is used as it stands.
    """
    whole = endpoint if urlsplit(endpoint).path.strip("/") else endpoint.rstrip("/") + _PATH
    return BatchSpanProcessor(OTLPSpanExporter(whole, timeout=EXPORT_SECONDS))
