"""The incident page: everything known of one case, and the forms by which people move it on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from starlette.responses import Response

from breachwatch.assessment.commands import ChangeInput, DecideRisk
from breachwatch.assessment.facts import Duty, InputChanged
from breachwatch.assessment.inputs import INPUTS, InputSpec
from breachwatch.assessment.state import Assessment
from breachwatch.clocks.commands import SetAwareness
from breachwatch.clocks.state import Clock, Running
from breachwatch.console.access import CASEWORK, DPO, Page
from breachwatch.console.dial import Countdown, countdown
from breachwatch.console.pages.casework import form
from breachwatch.console.pictures import people_bar, severity_scale
from breachwatch.console.steps import steps
from breachwatch.console.story import Entry, tell
from breachwatch.console.timeline import picture
from breachwatch.console.visits import BadFormError, Visit
from breachwatch.console.words import CHECK_PHASES, DUTIES
from breachwatch.detection.playbooks.playbook import ChecklistItem, Playbook
from breachwatch.incidents.commands import (
    AttachNote,
    CloseIncident,
    ConfirmIncident,
    DismissIncident,
    ReopenIncident,
    TickItem,
)
from breachwatch.incidents.state import Incident
from breachwatch.kernel.errors import ConflictError
from breachwatch.pipeline.case import fold, summarise
from breachwatch.subjects.commands import AskDirectoryAgain

Steps = list[tuple[ChecklistItem, str | None]]


@dataclass(frozen=True, slots=True)
class InputRow:
    """One input of the score: its choices, the one in force, and what a person last said of it."""

    spec: InputSpec
    value: str
    label: str
    points: float | None
    change: InputChanged | None
    why: str


def show_incident(visit: Visit) -> Response:
    """One incident."""
    flow = visit.parts.flow
    facts = visit.parts.ledger.facts(visit.incident_id)
    case = fold(visit.incident_id, facts)
    incident = case.raised()
    playbook = flow.playbooks.get(incident.playbook)
    entries = tell(facts, visit.zone)
    summary = summarise(case)
    notices = visit.parts.ledger.notices(case.id, limit=1) if case.notices.approvals else []
    return visit.page(
        "incident.html",
        case=case,
        incident=incident,
        summary=summary,
        playbook=playbook,
        steps=steps(summary),
        entries=entries,
        picture=picture(incident, case.clocks, entries, visit.now, visit.zone),
        dial=_dial(case.clocks.by_name, visit),
        checklist=_checklist(playbook, incident),
        inputs=_inputs(case.assessment, playbook),
        scale=severity_scale(case.assessment.proposal),
        people=people_bar(case.subjects),
        filled=flow.filled_form(case, visit.now) if playbook else None,
        notes=[entry for entry in entries if entry.type == "NoteAttached"],
        decided=_last(entries, "RiskDecided"),
        duties=DUTIES,
        has_notices=bool(notices),
        samples=[sample for alert in incident.alerts.values() for sample in alert.samples],
    )


def _dial(clocks: Any, visit: Visit) -> tuple[str, Countdown] | None:
    running: list[tuple[str, Running]] = [(name, one) for name, one in clocks.items() if isinstance(one, Running)]
    if not running:
        return None
    _, first = min(running, key=lambda pair: pair[1].due_at)
    return first.label, countdown(first.from_at, first.due_at, first.reminders, visit.now)


def kind_of(clock: Clock) -> str:
    """`Running`, `Met` or `Stopped`, for templates."""
    return type(clock).__name__


def _checklist(playbook: Playbook | None, incident: Incident) -> list[tuple[str, Steps]]:
    """(phase, [(item, the note it was done with, or None)]) in the playbook's order."""
    items = playbook.checklist if playbook else ()
    return [
        (label, [(item, incident.done_items.get(item.id)) for item in items if item.phase == phase])
        for phase, label in CHECK_PHASES.items()
        if any(item.phase == phase for item in items)
    ]


def _inputs(assessment: Assessment, playbook: Playbook | None) -> list[InputRow]:
    if assessment.proposal is None:
        return []
    why = playbook.severity.why if playbook else {}
    return [_input(spec, assessment.proposal.inputs.get(spec.name, ""), assessment, why) for spec in INPUTS]


