"""CrowdSec's scenarios as Sigma correlations: how many incidents, of whom, beside what its own tests assert.

A scenario's bucket holds `capacity` events and loses one each `leakspeed`. It runs over when, for some k, the latest
capacity + k events came within less than k times the leakspeed, never mind how many came before. Each k is an
`event_count` (a `value_count` where only distinct values are poured in), and a `temporal` correlation is any of them.
Its `blackhole` is the time within which crossings are one alert. A trigger is a bucket that holds nothing.

`single` is the usual simplification: one window, capacity + 1 events in the time a full bucket takes to empty.
"""

import json
import re
from collections import Counter
from collections.abc import Collection, Iterator
from copy import deepcopy
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from bench.conformance import crowdsec
from bench.conformance.cases import Case, data, sources
from bench.conformance.filters import Filter, UnsaidError, field_of
from bench.conformance.running import alerts_of
from breachwatch.detection.sigma.rule_files import load_rules

RULES = Path(__file__).resolve().parents[2] / "tests" / "conformance" / "rules" / "thresholds"
RUNGS = (*range(1, 13), 16, 24, 32)
"""How many more than the capacity are counted, each in as many leakspeeds."""
_ASSERTED = re.compile(r"results\[(\d+)\]\.Overflow\.(.*)")
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_MORE_PARSERS = {
    "crowdsecurity/aws-cloudtrail": "aws-cloudtrail",
    "crowdsecurity/suricata-logs": "suricata-eve",
    "crowdsecurity/auditd-logs": "linux-auditd",
    "inherent-io/keycloak-logs": "keycloak",
}
WHY = {
    "conditional": "A conditional bucket decides by an expression over the events it holds, which the published "
    "parameters leave out; what it asks for is not known here.",
    "unsaid": "The filter asks for something that has no counterpart in Sigma over the sources here.",
    "sender": "CrowdSec takes the sender of a mail that Exim refused for a user. Here a sender is none, so one of the "
    "distinct users is lacking.",
    "leak": "A leaking bucket is not a window: see what is said of both in the reference.",
}


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario: its name, and its bucket as published."""

    name: str
    bucket: dict[str, Any]

    @property
    def slug(self) -> str:
        return re.sub(r"\W+", "_", self.name).lower()

    @property
    def capacity(self) -> int:
        return int(self.bucket.get("capacity") or 0)

    @property
    def leak_s(self) -> float:
        return seconds(self.bucket.get("leakspeed") or "1s")

    @property
    def quiet(self) -> timedelta:
        return timedelta(seconds=seconds(self.bucket.get("blackhole") or "0s"))


def seconds(written: str) -> float:
    """A span as Go writes it (`1m30s`), in seconds."""
    return sum(float(number) * _UNITS[unit] for number, unit in re.findall(r"([\d.]+)(ms|s|m|h|d)", str(written)))


@cache
def published() -> dict[str, list[Scenario]]:
    """The scenarios of each file of theirs, by the file's name."""
    told = json.loads(data("crowdsec-hubtests", "scenario-parameters.json").read_text(encoding="utf-8"))
    return {file: [Scenario(each["name"], each) for each in buckets] for file, buckets in told.items()}


@cache
def _kinds() -> dict[str, dict[str, Any]]:
    documents = yaml.safe_load_all((RULES / "kinds.yml").read_text(encoding="utf-8"))
    return {each["name"]: each for each in documents}


@cache
def lists() -> dict[str, tuple[str, ...]]:
    """The words that stand for lists that CrowdSec keeps in files of its own."""
    told = yaml.safe_load((RULES / "lists.yml").read_text(encoding="utf-8"))
    return {name: tuple(dict.fromkeys(values)) for name, values in told.items()}


@cache
def _conditions() -> list[dict[str, Any]]:
    """Our own correlations for buckets that ask more than how many there are, named after the scenario."""
    return list(yaml.safe_load_all((RULES / "conditions.yml").read_text(encoding="utf-8")))


def sigma(scenario: Scenario, *, single: bool = False) -> list[dict[str, Any]]:
    """A scenario as Sigma documents: the rule that selects, and the correlations that count.

    Args:
        scenario: whose bucket.
        single: one window in the place of the bucket.

    Raises:
        UnsaidError: its filter, group or kind of bucket has no counterpart.
    """
    own = [each for each in _conditions() if each["name"].partition("__")[0] == scenario.slug]
    if own:
        return deepcopy(own)
    if scenario.bucket["type"] not in {"leaky", "trigger"}:
        raise UnsaidError("conditional" if scenario.bucket["type"] == "conditional" else scenario.bucket["type"])
    chosen = Filter(scenario.bucket.get("filter") or "", {name: each["detection"] for name, each in _kinds().items()})
    rule: dict[str, Any] = {
        "title": f"What {scenario.name} selects",
        "name": f"{scenario.slug}_events",
        "logsource": {},
        "detection": {**chosen.selections, "condition": chosen.condition or "1 of *"},
    }
    return [rule, *_counted(scenario, rule["name"], single=single)]


def _counted(scenario: Scenario, rule: str, *, single: bool) -> Iterator[dict[str, Any]]:
    group = [field_of(each) for each in re.findall(r"evt\.[\w.]+", scenario.bucket.get("groupby") or "")]
    distinct = scenario.bucket.get("distinct") if scenario.capacity else None
    if single or not scenario.capacity:
        span = max(1, round(scenario.capacity * scenario.leak_s))
        yield _count(scenario.slug, rule, group, distinct, scenario.capacity + 1, span)
        return
    names = []
    for rung in RUNGS:
        names.append(f"{scenario.slug}_{rung}")
        span = max(1, round(rung * scenario.leak_s))
        yield _count(names[-1], rule, group, distinct, scenario.capacity + rung, span)
    correlation = {
        "type": "temporal",
        "rules": names,
        "group-by": group,
        "timespan": f"{max(1, round(scenario.leak_s))}s",
        "condition": " or ".join(names),
    }
    yield {"title": scenario.name, "name": scenario.slug, "correlation": correlation}


