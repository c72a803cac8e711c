"""The case file told in sentences: what each fact says, for the list of facts and for the timeline."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args
from zoneinfo import ZoneInfo

from breachwatch.assessment import facts as assessment
from breachwatch.clocks import facts as clocks
from breachwatch.console.text import day_and_time, number, plural
from breachwatch.console.words import DUTIES, LANGUAGES, LEVELS, PHASES
from breachwatch.filings import facts as filings
from breachwatch.incidents import facts as incidents
from breachwatch.kernel.facts import Recorded
from breachwatch.notices import facts as notices
from breachwatch.subjects import facts as subjects

Lane = Literal["evidence", "clock", "people", "decision", "work"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One fact told. `title` says what happened; `detail` is what a person or a log wrote, to be shown as raw text."""

    seq: int
    at: datetime
    actor: str
    by_person: bool
    lane: Lane
    title: str
    detail: str
    type: str
    hash: str


def tell(facts: Iterable[Recorded], zone: ZoneInfo) -> list[Entry]:
    """Every fact of a case file as an entry, oldest first."""
    return [_entry(fact, zone) for fact in facts]


def _entry(fact: Recorded, zone: ZoneInfo) -> Entry:
    lane, title, detail = _told(fact.body, zone)
    return Entry(fact.seq, fact.at, fact.actor, fact.actor_kind == "person", lane, title, detail, fact.type, fact.hash)


def _told(body: Any, zone: ZoneInfo) -> tuple[Lane, str, str]:
    match body:
        case assessment.SeverityProposed() | assessment.InputChanged() | assessment.RiskDecided():
            return _assessment(body)
        case _ if isinstance(body, get_args(filings.Said)):
            return _filing(body, zone)
        case _ if isinstance(body, get_args(notices.Said)):
            return _notices(body)
        case subjects.SubjectsLinked(added=added, total=total):
            return "people", f"{plural(added, 'person', 'people')} linked by pseudonym, {number(total)} in all", ""
        case subjects.SubjectsResolved(reachable=reachable, unknown=unknown, without_address=without):
            figures = f"{number(reachable)} reachable, {number(unknown)} unknown, {number(without)} without an address"
            return "people", f"The directory was asked: {figures}", ""
        case subjects.LookUpRequested():
            return "people", "The directory is to be asked again", ""
        case _:
            return _clock(body, zone) or _incident(body)


def _incident(body: Any) -> tuple[Lane, str, str]:
    match body:
        case incidents.IncidentRaised(alert_id="", description=description):
            return "decision", "Raised by hand", description
        case incidents.IncidentRaised(title=title):
            return "evidence", "Raised by an alert", title
        case incidents.AlertJoined(revision=revision, title=title, count=count):
            grown = f"An alert grew to {plural(count, 'event', 'events')}"
            return (
                "evidence",
                grown if revision > 1 else f"An alert of {plural(count, 'event', 'events')} joined",
                title,
            )
        case incidents.IncidentConfirmed(note=note):
            return "decision", "Confirmed as a personal data breach", note
        case incidents.IncidentDismissed(reason=reason):
            return "decision", "Dismissed: not a personal data breach", reason
        case incidents.IncidentReopened(reason=reason):
            return "decision", "Taken up again", reason
        case incidents.IncidentClosed(reason=reason):
            return "decision", "Closed", reason
        case incidents.NoteAttached(text=text):
            return "work", "Note", text
        case incidents.ChecklistItemDone(item=item, note=note):
            return "work", "Checklist step done", f"{item}: {note}" if note else item
        case incidents.ChecklistItemReopened(item=item, note=note):
            return "work", "Checklist step not done after all", f"{item}: {note}" if note else item
        case _:
            return "work", type(body).__name__, ""


def _clock(body: Any, zone: ZoneInfo) -> tuple[Lane, str, str] | None:
    match body:
        case clocks.AwarenessSet(aware_at=aware_at, reason=reason, previous=previous):
            verb = "Awareness corrected to" if previous else "Aware since"
            return "clock", f"{verb} {day_and_time(aware_at, zone)}", reason
        case clocks.ClockStarted(label=label, due_at=due_at):
            return "clock", f"{label}: due {day_and_time(due_at, zone)}", ""
        case clocks.DeadlineNear(elapsed_hours=hours):
            return "clock", f"Reminder: {hours} hours have passed", ""
        case clocks.DeadlineMissed(due_at=due_at):
            return "clock", f"Deadline missed: it was {day_and_time(due_at, zone)}", ""
        case clocks.DutyMet(met_at=met_at, late=late):
            return "clock", f"Duty met {day_and_time(met_at, zone)}" + (", late" if late else ", in time"), ""
        case clocks.ClockStopped(reason=reason):
            return "clock", "Clock stopped", reason
        case clocks.ClockResumed(due_at=due_at, reason=reason):
            return "clock", f"Clock runs again, due {day_and_time(due_at, zone)}", reason
        case _:
            return None


def _assessment(body: Any) -> tuple[Lane, str, str]:
    match body:
        case assessment.SeverityProposed(score=score, level=level, duty=duty, reasons=reasons):
            told = f"Severity {score:g}, {LEVELS[level][0].lower()}; proposed: {DUTIES[duty][0].lower()}"
            return "work", told, reasons[0] if reasons else ""
        case assessment.InputChanged(name=name, before=before, after=after, reason=reason):
            return "decision", f"Severity input {name.replace('_', ' ')}: {before} → {after}", reason
        case _:
            against = ", against the proposal" if body.against_proposal else ""
            return "decision", f"Decided: {DUTIES[body.duty][0].lower()}{against}", body.reason


def _filing(body: Any, zone: ZoneInfo) -> tuple[Lane, str, str]:
    match body:
        case filings.FilingEdited(fields=fields):
            return "work", f"Filing draft: {plural(len(fields), 'field', 'fields')} written", ", ".join(fields)
        case filings.FilingTakenOver():
            return "work", "Filing draft read and taken over as it stands", ""
        case filings.FilingApproved(phase=phase, delay_reasons=reasons):
            return "decision", f"{PHASES[phase][0]} filing approved", reasons
        case _:
            told = f"{PHASES[body.phase][0]} filing handed in {day_and_time(body.submitted_at, zone)}"
            return "decision", told, f"Reference {body.reference}, by {body.channel}"


def _notices(body: Any) -> tuple[Lane, str, str]:
    match body:
        case notices.NoticesDrafted(texts=texts):
            return "work", "Notices drafted: " + ", ".join(LANGUAGES.get(code, code) for code in texts), ""
        case notices.NoticeEdited(language=language):
            return "work", f"Notice in {LANGUAGES.get(language, language)} written", ""
        case notices.NoticesTakenOver():
            return "work", "Notices read and taken over as they stand", ""
        case notices.NoticesApproved(texts=texts, audience=audience):
            told = ", ".join(LANGUAGES.get(code, code) for code in texts)
            return "decision", f"Notices approved for {plural(audience, 'person', 'people')} ({told})", ""
        case _:
            return "people", f"Notices ended: {number(body.sent)} sent, {number(body.refused)} refused", ""
