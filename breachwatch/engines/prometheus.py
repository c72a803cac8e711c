"""What an observer heard, and what can be read at the moment, in Prometheus' format.

Source: Prometheus text exposition format 0.0.4. The registry is this process's own; nothing else registers there.
"""

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import product
from typing import TypeVar, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, disable_created_metrics
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.registry import Collector

from breachwatch import __version__
from breachwatch.engines.metrics import BY_NAME, LEVELS, MAIL_KINDS, REASONS, Metric, level_class, reason_class
from breachwatch.kernel.ids import IncidentId
from breachwatch.kernel.observing import SILENT, Mailed, MailResult, Observer, Stage, Way
from breachwatch.kernel.streams import Alert, Tally
from breachwatch.kernel.time import to_microseconds

FRESH_FOR = timedelta(seconds=5)
"""How long what was read for one scrape serves the next, so that scraping costs a database nothing to speak of."""

Known = TypeVar("Known", Counter, Gauge, Histogram)


@dataclass(frozen=True, slots=True)
class Reading:
    """A gauge as it stands: the metric's name, the values of its labels in their order, and its value."""

    name: str
    labels: tuple[str, ...]
    value: float


Read = Callable[[], Iterable[Reading]]
"""Asked at a scrape, in a thread; what it raises is counted and leaves its metrics out of this scrape."""