def _input(spec: InputSpec, value: str, assessment: Assessment, why: Mapping[str, str]) -> InputRow:
    chosen = next((choice for choice in spec.choices if choice.value == value), None)
    change = next((one for one in reversed(assessment.changes) if one.name == spec.name), None)
    reason = why.get("data_classes" if spec.name == "data_class" else spec.name, "")
    label, points = (chosen.label, chosen.points) if chosen else (value, None)
    return InputRow(spec, value, label, points, change, reason)


def _last(entries: list[Entry], kind: str) -> Entry | None:
    return next((entry for entry in reversed(entries) if entry.type == kind), None)


# ---------------------------------------------------------------------------------------------- what its forms ask


def _confirm(visit: Visit) -> ConfirmIncident:
    return ConfirmIncident(visit.actor, visit.now, visit.text("note"))


def _dismiss(visit: Visit) -> DismissIncident:
    return DismissIncident(visit.actor, visit.now, visit.text("reason", "Why it is no personal data breach"))


def _reopen(visit: Visit) -> ReopenIncident:
    return ReopenIncident(visit.actor, visit.now, visit.text("reason", "Why it is taken up again"))


def _close(visit: Visit) -> CloseIncident:
    return CloseIncident(visit.actor, visit.now, visit.text("reason", "Why nothing is left to do"))


def _note(visit: Visit) -> AttachNote:
    return AttachNote(visit.actor, visit.now, visit.text("text", "Note"))


def _tick(visit: Visit) -> TickItem:
    return TickItem(visit.actor, visit.now, visit.text("item"), visit.text("done") == "1", visit.text("note"))


def _aware(visit: Visit) -> SetAwareness:
    instant = visit.instant("aware_at", "When we became aware", required=True)
    reason = visit.text("reason", "Reason for the correction")
    if instant is None:
        raise BadFormError("Please say when you became aware.")
    return SetAwareness(visit.actor, visit.now, instant, reason)


def _ask_again(visit: Visit) -> AskDirectoryAgain:
    return AskDirectoryAgain(visit.actor, visit.now)


def _score(visit: Visit) -> ChangeInput:
    return ChangeInput(
        visit.actor, visit.now, visit.text("name"), visit.text("value", "The new value"), visit.text("reason", "Reason")
    )


def _decision(visit: Visit) -> DecideRisk:
    """The decision, if the proposal it was taken on is still the one in force."""
    duty = visit.text("duty", "What is owed")
    if duty not in DUTIES:
        raise BadFormError("Choose one of the three decisions.")
    proposal = visit.parts.flow.case(visit.incident_id).assessment.proposal
    if proposal and visit.text("proposal_seen") != proposal_mark(proposal):
        raise ConflictError("The proposal has changed since you looked; read the new one, then decide.")
    return DecideRisk(visit.actor, visit.now, cast("Duty", duty), visit.text("reason"))


def proposal_mark(proposal: Any) -> str:
    """What a decision must have seen of a proposal."""
    return f"{proposal.duty}/{proposal.score:g}/{proposal.rule}"


PAGES = (
    Page("GET", "/incidents/{id}", CASEWORK, show_incident),
    Page("POST", "/incidents/{id}/confirm", CASEWORK, form(_confirm, done="confirmed", anchor="judge")),
    Page("POST", "/incidents/{id}/dismiss", CASEWORK, form(_dismiss, done="dismissed", anchor="judge", strict=True)),
    Page("POST", "/incidents/{id}/reopen", CASEWORK, form(_reopen, done="reopened", anchor="judge")),
    Page("POST", "/incidents/{id}/close", DPO, form(_close, done="closed", anchor="judge", strict=True)),
    Page("POST", "/incidents/{id}/notes", CASEWORK, form(_note, done="noted", anchor="notes")),
    Page("POST", "/incidents/{id}/checklist", CASEWORK, form(_tick, done="ticked", anchor="checklist")),
    Page("POST", "/incidents/{id}/awareness", DPO, form(_aware, done="aware", anchor="clocks")),
    Page("POST", "/incidents/{id}/look-up", CASEWORK, form(_ask_again, done="asked", anchor="people")),
    Page("POST", "/incidents/{id}/severity", CASEWORK, form(_score, done="scored", anchor="severity")),
    Page("POST", "/incidents/{id}/decision", DPO, form(_decision, done="decided", anchor="severity")),
)
