"""The way of a case from raised to told: which steps are done, and which one is next. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from breachwatch.console.dial import Countdown, countdown
from breachwatch.kernel.ports import CaseSummary
from breachwatch.pipeline import CaseFlow

Mark = Literal["did", "now", "later"]


@dataclass(frozen=True, slots=True)
class Step:
    """One step: its name, whether it is done, next or later, what to do, and where on the desk."""

    name: str
    mark: Mark
    action: str
    anchor: str


def steps(row: CaseSummary) -> list[Step]:
    """The steps of one case; those that are not owed are left out."""
    if row.status == "dismissed":
        return []
    told_needed = row.duty != "record_only"
    people_needed = row.duty == "notify_authority_and_people"
    approved = row.filing in ("approved", "submitted")
    ways = [
        ("Confirmed", row.status != "open", "confirm or dismiss it", "judge"),
        ("Decided", row.decided, "decide what is owed", "severity"),
    ]
    if told_needed:
        ways += [
            ("Filing approved", approved, "approve the filing", "filing"),
            ("Authority told", row.notified_at is not None, "hand in the filing and record it", "filing"),
        ]
    if people_needed:
        sent = row.notices in ("approved", "done")
        ways += [
            ("Notices approved", sent, "approve the notices", "notices"),
            ("People told", row.notices == "done", "wait for the mails to leave", "notices"),
        ]
    ways.append(("Closed", row.status == "closed", "close it", "judge"))
    first_open = next((name for name, done, _, _ in ways if not done), "")
    return [
        Step(name, "did" if done else "now" if name == first_open else "later", action, anchor)
        for name, done, action, anchor in ways
    ]


def next_action(row: CaseSummary) -> str:
    """What to do next, in a few words; empty when nothing is left."""
    return next((step.action for step in steps(row) if step.mark == "now"), "")


def countdown_of(row: CaseSummary, flow: CaseFlow, now: datetime) -> Countdown | None:
    """The running clock of a case, from its summary; None when none runs."""
    if row.due_at is None or row.aware_at is None:
        return None
    playbook = flow.playbooks.get(row.playbook)
    stages = [stage for regime in flow.world.regimes_of(playbook) for stage in regime.stages] if playbook else []
    due = next((stage for stage in stages if stage.period.after(row.aware_at) == row.due_at), None)
    hours = due.reminders_hours if due else ()
    reminders = tuple(row.aware_at + (row.due_at - row.aware_at) * (hour / _hours(row)) for hour in hours)
    return countdown(row.aware_at, row.due_at, reminders, now)


def _hours(row: CaseSummary) -> float:
    if row.due_at is None or row.aware_at is None:
        return 1.0
    return max(1.0, (row.due_at - row.aware_at).total_seconds() / 3600)


def clock_words(row: CaseSummary) -> str:
    """What to say of a case in place of a countdown."""
    if row.status in ("dismissed", "closed"):
        return row.status.capitalize()
    if row.notified_at:
        return "Authority told"
    if row.decided and row.duty == "record_only":
        return "Record only"
    return "No clock"
