"""What an operator's Prometheus is told: every number that matters, under few labels, and nobody's name."""

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from breachwatch.engines.embedded.engine import EmbeddedEngine
from breachwatch.engines.embedded.spool import Spool
from breachwatch.engines.metrics import BY_NAME, LEVELS, METRICS, PROCESS_METRICS, REASONS, level_class, reason_class
from breachwatch.engines.prometheus import FRESH_FOR, PrometheusObserver, Reading, gauges
from breachwatch.kernel.errors import UnavailableError
from breachwatch.kernel.ids import IncidentId
from breachwatch.kernel.observing import Mailed, Way
from breachwatch.kernel.streams import Tally
from breachwatch.kernel.time import to_microseconds

AT = datetime(2026, 3, 27, 13, tzinfo=UTC)
DOC = Path(__file__).parents[2] / "docs" / "reference" / "metrics.md"
Told = dict[tuple[str, ...], float]


class Clock:
    """A wall clock that the test moves."""

    def __init__(self) -> None:
        self.at = AT

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def observer(clock: Clock) -> PrometheusObserver:
    return PrometheusObserver("up", clock, {"words", "linux-sshd"})


def told(observer: PrometheusObserver) -> Told:
    """Every sample: its name and the values of its labels in the order of their names, to its value."""
    text = observer.scrape()[0].decode()
    return {
        (one.name, *(value for _, value in sorted(one.labels.items()))): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def everything(observer: PrometheusObserver, words: Any) -> None:
    """Tell all there is to tell."""
    observer.received("words", 5)
    observer.worked("words", Tally(5, 3, 1, {"dull": 1}, {"not JSON": 1}, {"backup": 2}))
    observer.matched(2)
    observer.late(1)
    observer.dead_letter("the parser failed: KeyError")
    observer.alert(words.alert("a"), Way(to_microseconds(AT), to_microseconds(AT), to_microseconds(AT)))
    observer.alert(words.alert("a", revision=2))
    observer.taken(words.alert("a"), IncidentId("in-1"), 0.1)
    observer.mailed(Mailed("notice", "accepted", "out-1", IncidentId("in-1"), 1, 0.2))
    for stage in ("match", "correlate", "cases", "forward", "pack"):
        observer.batch(stage, 0.1)
        observer.transaction(stage, 0.1)
        observer.transaction(stage, 0.1, failed=True)
        observer.restored(stage, 0.1)
        observer.assigned(stage, 3)
        observer.stalled(stage, 0.0)
    observer.lag("records", 0, 4)
    observer.window_keys(0, 7)
    observer.broken_rules(1)
    observer.reloaded()
    observer.reloaded(failed=True)
    observer.restarted("worker")


class TestWhatIsTold:
    def test_records_add_up_by_source(self, observer: PrometheusObserver) -> None:
        observer.worked("words", Tally(10, 6, 0, {"dull": 3}, {"not JSON": 1}))
        found = told(observer)
        parts = ("breachwatch_events_total", "breachwatch_ignored_records_total")
        assert found["breachwatch_records_total", "words"] == 10
        assert sum(found[name, "words"] for name in parts) + found["breachwatch_dead_letters_total", "format"] == 10

    def test_an_alert_that_grows_is_one_alert(self, observer: PrometheusObserver, words: Any) -> None:
        for revision in (1, 2, 3):
            observer.alert(words.alert("a", revision=revision))
        found = told(observer)
        assert found["breachwatch_alerts_total", "high"] == 1
        assert found["breachwatch_alert_revisions_total", "high"] == 2

    def test_the_delay_of_an_alert_is_from_receipt_to_now(
        self, observer: PrometheusObserver, clock: Clock, words: Any
    ) -> None:
        way = Way(to_microseconds(AT), to_microseconds(AT), to_microseconds(AT))
        clock.at = AT + timedelta(seconds=0.4)
        observer.alert(words.alert("a"), way)
        found = told(observer)
        assert found["breachwatch_alert_delay_seconds_sum",] == pytest.approx(0.4)
        assert found["breachwatch_alert_delay_seconds_bucket", "0.5"] == 1
        assert found["breachwatch_alert_delay_seconds_bucket", "0.3"] == 0

    def test_keys_of_all_partitions_are_one_number_and_what_was_given_up_is_no_longer_told(
        self, observer: PrometheusObserver
    ) -> None:
        for partition in (0, 1):
            observer.window_keys(partition, 10)
            observer.lag("matches", partition, 5)
        observer.released("matches", 0)
        found = told(observer)
        assert found["breachwatch_window_keys",] == 10
        assert [key for key in found if key[0] == "breachwatch_lag"] == [("breachwatch_lag", "1", "matches")]

    def test_a_partition_may_be_given_up_before_anything_was_told_of_it(self, observer: PrometheusObserver) -> None:
        observer.released("records", 3)
        assert not [key for key in told(observer) if key[0] == "breachwatch_lag"]

    def test_alerts_and_mails_are_told_to_who_writes_traces_too(self, clock: Clock, words: Any) -> None:
        other = PrometheusObserver("also", clock)
        everything(PrometheusObserver("up", clock, also=other), words)
        found = told(other)
        assert found["breachwatch_alerts_total", "high"] == 1
        assert found["breachwatch_alerts_taken_total",] == 1
        assert found["breachwatch_mail_total", "notice", "accepted"] == 1

    @pytest.mark.parametrize(
        ("role", "name"),
        [
            ("courier", "breachwatch_mail_total"),
            ("worker", "breachwatch_dead_letters_total"),
            ("worker", "breachwatch_alerts_total"),
            ("clock", "breachwatch_reloads_total"),
        ],
    )
    def test_what_rules_of_alerts_look_at_is_there_before_it_happens(self, role: str, name: str, clock: Clock) -> None:
        """Prometheus sees no increase in a series that begins at 1."""
        found = {key: value for key, value in told(PrometheusObserver(role, clock)).items() if key[0] == name}
        assert found
        assert set(found.values()) == {0}


class TestFewLabels:
    def test_what_the_code_exports_is_what_the_table_of_metrics_tells(
        self, observer: PrometheusObserver, words: Any
    ) -> None:
        everything(observer, words)
        names = [metric.name for metric in METRICS if metric.kind == "gauge"]
        pulled = [Reading(name, tuple("x" for _ in BY_NAME[name].labels), 1) for name in names]
        made = {"breachwatch_build_info", "breachwatch_unread_metrics", *observer._made}
        observer.reads("all", lambda: [one for one in pulled if one.name not in made])
        families = list(text_string_to_metric_families(observer.scrape()[0].decode()))
        known = {family.name + ("_total" if family.type == "counter" else "") for family in families}
        assert known - set(PROCESS_METRICS) == set(BY_NAME)
        for family in families:
            metric = BY_NAME.get(family.name) or BY_NAME.get(f"{family.name}_total")
            if metric is None:
                continue
            assert family.type == metric.kind, family.name
            for sample in family.samples:
                assert set(sample.labels) - {"le"} == set(metric.labels), sample.name

    def test_the_page_of_metrics_tells_each_with_its_kind_and_labels_and_no_other(self) -> None:
        rows = re.findall(r"^\| `(\w+)` \| (\w+) \|([^|]*)\|", DOC.read_text(encoding="utf-8"), re.MULTILINE)
        told = {name: (kind, tuple(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}
        known = {one.name: (one.kind, one.labels) for one in METRICS}
        known |= {name: ("counter" if name.endswith("_total") else "gauge", ()) for name in PROCESS_METRICS}
        assert told == known

    def test_a_source_that_nobody_configured_makes_no_series(self, observer: PrometheusObserver) -> None:
        for number in range(1000):
            observer.received(f"customer{number:04}@shop.example", 1)
        assert [key for key in told(observer) if key[0] == "breachwatch_received_records_total"] == [
            ("breachwatch_received_records_total", "other")
        ]

    @given(st.text())
    def test_whatever_a_dead_letter_says_its_class_is_one_of_a_few(self, reason: str) -> None:
        assert reason_class(reason) in REASONS

    @pytest.mark.parametrize(
        ("reason", "expected"),
        [
            ("not JSON", "format"),
            ("not a JSON object", "format"),
            ("not RFC 5424", "format"),
            ("not read: ValueError", "fault"),
            ("the parser failed: KeyError", "fault"),
            ("correlation failed: ZeroDivisionError", "fault"),
            ("nested too deep", "too_large"),
            ("too long", "too_large"),
            ("invalid UTF-8", "encoding"),
            ("no time in eventTime or time", "time"),
            ("time out of range", "time"),
            ("no user.name", "lacking"),
            ("unknown source", "unknown_source"),
            ("spool value altered", "altered"),
            ("", "other"),
        ],
    )
    def test_reasons_have_classes(self, reason: str, expected: str) -> None:
        assert reason_class(reason) == expected

    @given(st.text())
    def test_whatever_a_rule_calls_its_level_it_is_one_of_sigma_s_or_other(self, level: str) -> None:
        assert level_class(level) in (*LEVELS, "other")


class TestReadingAtAScrape:
    def test_what_cannot_be_read_is_counted_and_keeps_nothing_else_from_being_told(
        self, observer: PrometheusObserver
    ) -> None:
        def away() -> Iterable[Reading]:
            raise UnavailableError("the database is away")

        observer.reads("ledger", away)
        observer.reads("spool", lambda: gauges({"breachwatch_alerts_waiting": 3}))
        found = told(observer)
        assert found["breachwatch_unread_metrics",] == 1
        assert found["breachwatch_alerts_waiting",] == 3

    def test_a_database_is_asked_once_in_five_seconds_however_many_scrape(
        self, observer: PrometheusObserver, clock: Clock
    ) -> None:
        asked: list[datetime] = []

        def read() -> list[Reading]:
            asked.append(clock.at)
            return []

        observer.reads("ledger", read)
        for _ in range(3):
            told(observer)
        clock.at += FRESH_FOR
        told(observer)
        assert asked == [AT, AT + FRESH_FOR]


class TestTheEmbeddedEngine:
    def test_what_it_did_is_told_once_it_is_durable(
        self, make: Callable[..., EmbeddedEngine], spool: Spool, words: Any, observer: PrometheusObserver, clock: Clock
    ) -> None:
        spool.append(words.chunk("hit a p1", "hit a p2", "dull", "hit a p3", "torn"))
        seen: list[Told] = []

        def look(place: str) -> None:
            if place in ("engine:before-commit", "engine:before-deliver"):
                seen.append(told(observer))

        engine = make(waypoint=look, now=clock, observer=observer)
        engine.step()
        before, after = seen
        assert not [key for key in before if key[0] == "breachwatch_records_total"]
        assert after["breachwatch_records_total", "words"] == 5
        assert after["breachwatch_matches_total",] == 3
        assert after["breachwatch_alert_revisions_total", "high"] == 1

    def test_without_a_clock_it_counts_all_the_same(
        self, make: Callable[..., EmbeddedEngine], spool: Spool, words: Any, observer: PrometheusObserver
    ) -> None:
        spool.append(words.chunk("hit a p1", "dull"))
        make(observer=observer).step()
        assert told(observer)["breachwatch_records_total", "words"] == 2

    def test_a_spool_tells_what_it_has_taken(self, tmp_path: Path, words: Any, observer: PrometheusObserver) -> None:
        spool = Spool(tmp_path / "own.db", words.key, observer=observer)
        spool.append(replace(words.chunk("hit a p1", "dull"), received_at=AT))
        spool.close()
        found = told(observer)
        assert found["breachwatch_received_records_total", "words"] == 2
        assert found["breachwatch_last_received_timestamp_seconds", "words"] == AT.timestamp()
