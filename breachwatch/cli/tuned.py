"""Thresholds and timespans in words, and trials as objects for other programs."""

from typing import Any

from breachwatch.detection.trying.tuning import Trial, Tuned

_SIGNS = {"gte": "≥", "gt": ">", "lte": "≤", "lt": "<", "eq": "=", "neq": "≠"}
_UNITS = ((604_800, "w"), (86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))


def threshold_text(trial: Trial) -> str:
    """Such as `≥ 10`; a dash where there is no number."""
    return ", ".join(f"{_SIGNS[op]} {bound:g}" for op, bound in trial.tests) or "-"


def timespan_text(timespan_us: int) -> str:
    """A timespan as Sigma writes it, such as `10m`, in the largest unit that fits; seconds with a point if need be."""
    seconds = timespan_us / 1_000_000
    for size, unit in _UNITS:
        if seconds and seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s"


def tuned_lines(tuned: Tuned) -> list[dict[str, Any]]:
    """One object a trial, then one for the groups."""
    about = {"playbook": tuned.correlation.playbook, "rule": tuned.correlation.id, "title": tuned.correlation.title}
    trials = [
        {
            **about,
            "threshold": dict(trial.tests),
            "timespan": timespan_text(trial.timespan_us),
            "current": trial.current,
            "alerts": trial.alerts,
            "groups": trial.groups,
            "events": trial.events,
        }
        for trial in tuned.trials
    ]
    top = [{"group": dict(each.values), "alerts": each.alerts, "events": each.events} for each in tuned.top]
    return [*trials, {**about, "top": top, "top_is_current": tuned.top_is_current}]
