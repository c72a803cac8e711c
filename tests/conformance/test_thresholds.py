"""CrowdSec's buckets as Sigma correlations: what they mean, and how many incidents they raise on its own test logs.

The logs and assertions lie in `shared/data/crowdsec-hubtests` beside the checkout and are read in place.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bench.conformance import thresholds
from bench.conformance.cases import Case, sources
from bench.conformance.filters import Filter, UnsaidError
from bench.conformance.running import alerts_of
from breachwatch.detection.sigma.rule_files import load_rules

LEAK_MS = 10_000


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return thresholds.cases()


# ---------------------------------------------------------------------- as asserted


def test_nearly_all_cases_raise_what_is_asserted_of_whom_it_is_asserted(cases: list[Case]) -> None:
    right = sum(case.right for case in cases)
    assert cases
    assert right >= 0.95 * len(cases), [case for case in cases if not case.right]


def test_each_difference_has_its_reason(cases: list[Case]) -> None:
    assert all(case.why in thresholds.WHY for case in cases if not case.right)


def test_the_simplification_to_one_window_is_never_better(cases: list[Case]) -> None:
    assert sum(case.right for case in thresholds.cases(single=True)) <= sum(case.right for case in cases)


def test_every_published_bucket_of_a_kind_that_is_read_here_is_valid_sigma() -> None:
    known, said = sources(), 0
    for scenario in (each for together in thresholds.published().values() for each in together):
        try:
            documents = thresholds.sigma(scenario)
        except UnsaidError:
            continue
        for each in documents:
            if "logsource" in each:
                each["logsource"] = {"category": "webserver"}
        loaded = load_rules({"a.yml": yaml.safe_dump_all(documents).encode()}, known, placeholders=thresholds.lists())
        assert not loaded.refused, loaded.refused
        said += 1
    assert said


# ---------------------------------------------------------------------- a bucket and its correlation


def overflows(times: list[int], capacity: int, leak_ms: int) -> bool:
    """A bucket, poured into and leaking."""
    level, last = 0.0, 0
    for at in times:
        level = max(0.0, level - (at - last) / leak_ms) + 1
        last = at
        if level > capacity + 1e-9:
            return True
    return False


def bucket(capacity: int, **more: Any) -> thresholds.Scenario:
    told = {"type": "leaky", "filter": "evt.Meta.log_type == 'ssh_failed-auth'", "groupby": "evt.Meta.source_ip"}
    return thresholds.Scenario("t/bucket", {**told, "capacity": capacity, "leakspeed": "10s", **more})


def lines(times: list[int], users: list[str] | None = None) -> list[bytes]:
    names = users or ["root"] * len(times)
    stamps = [f"2026-03-27T13:{at // 60_000:02}:{at // 1000 % 60:02}.{at % 1000:03}000Z" for at in times]
    return [
        f"{stamp} web-1 sshd[7]: Failed password for {user} from 198.51.100.7 port 4000 ssh2".encode()
        for stamp, user in zip(stamps, names, strict=True)
    ]


def alerts(
    scenario: thresholds.Scenario, records: list[bytes], quiet: timedelta = timedelta(), *, single: bool = False
) -> int:
    documents = thresholds.sigma(scenario, single=single)
    documents[0]["logsource"] = {"product": "linux", "service": "sshd"}
    rules = load_rules({"a.yml": yaml.safe_dump_all(documents).encode()}, sources())
    found = alerts_of(rules, sources(), "linux-sshd", records, {scenario.slug: quiet})
    return sum(alert.rule == scenario.slug for alert in found)


@settings(max_examples=60, deadline=None)
@given(
    gaps=st.lists(st.integers(1, 3 * LEAK_MS), min_size=1, max_size=14),
    capacity=st.integers(2, 6),
)
def test_the_correlation_is_crossed_exactly_when_the_bucket_runs_over(gaps: list[int], capacity: int) -> None:
    times = [sum(gaps[: index + 1]) for index in range(len(gaps))]
    # Just as one drop leaves, the bucket holds and a window, both ends included, is still crossed.
    assume(all((later - first) % LEAK_MS for at, later in enumerate(times) for first in times[:at]))
    found = alerts(bucket(capacity), lines(times))
    assert (found > 0) == overflows(times, capacity, LEAK_MS)


def test_one_window_of_the_time_to_empty_is_crossed_by_a_trickle_that_a_bucket_holds() -> None:
    times = [index * 9_900 for index in range(6)]  # six in 50 s; five leave in that time
    assert not overflows(times, 5, LEAK_MS)
    assert alerts(bucket(5), lines(times)) == 0
    assert alerts(bucket(5), lines(times), single=True) == 1


def test_what_goes_on_is_one_alert_here_and_one_an_overflow_there() -> None:
    times = [index * 1_000 for index in range(40)]
    assert alerts(bucket(5), lines(times), timedelta(seconds=5)) == 1


def test_quiet_for_longer_than_the_blackhole_makes_a_second_incident() -> None:
    times = [*range(0, 6_000, 1_000), *range(200_000, 206_000, 1_000)]
    assert alerts(bucket(5), lines(times), timedelta(minutes=1)) == 2
    assert alerts(bucket(5), lines(times), timedelta(minutes=10)) == 1


def test_a_bucket_that_takes_each_value_once_counts_values() -> None:
    scenario = bucket(5, distinct="evt.Meta.target_user")
    times = [index * 500 for index in range(8)]
    assert alerts(scenario, lines(times, [f"user{index}" for index in range(8)])) == 1
    assert alerts(scenario, lines(times, ["root"] * 8)) == 0


# ---------------------------------------------------------------------- filters, said in Sigma


KINDS = {"http_access-log": {"asked": {"cs-method|exists": True}, "condition": "asked"}}


@pytest.mark.parametrize(
    ("written", "selections", "condition"),
    [
        ("evt.Meta.http_status in ['404', '403']", [{"http_response.code": ["404", "403"]}], "part0"),
        ("evt.Meta.http_status == '404'", [{"http_response.code": ["404"]}], "part0"),
        ("evt.Meta.http_status startsWith ('40')", [{"http_response.code|re": "^40"}], "part0"),
        (
            "Lower(evt.Meta.http_path) contains '/x*'",
            [{"http_request.url.url_string|contains": "/x\\*"}],
            "part0",
        ),
        (
            "evt.Parsed.verb == 'POST' && !(evt.Meta.http_status == '200' || evt.Meta.http_status == '201')",
            [{"http_request.http_method": ["POST"]}, {"http_response.code": ["200"]}, {"http_response.code": ["201"]}],
            "(part0 and not (part1 or part2))",
        ),
        (
            "any(File('words.txt'), { evt.Meta.http_path contains # })",
            [{"http_request.url.url_string|contains|expand": "%words%"}],
            "part0",
        ),
        (
            "let path = Lower(evt.Meta.http_path); path endsWith '.sql'",
            [{"http_request.url.url_string|endswith": ".sql"}],
            "part0",
        ),
        ("evt.Meta.log_type == 'http_access-log'", [{"cs-method|exists": True}], "((http_accesslog_asked))"),
    ],
)
def test_a_filter_becomes_selections(written: str, selections: list[dict[str, Any]], condition: str) -> None:
    found = Filter(written, KINDS)
    assert list(found.selections.values()) == selections
    assert found.condition == condition


@pytest.mark.parametrize(
    "written",
    [
        "evt.Meta.log_type == 'unheard_of'",
        "evt.Meta.unheard == 'x'",
        "evt.Meta.http_path == evt.Meta.http_args",
        "evt.Meta.http_path",
        "evt.Meta.http_path == 'x' )",
        "€",
    ],
)
def test_what_has_no_counterpart_is_refused(written: str) -> None:
    with pytest.raises(UnsaidError):
        Filter(written, KINDS)


def test_decoding_is_said_as_either_way_of_writing() -> None:
    (selection,) = Filter("PathUnescape(evt.Meta.http_path) contains 'a('", KINDS).selections.values()
    assert selection == {"http_request.url.url_string|re|i": r"(a|%61)(\(|%28)"}


def test_spans_are_read_as_go_writes_them() -> None:
    assert thresholds.seconds("1m30s") == 90
    assert thresholds.seconds("500ms") == 0.5
    assert thresholds.seconds("24h") == 86_400
    assert replace(bucket(1), bucket={"blackhole": "5m"}).quiet == timedelta(minutes=5)
