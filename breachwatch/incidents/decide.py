"""One incident, from raised to closed: which alerts are part of it, and what people say of it. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from breachwatch.detection.playbooks.playbook import Playbook
from breachwatch.incidents import commands, facts
from breachwatch.incidents.state import Incident, NotRaised, Status
from breachwatch.kernel.asking import require_past, require_role, require_text
from breachwatch.kernel.errors import OutOfOrderError, RefusedError
from breachwatch.kernel.shapes import did_you_mean
from breachwatch.kernel.streams import Alert

State = NotRaised | Incident
Move = commands.ConfirmIncident | commands.DismissIncident | commands.ReopenIncident | commands.CloseIncident

TRANSITIONS: Mapping[type[Any], Mapping[Status, Status]] = {
    facts.IncidentConfirmed: {"open": "confirmed"},
    facts.IncidentDismissed: {"open": "dismissed", "confirmed": "dismissed"},
    facts.IncidentReopened: {"dismissed": "open", "closed": "confirmed"},
    facts.IncidentClosed: {"confirmed": "closed"},
}
"""What each fact makes of each status; every pair not written here is refused.

An incident is closed only when it was confirmed, so that a closed one is always a breach of the register (GDPR
Art. 33(5)) and is one again when reopened. Whatever was dismissed is an open question when reopened.
"""


def decide(state: State, command: commands.Command, playbook: Playbook) -> list[facts.Said]:
    """Say what follows from one command.

    An alert raises the incident if the playbook's meaning of its rule says so, or if a person gives it. Later it
    joins, whatever the status: a dismissed or closed incident is never reopened by a machine, since somebody judged
    it, but the evidence is kept and counted (`Incident.alerts_since_end`) for people to look again.

    Args:
        state: this incident, folded from all that was said before.
        command: what is asked, by whom and when.
        playbook: the kind of breach the incident is, or would be.

    Returns:
        New facts, oldest first; none when the command was carried out before, so redelivery is harmless.

    Raises:
        RefusedError: not allowed for this status or this person, or words are missing; the text says what would do.
        OutOfOrderError: nothing was raised yet.

    Units: `raised_at` is the command's instant, aware UTC.
    Source: GDPR Art. 4(12) (what a breach is), 33(5) (why an end needs a reason).
    """
    match state, command:
        case NotRaised(), commands.TakeAlert(by=by, alert=alert) if alert.raises_incident or by.kind == "person":
            return _raised_by_alert(command, playbook)
        case NotRaised(), commands.TakeAlert():
            return []
        case NotRaised(), commands.RaiseByHand():
            return [_raised_by_hand(command)]
        case NotRaised(), _:
            raise OutOfOrderError("nothing was raised under this id; raise an incident first")
        case Incident(), commands.TakeAlert(alert=alert):
            return [] if _taken(state, alert) else [_joined(alert)]
        case Incident(), commands.RaiseByHand(playbook=kind, title=title):
            if state.by_hand and (state.playbook, state.title) == (kind, title.strip()):
                return []
            raise RefusedError("this incident was raised before; raise another one under a title of its own")
        case Incident(), commands.AttachNote():
            return _noted(state, command)
        case Incident(), commands.TickItem():
            return _ticked(state, command, playbook)
        case Incident(), _:
            return _moved(state, command)


def evolve(state: State, fact: facts.Said) -> State:
    """Fold one fact into the incident; never raises, never decides."""
    match state, fact:
        case NotRaised(), facts.IncidentRaised():
            return _born(fact)
        case Incident(), facts.AlertJoined():
            return _with_alert(state, fact)
        case Incident(), facts.IncidentConfirmed(note=words):
            return _turned(state, fact, confirmed_because=words)
        case Incident(), facts.IncidentDismissed(reason=words) | facts.IncidentClosed(reason=words):
            return _turned(state, fact, ended_because=words)
        case Incident(), facts.IncidentReopened():
            return _turned(state, fact, ended_because="", alerts_since_end=0)
        case Incident(), facts.NoteAttached():
            return replace(state, notes=(*state.notes, fact))
        case Incident(), facts.ChecklistItemDone(item=item, note=note):
            return replace(state, done_items={**state.done_items, item: note})
        case Incident(), facts.ChecklistItemReopened(item=item):
            return replace(state, done_items={name: note for name, note in state.done_items.items() if name != item})
        case _:
            return state


# ---------------------------------------------------------------------- raising and joining


def _raised_by_alert(command: commands.TakeAlert, playbook: Playbook) -> list[facts.Said]:
    alert = command.alert
    if command.by.kind == "person":
        require_role(command.by, "raise an incident", "analyst", "dpo")
    key = {name: alert.group[name] for name in playbook.detection.merge_by if name in alert.group}
    raised = facts.IncidentRaised(playbook.id, playbook.title, key, alert.id, raised_at=command.at)
    return [raised, _joined(alert)]


def _raised_by_hand(command: commands.RaiseByHand) -> facts.IncidentRaised:
    require_role(command.by, "raise an incident", "analyst", "dpo")
    title = require_text(command.title, "give the incident a title that a colleague would recognise")
    for figure in (command.people_estimate, command.records_estimate):
        if figure is not None and figure < 0:
            raise RefusedError("an estimate cannot be below zero; leave it out while it is unknown")
    began, ended = (
        instant and require_past(instant, command.at, "when it happened")
        for instant in (command.occurred_from, command.occurred_to)
    )
    if began and ended and began > ended:
        raise RefusedError("it cannot have ended before it began; swap the two instants")
    return facts.IncidentRaised(
        playbook=command.playbook,
        title=title,
        key={},
        alert_id="",
        raised_at=command.at,
        description=command.description.strip(),
        occurred_from=began,
        occurred_to=ended,
        people_estimate=command.people_estimate,
        records_estimate=command.records_estimate,
    )


def _taken(incident: Incident, alert: Alert) -> bool:
    """Whether nothing is new in this revision: it, or a later one, or a successor of the alert, joined before.

    A superseded alert that comes late is still heard if it names forerunners of its own, so that the same alerts
    remain in whatever order they come.
    """
    if alert.id in incident.superseded:
        return incident.superseded.issuperset(alert.supersedes)
    known = incident.alerts.get(alert.id)
    return known is not None and known.revision >= alert.revision


def _joined(alert: Alert) -> facts.AlertJoined:
    return facts.AlertJoined(
        alert_id=alert.id,
        revision=alert.revision,
        rule=alert.rule,
        title=alert.title,
        level=alert.level,
        group=dict(alert.group),
        first_event_at=alert.first_event_at,
        last_event_at=alert.last_event_at,
        count=alert.count,
        subject_count=alert.subject_count,
        records=alert.records,
        sources=alert.sources,
        samples=alert.samples,
        supersedes=tuple(alert.supersedes),
    )


# ---------------------------------------------------------------------- what people say


def _noted(incident: Incident, command: commands.AttachNote) -> list[facts.Said]:
    require_role(command.by, "attach a note", "analyst", "dpo")
    note = facts.NoteAttached(require_text(command.text, "a note needs some words"))
    return [] if incident.notes[-1:] == (note,) else [note]


def _ticked(incident: Incident, command: commands.TickItem, playbook: Playbook) -> list[facts.Said]:
    require_role(command.by, "tick the checklist", "analyst", "dpo")
    item, note, before = command.item, command.note.strip(), incident.done_items.get(command.item)
    known = {step.id for step in playbook.checklist}
    if item not in known and before is None:
        raise RefusedError(f'playbook {playbook.id} has no checklist item "{item}"; {did_you_mean(item, known)}')
    match command.done, before:
        case True, None:
            return [facts.ChecklistItemDone(item, note)]
        case True, str() if note not in ("", before):
            return [facts.ChecklistItemDone(item, note)]
        case False, str():
            return [facts.ChecklistItemReopened(item, note)]
        case _:
            return []


def _moved(incident: Incident, command: Move) -> list[facts.Said]:
    said = _wording(command)
    if incident.status in TRANSITIONS[type(said)]:
        return [said]
    if said == _in_force(incident):
        return []
    raise RefusedError(_why_not(incident, said))


def _wording(command: Move) -> facts.Said:
    match command:
        case commands.ConfirmIncident(by=by, note=note):
            require_role(by, "confirm a breach", "analyst", "dpo")
            return facts.IncidentConfirmed(note.strip())
        case commands.DismissIncident(by=by, reason=reason):
            require_role(by, "dismiss an incident", "analyst", "dpo")
            return facts.IncidentDismissed(require_text(reason, "say why this is no personal data breach"))
        case commands.ReopenIncident(by=by, reason=reason):
            require_role(by, "reopen an incident", "analyst", "dpo")
            return facts.IncidentReopened(require_text(reason, "say why this incident is to be looked at again"))
        case commands.CloseIncident(by=by, reason=reason):
            require_role(by, "close an incident", "dpo")
            return facts.IncidentClosed(require_text(reason, "say why nothing is left to do"))


def _in_force(incident: Incident) -> facts.Said | None:
    """The fact that made the status what it is: asking for it again, in the same words, is a repeat."""
    match incident.status:
        case "confirmed":
            return facts.IncidentConfirmed(incident.confirmed_because)
        case "dismissed":
            return facts.IncidentDismissed(incident.ended_because)
        case "closed":
            return facts.IncidentClosed(incident.ended_because)
        case "open":
            return None


def _why_not(incident: Incident, said: facts.Said) -> str:
    match incident.status, said:
        case "confirmed", facts.IncidentConfirmed():
            return "this incident is confirmed already; add what is new as a note"
        case "dismissed" | "closed", facts.IncidentDismissed() | facts.IncidentClosed():
            return f"this incident was {incident.status} already; reopen it, or add what is new as a note"
        case "dismissed" | "closed", _:
            return f"this incident was {incident.status}; reopen it first"
        case _, facts.IncidentReopened():
            return f"this incident is {incident.status}; only a dismissed or closed one can be reopened"
        case _:
            return "this incident is still open; confirm it as a breach or dismiss it, with a reason"


# ---------------------------------------------------------------------- folding


def _born(fact: facts.IncidentRaised) -> Incident:
    return Incident(
        status="open",
        playbook=fact.playbook,
        title=fact.title,
        key=fact.key,
        raised_at=fact.raised_at,
        by_hand=not fact.alert_id,
        description=fact.description,
        occurred_from=fact.occurred_from,
        occurred_to=fact.occurred_to,
        people_estimate=fact.people_estimate,
        records_estimate=fact.records_estimate,
    )


def _with_alert(incident: Incident, fact: facts.AlertJoined) -> Incident:
    gone = incident.superseded | (set(fact.supersedes) - {fact.alert_id})
    alerts = {**incident.alerts, fact.alert_id: fact}
    ended = incident.status in ("dismissed", "closed")
    return replace(
        incident,
        alerts={name: alert for name, alert in alerts.items() if name not in gone},
        superseded=gone,
        alerts_since_end=incident.alerts_since_end + ended,
    )


def _turned(incident: Incident, fact: facts.Said, **changes: Any) -> Incident:
    status = TRANSITIONS[type(fact)].get(incident.status)
    return replace(incident, status=status, **changes) if status else incident
