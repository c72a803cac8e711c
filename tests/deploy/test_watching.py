"""What an operator is given to look on with: every query asks for metrics that are exported, by labels they have."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from breachwatch.engines.metrics import BY_NAME, PROCESS_METRICS, Metric
from breachwatch.settings import ROLES, ObserveSection

ROOT = Path(__file__).parents[2]
DASHBOARD = json.loads((ROOT / "deploy/grafana/breachwatch.json").read_text(encoding="utf-8"))
ALERTS = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text(encoding="utf-8"))
SCRAPING = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text(encoding="utf-8"))
GUIDE = (ROOT / "docs/how-to/watch-it-run.md").read_text(encoding="utf-8")
RULES = [rule for group in ALERTS["groups"] for rule in group["rules"]]
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
QUERIES = [(rule["alert"], rule["expr"]) for rule in RULES] + [
    (panel["title"], target["expr"]) for panel in PANELS for target in panel["targets"]
]
EVERYWHERE = {"job", "instance"}
"""Labels that Prometheus adds to all it scrapes."""

FUNCTIONS = {
    *("sum", "max", "min", "count", "by", "rate", "increase", "deriv", "changes", "time", "vector"),
    *("histogram_quantile", "and", "or", "unless", "on", "ignoring"),
}
_SELECTOR = re.compile(r"([a-z_:][a-z0-9_:]*)(\{[^}]*\})?(\[[^]]*\])?")
_MATCHER = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"[^"]*"')
_BY = re.compile(r"\bby\s*\(([^)]*)\)")


def metric_of(name: str) -> Metric:
    """The metric that a series is of; of a histogram also by its buckets, sum and count."""
    if name in ("up", *PROCESS_METRICS):
        return Metric(name, "counter" if name.endswith("_total") else "gauge", "")
    base = re.sub(r"_(bucket|sum|count)$", "", name)
    if base in BY_NAME and BY_NAME[base].kind == "histogram" and base != name:
        return BY_NAME[base]
    assert name in BY_NAME, f"no metric is called {name}"
    assert BY_NAME[name].kind != "histogram", f"{name} is a histogram: ask for its buckets"
    return BY_NAME[name]


def selectors(query: str) -> Iterator[tuple[Metric, str, set[str], str]]:
    """(metric, series' name, labels matched, range) of each selector of a query."""
    without_by = _BY.sub("", query)
    for name, matchers, span in _SELECTOR.findall(without_by):
        if name not in FUNCTIONS and not name.startswith("__"):
            yield metric_of(name), name, set(_MATCHER.findall(matchers)), span


@pytest.mark.parametrize(("where", "query"), QUERIES, ids=[f"{where}-{n}" for n, (where, _) in enumerate(QUERIES)])
class TestQueries:
    def test_asks_for_metrics_that_are_exported_by_labels_that_they_have(self, where: str, query: str) -> None:
        found = list(selectors(query))
        assert found, "a query that asks for nothing"
        known = {label for metric, name, _, _ in found for label in metric.labels} | EVERYWHERE
        known |= {"le"} if any(name.endswith("_bucket") for _, name, _, _ in found) else set()
        for metric, _, matched, _ in found:
            assert matched <= {*metric.labels, *EVERYWHERE}
        for grouped in _BY.findall(query):
            assert {label.strip() for label in grouped.split(",")} <= known

    def test_asks_counters_how_they_grow_and_gauges_how_they_stand(self, where: str, query: str) -> None:
        flat = _BY.sub("", query)
        for metric, name, _, span in selectors(query):
            counted = metric.kind in ("counter", "histogram")
            over_time = {call for call in ("rate", "increase") if re.search(rf"\b{call}\({re.escape(name)}\b", flat)}
            assert bool(over_time) == counted, f"{name} of {where}"
            looked_back = bool(re.search(rf"\b(deriv|changes)\({re.escape(name)}\b", flat))
            assert span or not counted, f"{name} of {where}"
            assert not span or counted or looked_back, f"{name} of {where}"


class TestDashboard:
    def test_panels_are_apart_and_within_the_page(self) -> None:
        taken: set[tuple[int, int]] = set()
        for panel in DASHBOARD["panels"]:
            place = panel["gridPos"]
            cells = {
                (place["x"] + right, place["y"] + down) for right in range(place["w"]) for down in range(place["h"])
            }
            assert not cells & taken, panel["title"]
            assert all(column < 24 for column, _ in cells), panel["title"]
            taken |= cells
        assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])

    def test_legends_show_labels_that_the_query_leaves(self) -> None:
        for panel in PANELS:
            for target in panel["targets"]:
                shown = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
                grouped = {label.strip() for by in _BY.findall(target["expr"]) for label in by.split(",")}
                left = grouped or {label for metric, *_ in selectors(target["expr"]) for label in metric.labels}
                assert shown <= left | ({"instance"} if not grouped else set()), panel["title"]

    def test_it_asks_whichever_prometheus_is_chosen(self) -> None:
        sources: set[str] = {panel["datasource"]["uid"] for panel in PANELS}
        assert sources == {"${datasource}"}
        assert [one["name"] for one in DASHBOARD["templating"]["list"]] == ["datasource"]

    def test_every_metric_that_matters_is_on_it_or_alerted_on(self) -> None:
        asked = {metric.name for _, query in QUERIES for metric, *_ in selectors(query)}
        left_out = set(BY_NAME) - asked
        assert left_out == {
            "breachwatch_alert_revisions_total",
            "breachwatch_batch_seconds",
            "breachwatch_events_total",
            "breachwatch_ignored_records_total",
            "breachwatch_received_records_total",
            "breachwatch_restore_seconds",
            "breachwatch_spool_waiting_chunks",
        }


class TestAlerts:
    def test_the_guide_says_what_to_do_about_each_and_about_no_other(self) -> None:
        told = re.findall(r"^### (Breachwatch\w+)$", GUIDE, re.MULTILINE)
        assert sorted(told) == sorted(rule["alert"] for rule in RULES)

    @pytest.mark.parametrize("rule", RULES, ids=[rule["alert"] for rule in RULES])
    def test_each_says_how_urgent_it_is_and_what_it_saw_in_words(self, rule: dict[str, Any]) -> None:
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert set(rule["annotations"]) == {"summary", "description"}
        left = {label.strip() for by in _BY.findall(rule["expr"]) for label in by.split(",")} | {"instance"}
        assert set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["description"])) <= left


class TestScraping:
    def test_each_role_of_the_cluster_is_asked_at_its_own_port(self) -> None:
        asked = set()
        for job in SCRAPING["scrape_configs"]:
            for static in job.get("static_configs", ()):
                asked |= {tuple(target.split(":")) for target in static["targets"]}
            asked |= {(name, str(one["port"])) for one in job.get("dns_sd_configs", ()) for name in one["names"]}
        section = ObserveSection()
        assert asked == {(role, str(section.port_of(role))) for role in ROLES if role != "up"}

    def test_the_token_is_a_file_and_the_rules_are_loaded(self) -> None:
        assert SCRAPING["rule_files"] == ["alerts.yml"]
        for job in SCRAPING["scrape_configs"]:
            assert job["job_name"].startswith("breachwatch")
            assert set(job["authorization"]) == {"credentials_file"}
