"""Tables of decisions and false alarms, for people and for programs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.conformance import alarms, decisions


@dataclass(frozen=True, slots=True)
class Told:
    """A table in Markdown, what misses in words, and the same for programs."""

    table: str
    misses: str
    plain: dict[str, Any]


def decisions_told() -> Told:
    """By equivalent rules, and by the shipped playbooks alone."""
    by = {"equivalents": decisions.decisions(), "playbooks": decisions.decisions(playbooks=True)}
    tables, misses, plain = [], [], {}
    for name, found in by.items():
        tables.append(_scores(name, found))
        wrong = [each for each in found if each.answered and each.expected != each.got]
        misses += [f"{name}, {_wrong(each)}" for each in wrong]
        plain[name] = _plain_scores(found)
    titles = decisions.unanswered(by["equivalents"])
    misses += [f"nobody answers, {kind}: {', '.join(each)}" for kind, each in titles.items()]
    return Told("\n".join(tables), "\n".join(f"- {each}" for each in misses), {**plain, "unanswered": titles})


def _scores(name: str, found: list[decisions.Decision]) -> str:
    by_type = decisions.scores(found)
    total = decisions.overall(by_type)
    strict = decisions.overall(decisions.scores(found, everything=True))
    rows = [
        f"| {kind} | {score.tests} | {score.hit} | {score.false} | {score.missed} | {score.quiet} "
        f"| {score.precision:.3f} | {score.recall:.3f} |"
        for kind, score in [*by_type.items(), ("**answered**", total), ("**all**, the rest being silence", strict)]
    ]
    head = f"| decisions by {name} | tests | hit | false | missed | quiet | precision | recall |"
    return "\n".join([head, "|---|---:|---:|---:|---:|---:|---:|---:|", *rows, ""])


def _wrong(each: decisions.Decision) -> str:
    return f"{'missed' if each.expected else 'false'}: {each.log_type}, {each.title}: {each.name}"


def _plain_scores(found: list[decisions.Decision]) -> dict[str, Any]:
    by_type = decisions.scores(found)
    total = decisions.overall(by_type)
    strict = decisions.overall(decisions.scores(found, everything=True))
    return {
        kind: {
            "tests": score.tests,
            "hit": score.hit,
            "false": score.false,
            "missed": score.missed,
            "quiet": score.quiet,
            "precision": round(score.precision, 4),
            "recall": round(score.recall, 4),
        }
        for kind, score in [*by_type.items(), ("answered", total), ("all", strict)]
    }


def alarms_told() -> Told:
    """Ordinary logs, and each test company's intrusion."""
    ordinary = {
        "web site, ordinary visitors": alarms.web_incidents(),
        "host on the internet, ordinary clients": alarms.ssh_incidents(ordinary=True),
        "host on the internet, everybody": alarms.ssh_incidents(ordinary=False),
    }
    rows = [f"| {name} | {len(found)} | {_groups(found)} |" for name, found in ordinary.items()]
    tables = ["\n".join(["| log | incidents | of whom |", "|---|---:|---|", *rows, ""])]
    found = [alarms.intrusion(path) for path in alarms.testbeds()]
    tables += [_confusion(each) for each in found]
    misses = [f"{each.name}: {name} is made of false alerts only" for each in found for name in each.invented]
    plain: dict[str, Any] = {name: len(groups) for name, groups in ordinary.items()}
    plain |= {each.name: _plain_intrusion(each) for each in found}
    return Told("\n".join(tables), "\n".join(f"- {each}" for each in misses), plain)


def _groups(found: alarms.Groups) -> str:
    return "; ".join(f"{alert.title}, {', '.join(alert.group.values())}" for alert, _ in found) or "nobody"


def _confusion(found: alarms.Intrusion) -> str:
    heads = [f"{number}: {name}" for number, (name, _) in enumerate(found.incidents, 1)]
    head = f"| alerts of {found.name} | all | in an incident | {' | '.join(heads)} |"
    rows = []
    for label, count in sorted(found.alerts.items()):
        numbers = [count, found.covered[label], *(labels[label] for _, labels in found.incidents)]
        rows.append(f"| {label} | {_cells(numbers)} |")
    return "\n".join([head, "|---|" + "---:|" * (2 + len(heads)), *rows, ""])


def _cells(numbers: Sequence[int]) -> str:
    return " | ".join(f"{number:,}" for number in numbers)


def _plain_intrusion(found: alarms.Intrusion) -> dict[str, Any]:
    return {
        "incidents": [{"of": name, "alerts": dict(labels)} for name, labels in found.incidents],
        "only_false": found.invented,
        "alerts": dict(sorted(found.alerts.items())),
        "covered": dict(sorted(found.covered.items())),
    }