def _count(name: str, rule: str, group: list[str], distinct: str | None, least: int, span: int) -> dict[str, Any]:
    condition: dict[str, Any] = {"field": field_of(distinct), "gte": least} if distinct else {"gte": least}
    correlation = {
        "type": "value_count" if distinct else "event_count",
        "rules": [rule],
        "group-by": group,
        "timespan": f"{span}s",
        "condition": condition,
    }
    return {"title": name, "name": name, "correlation": correlation}


def source_of(case: str) -> str:
    """The source that reads a case's log, by the parsers it names; empty if none of ours does."""
    told = data("crowdsec-hubtests", case, "config.yaml").read_text(encoding="utf-8")
    for parser in re.findall(r"([\w-]+/[\w-]+)(?:\.ya?ml)?\"?\s*(?:#.*)?$", told.partition("scenarios:")[0], re.M):
        known = {**crowdsec.SOURCES, **_MORE_PARSERS}.get(parser)
        if known:
            return known
    return ""


def scenarios_of(case: str) -> list[Scenario]:
    """The scenarios that a case runs."""
    told = data("crowdsec-hubtests", case, "config.yaml").read_text(encoding="utf-8").partition("scenarios:")[2]
    files = re.findall(
        r"([\w-]+/[\w.-]+?)(?:\.ya?ml)?\"?\s*$", re.split(r"^\w+:", told, maxsplit=1, flags=re.M)[0], re.M
    )
    return [scenario for file in files for scenario in published().get(file, [])]


def asserted(case: str) -> Counter[tuple[str, str]] | None:
    """How many incidents of each scenario and source a case asserts; None if it says nothing of incidents."""
    told = data("crowdsec-hubtests", case, "scenario.assert").read_text(encoding="utf-8")
    number = re.search(r"^len\(results\) == (\d+)", told, re.M)
    results: dict[int, dict[str, Any]] = {}
    for line in re.findall(r"^.*Overflow\..*$", told, re.M):
        found = _ASSERTED.search(line)
        if found is None:
            continue
        result = results.setdefault(int(found[1]), {"who": set(), "what": ""})
        if who := re.match(r'"(.*)" in results', line):
            result["who"].add(who[1])
        elif what := re.match(r'Alert\.GetScenario\(\) == "(.*)"', found[2]):
            result["what"] = what[1]
    if number is None and not results:
        return None
    only = {each["what"] for each in results.values()} - {""}
    spare = only.pop() if len(only) == 1 else ""
    return Counter((each["what"] or spare, " ".join(sorted(each["who"]))) for each in results.values())


def raised(case: str, source: str, wanted: Collection[str], *, single: bool = False) -> Counter[tuple[str, str]]:
    """How many incidents of each scenario and source our correlations raise.

    Args:
        case: whose scenarios and log.
        source: reads the log.
        wanted: scenarios that are to raise something.
        single: one window in the place of each bucket.

    Raises:
        UnsaidError: a wanted scenario has no counterpart.
    """
    scenarios, documents = [], []
    for scenario in scenarios_of(case):
        try:
            documents += sigma(scenario, single=single)
        except UnsaidError:
            if scenario.name in wanted:
                raise
        else:
            scenarios.append(scenario)
    if not scenarios:
        raise UnsaidError("the scenario is not among the published ones")
    known = sources()
    for each in documents:
        if "logsource" in each:
            each["logsource"] = dict(known[source].logsource)
    text = yaml.safe_dump_all(documents, sort_keys=False).encode()
    rules = load_rules({"scenario.yml": text}, known, placeholders=lists())
    if rules.refused:
        raise UnsaidError("; ".join(problem.message for problem in rules.refused))
    names = {scenario.slug: scenario for scenario in scenarios}
    quiet = {slug: scenario.quiet for slug, scenario in names.items()}
    records = [line.encode("utf-8", "surrogateescape") for line in crowdsec.lines_of(case)]
    found: Counter[tuple[str, str]] = Counter()
    for alert in alerts_of(rules, known, source, records, quiet):
        if alert.rule in names:
            found[names[alert.rule].name, next(iter(alert.group.values()), "")] += 1
    return found


def cases(*, single: bool = False) -> list[Case]:
    """Every case of a source here that asserts incidents."""
    found = []
    for path in sorted(data("crowdsec-hubtests").iterdir()):
        if not (path / "scenario.assert").exists() or not (source := source_of(path.name)):
            continue
        expected = asserted(path.name)
        if expected is not None:
            found.append(_case(path.name, source, expected, single=single))
    return found


def _case(name: str, source: str, expected: Counter[tuple[str, str]], *, single: bool) -> Case:
    try:
        got = raised(name, source, {what for what, _ in expected}, single=single)
    except UnsaidError as error:
        return Case(source, name, f"not said: {error}", "conditional" if "conditional" in str(error) else "unsaid")
    wrong = {key: (got[key], expected[key]) for key in got.keys() | expected.keys() if got[key] != expected[key]}
    told = ", ".join(f"{what} of {who}: {mine}, asserted {theirs}" for (what, who), (mine, theirs) in wrong.items())
    if not told:
        return Case(source, name)
    senders = all("exim" in what and "user" in what for what, _ in wrong)
    return Case(source, name, told, "sender" if senders else "leak")
