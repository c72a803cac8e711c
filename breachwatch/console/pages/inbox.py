"""The inbox: incidents by the time that is left, then alerts that nobody called an incident yet."""

from dataclasses import dataclass
from typing import Any

from starlette.responses import RedirectResponse, Response

from breachwatch.console.access import CASEWORK, MEMBERS, Page
from breachwatch.console.dial import Countdown
from breachwatch.console.pages.status import failing
from breachwatch.console.steps import clock_words, countdown_of, next_action
from breachwatch.console.visits import Visit
from breachwatch.console.words import DUTIES, FILING_STATES, NOTICE_STATES, STATUSES
from breachwatch.incidents.commands import RaiseByHand
from breachwatch.kernel.errors import NotFoundError
from breachwatch.kernel.ports import CaseSummary


@dataclass(frozen=True, slots=True)
class Row:
    """One incident as the board shows it."""

    summary: CaseSummary
    count: Countdown | None
    clock_words: str
    playbook: str
    status: str
    duty: str
    filing: str
    notices: str
    next: str


def show_inbox(visit: Visit) -> Response:
    """The board. Administrators have no cases to see; their home is the status page."""
    if visit.member.roles <= {"admin"}:
        return RedirectResponse("/status", 303)
    rows = [_row(visit, summary) for summary in visit.parts.ledger.summaries()]
    running = sorted((row for row in rows if row.count), key=lambda row: row.summary.due_at or row.summary.raised_at)
    ended = [row for row in rows if not row.count]
    alerts = [row for row in visit.parts.ledger.alerts(limit=200) if row.incident_id is None]
    return visit.page(
        "inbox.html", running=running, ended=ended[:50], alerts=alerts[:50], headline=_headline(running, len(alerts)),
        sources=", ".join(sorted(visit.parts.sources)), troubles=failing(visit.parts.status()),
    )  # fmt: skip


def show_alert(visit: Visit) -> Response:
    """One alert, with its samples."""
    row = visit.parts.ledger.alert(visit.path["id"])
    if row is None:
        raise NotFoundError("There is no alert under this address; a late event may have given it a new one.")
    playbook = visit.parts.flow.playbooks.get(row.alert.playbook)
    return visit.page("alert.html", row=row, alert=row.alert, playbook=playbook)


def raise_alert(visit: Visit) -> Response:
    """Make an incident of an alert."""
    home = visit.parts.flow.raise_from_alert(visit.path["id"], visit.actor, visit.now)
    return visit.go(f"/incidents/{home}", done="raised")


def show_raise(visit: Visit) -> Response:
    """The form for what no log tells."""
    return visit.page("raise.html", playbooks=sorted(visit.parts.flow.playbooks.values(), key=lambda one: one.title))


def raise_by_hand(visit: Visit) -> Response:
    """Raise an incident by hand."""
    name = visit.text("playbook", "What kind of breach is it")
    visit.parts.flow.playbook(name)
    command = RaiseByHand(
        by=visit.actor,
        at=visit.now,
        playbook=name,
        title=visit.text("title", "Title"),
        description=visit.text("description", "What happened"),
        occurred_from=visit.instant("occurred_from", "When it began"),
        occurred_to=visit.instant("occurred_to", "When it ended"),
        people_estimate=visit.number("people_estimate", "People affected"),
        records_estimate=visit.number("records_estimate", "Records affected"),
    )
    return visit.go(f"/incidents/{visit.parts.flow.raise_by_hand(command)}", done="raised")


def _row(visit: Visit, summary: CaseSummary) -> Row:
    playbook = visit.parts.flow.playbooks.get(summary.playbook)
    values: dict[str, Any] = {
        "playbook": playbook.title if playbook and playbook.title != summary.title else summary.playbook,
        "status": STATUSES.get(summary.status, summary.status),
        "duty": DUTIES[summary.duty][0] if summary.duty in DUTIES else "–",
        "filing": FILING_STATES.get(summary.filing, summary.filing),
        "notices": NOTICE_STATES.get(summary.notices, summary.notices),
    }
    count = countdown_of(summary, visit.parts.flow, visit.now)
    return Row(summary, count, clock_words(summary), next=next_action(summary), **values)


def _headline(running: list[Row], alerts: int) -> str:
    over = sum(row.count.over for row in running if row.count)
    clocks = f"{len(running)} {'clock' if len(running) == 1 else 'clocks'} running" if running else "No clock running"
    late = f", {over} overdue" if over else ""
    loose = f"; {alerts} loose {'alert' if alerts == 1 else 'alerts'}" if alerts else ""
    return f"{clocks}{late}{loose}."


PAGES = (
    Page("GET", "/", MEMBERS, show_inbox),
    Page("GET", "/alerts/{id}", CASEWORK, show_alert),
    Page("POST", "/alerts/{id}/raise", CASEWORK, raise_alert),
    Page("GET", "/raise", CASEWORK, show_raise),
    Page("POST", "/raise", CASEWORK, raise_by_hand),
)