class PrometheusObserver(Observer):
    """An `Observer` whose `scrape` tells everything.

    Args:
        role: of this process, such as `worker`.
        now: the wall clock.
        sources: that may come; records of any other are counted under `other`.
        also: told of alerts and mails as well, such as what writes traces.
    """

    def __init__(
        self, role: str, now: Callable[[], datetime], sources: Collection[str] = (), *, also: Observer = SILENT
    ) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._now = now
        self._sources = frozenset(sources)
        self._also = also
        self._registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self._registry)
        self._made: dict[str, Counter | Gauge | Histogram] = {}
        self._lock = threading.Lock()
        self._keys: dict[int, int] = {}
        self._pulled = _Pulled(now)
        self._registry.register(self._pulled)
        self._gauge("breachwatch_build_info").labels(__version__, role).set(1)
        self._begin(role)

    def reads(self, name: str, read: Read) -> None:
        """Ask `read` at each scrape; `name` says what is read, for the log, and takes the place of an earlier one."""
        self._pulled.reads[name] = read

    def scrape(self, accept: str = "") -> tuple[bytes, str]:
        """(body, content type) for a scraper that sent this `Accept` header; asks the readers, so in a thread."""
        encode, kind = choose_encoder(accept)
        return encode(self._registry), kind

    # ------------------------------------------------------------------ Observer

    def received(self, source: str, records: int) -> None:
        """See `Observer`."""
        name = self._source(source)
        self._counter("breachwatch_received_records_total").labels(name).inc(records)
        seconds = to_microseconds(self._now()) / 1e6
        self._gauge("breachwatch_last_received_timestamp_seconds").labels(name).set(seconds)

    def worked(self, source: str, tally: Tally) -> None:
        """See `Observer`."""
        name = self._source(source)
        self._counter("breachwatch_records_total").labels(name).inc(tally.records)
        self._counter("breachwatch_events_total").labels(name).inc(tally.events)
        if ignored := sum(tally.ignored.values()):
            self._counter("breachwatch_ignored_records_total").labels(name).inc(ignored)
        for reason, count in tally.dead.items():
            self._counter("breachwatch_dead_letters_total").labels(reason_class(reason)).inc(count)
        if allowed := sum(tally.allowed.values()):
            self._counter("breachwatch_allowed_matches_total").inc(allowed)
        self.late(tally.late)

    def matched(self, matches: int) -> None:
        """See `Observer`."""
        self._counter("breachwatch_matches_total").inc(matches)

    def late(self, events: int) -> None:
        """See `Observer`."""
        self._counter("breachwatch_late_events_total").inc(events)

    def dead_letter(self, reason: str) -> None:
        """See `Observer`."""
        self._counter("breachwatch_dead_letters_total").labels(reason_class(reason)).inc()

    def alert(self, alert: Alert, way: Way | None = None) -> None:
        """See `Observer`."""
        name = "breachwatch_alerts_total" if alert.revision == 1 else "breachwatch_alert_revisions_total"
        self._counter(name).labels(level_class(alert.level)).inc()
        if way is not None:
            delay = (to_microseconds(self._now()) - way.received_us) / 1e6
            self._histogram("breachwatch_alert_delay_seconds").observe(max(delay, 0.0))
        self._also.alert(alert, way)

    def taken(self, alert: Alert, incident_id: IncidentId | None, seconds: float) -> None:
        """See `Observer`."""
        self._counter("breachwatch_alerts_taken_total").inc()
        self._also.taken(alert, incident_id, seconds)

    def mailed(self, mailed: Mailed) -> None:
        """See `Observer`."""
        self._counter("breachwatch_mail_total").labels(mailed.kind, mailed.result).inc()
        self._also.mailed(mailed)

    def batch(self, stage: Stage, seconds: float) -> None:
        """See `Observer`."""
        self._histogram("breachwatch_batch_seconds").labels(stage).observe(seconds)

    def transaction(self, stage: Stage, seconds: float, *, failed: bool = False) -> None:
        """See `Observer`."""
        if failed:
            self._counter("breachwatch_failed_transactions_total").labels(stage).inc()
        else:
            self._histogram("breachwatch_transaction_seconds").labels(stage).observe(seconds)

    def lag(self, topic: str, partition: int, waiting: int) -> None:
        """See `Observer`."""
        self._gauge("breachwatch_lag").labels(topic, str(partition)).set(waiting)

    def assigned(self, stage: Stage, partitions: int) -> None:
        """See `Observer`."""
        self._gauge("breachwatch_assigned_partitions").labels(stage).set(partitions)

    def released(self, topic: str, partition: int) -> None:
        """See `Observer`."""
        gauge = self._gauge("breachwatch_lag")
        gauge.labels(topic, str(partition))
        gauge.remove(topic, str(partition))
        if topic == "matches":
            with self._lock:
                self._keys.pop(partition, None)
                keys = sum(self._keys.values())
            self._gauge("breachwatch_window_keys").set(keys)

    def restored(self, stage: Stage, seconds: float) -> None:
        """See `Observer`."""
        self._histogram("breachwatch_restore_seconds").labels(stage).observe(seconds)

    def window_keys(self, partition: int, keys: int) -> None:
        """See `Observer`."""
        with self._lock:
            self._keys[partition] = keys
            known = sum(self._keys.values())
        self._gauge("breachwatch_window_keys").set(known)

    def stalled(self, stage: Stage, seconds: float) -> None:
        """See `Observer`."""
        self._gauge("breachwatch_stalled_seconds").labels(stage).set(seconds)

    def broken_rules(self, rules: int) -> None:
        """See `Observer`."""
        self._gauge("breachwatch_broken_rules").set(rules)

    def reloaded(self, *, failed: bool = False) -> None:
        """See `Observer`."""
        self._counter("breachwatch_reloads_total").labels("failed" if failed else "used").inc()

    def restarted(self, role: str) -> None:
        """See `Observer`."""
        self._counter("breachwatch_restarts_total").labels(role).inc()

    # ------------------------------------------------------------------ metrics, made when first told

    def _begin(self, role: str) -> None:
        """Begin at 0 what an alert rule looks at, for Prometheus sees no increase in a series that is born at 1."""
        if role in ("up", "courier"):
            for kind, result in product(MAIL_KINDS, get_args(MailResult)):
                self._counter("breachwatch_mail_total").labels(kind, result)
        if role in ("up", "worker"):
            for reason in REASONS:
                self._counter("breachwatch_dead_letters_total").labels(reason)
            for name in ("breachwatch_late_events_total", "breachwatch_matches_total"):
                self._counter(name)
            for level in LEVELS:
                self._counter("breachwatch_alerts_total").labels(level)
        if role != "collect":
            for result in ("used", "failed"):
                self._counter("breachwatch_reloads_total").labels(result)

    def _source(self, source: str) -> str:
        return source if source in self._sources else "other"

    def _counter(self, name: str) -> Counter:
        return self._metric(name, lambda one: Counter(one.name, one.help, one.labels, registry=self._registry))

    def _gauge(self, name: str) -> Gauge:
        return self._metric(name, lambda one: Gauge(one.name, one.help, one.labels, registry=self._registry))

    def _histogram(self, name: str) -> Histogram:
        def make(one: Metric) -> Histogram:
            return Histogram(one.name, one.help, one.labels, buckets=one.buckets, registry=self._registry)

        return self._metric(name, make)

    def _metric(self, name: str, make: Callable[[Metric], Known]) -> Known:
        known = self._made.get(name)
        if known is None:
            with self._lock:
                known = self._made.get(name)
                if known is None:
                    known = self._made[name] = make(BY_NAME[name])
        return known  # type: ignore[return-value] # a name is always asked for as what it was made as


class _Pulled(Collector):
    """What is read at a scrape."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.reads: dict[str, Read] = {}
        self._now = now
        self._lock = threading.Lock()
        self._last: tuple[datetime, list[GaugeMetricFamily]] | None = None

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Every family, read anew unless that was done a moment ago."""
        with self._lock:
            at = self._now()
            if self._last is None or not timedelta(0) <= at - self._last[0] < FRESH_FOR:
                self._last = at, list(self._families())
            found = self._last[1]
        yield from found

    def _families(self) -> Iterator[GaugeMetricFamily]:
        found: dict[str, GaugeMetricFamily] = {}
        unread = 0
        for read in list(self.reads.values()):
            try:
                readings = list(read())
            except Exception:
                unread += 1
                continue
            for one in readings:
                family = found.get(one.name)
                if family is None:
                    metric = BY_NAME[one.name]
                    family = found[one.name] = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
                family.add_metric(one.labels, one.value)
        yield from found.values()
        metric = BY_NAME["breachwatch_unread_metrics"]
        yield GaugeMetricFamily(metric.name, metric.help, value=unread)


def gauges(values: Mapping[str, float]) -> list[Reading]:
    """Readings of gauges without labels."""
    return [Reading(name, (), value) for name, value in values.items()]
