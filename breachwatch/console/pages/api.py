"""The same for programs: incidents, alerts and status as JSON, read-only, with a session."""

from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from starlette.responses import Response

from breachwatch import __version__
from breachwatch.clocks.state import Met, Running, Stopped
from breachwatch.console.access import CASEWORK, MEMBERS, Page
from breachwatch.console.pages.notices import progress
from breachwatch.console.pages.status import plain, status_data
from breachwatch.console.visits import Visit
from breachwatch.detection.telling.findings import detection_finding
from breachwatch.detection.telling.stix import stix_bundle
from breachwatch.kernel.errors import NotFoundError
from breachwatch.kernel.ports import AlertRow, CaseSummary
from breachwatch.kernel.streams import alert_line
from breachwatch.kernel.time import rfc3339
from breachwatch.notices.parts import missing_parts
from breachwatch.pipeline import Case
from breachwatch.pipeline.case import fold, summarise


def incidents(visit: Visit) -> Response:
    """Every incident in one object, newest first."""
    rows = [_summary(row, visit.now) for row in visit.parts.ledger.summaries()]
    return visit.data({"now": rfc3339(visit.now), "incidents": rows})


def incident(visit: Visit) -> Response:
    """One incident with all its rooms, digests for approvals, and its facts' heads."""
    facts = visit.parts.ledger.facts(visit.incident_id)
    case = fold(visit.incident_id, facts)
    case.raised()
    chain = [
        {"seq": fact.seq, "type": fact.type, "at": rfc3339(fact.at), "actor": fact.actor, "hash": fact.hash}
        for fact in facts
    ]
    return visit.data(
        {
            **_summary(summarise(case), visit.now),
            "clocks": _clocks(case),
            "awareness": [plain(asdict(one)) for one in case.clocks.awareness],
            "proposal": plain(asdict(case.assessment.proposal)) if case.assessment.proposal else None,
            "decision": plain(asdict(case.assessment.decision)) if case.assessment.decision else None,
            "people": _people(case),
            "filing": _filing(visit, case),
            "notices": _notices(visit, case),
            "checklist_done": sorted(case.raised().done_items),
            "facts": chain,
        }
    )


def alerts(visit: Visit) -> Response:
    """The newest alerts."""
    rows = [_alert(row) for row in visit.parts.ledger.alerts(limit=200)]
    return visit.data({"now": rfc3339(visit.now), "alerts": rows})


def finding(visit: Visit) -> Response:
    """One alert as an OCSF Detection Finding, for a SIEM."""
    return visit.data(detection_finding(_one(visit).alert, __version__))


def stix(visit: Visit) -> Response:
    """One alert as a bundle of STIX 2.1 observed data, without the references of people: others need none."""
    row = _one(visit)
    return visit.data(stix_bundle(replace(row.alert, subjects=()), visit.parts.flow.organisation.name, row.taken_at))


def _one(visit: Visit) -> AlertRow:
    row = visit.parts.ledger.alert(visit.path["id"])
    if row is None:
        raise NotFoundError("There is no alert under this address; a late event may have given it a new one.")
    return row


def status(visit: Visit) -> Response:
    """How the service is doing."""
    return visit.data({"now": rfc3339(visit.now), **status_data(visit)})


def _summary(row: CaseSummary, now: datetime) -> dict[str, Any]:
    left = int((row.due_at - now).total_seconds()) if row.due_at else None
    return {**plain(asdict(row)), "seconds_left": left}


def _alert(row: AlertRow) -> dict[str, Any]:
    alert = row.alert
    return {
        **alert_line(alert),
        "revision": alert.revision,
        "incident_id": row.incident_id,
        "taken_at": rfc3339(row.taken_at),
    }


def _clocks(case: Case) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for name, clock in case.clocks.by_name.items():
        match clock:
            case Running(label=label, due_at=due_at, missed=missed, article=article, url=url):
                state = {"state": "missed" if missed else "running", "article": article, "url": url}
            case Met(label=label, due_at=due_at, met_at=met_at, late=late):
                state = {"state": "late" if late else "met", "met_at": rfc3339(met_at)}
            case Stopped(was=was, reason=reason):
                label, due_at, state = was.label, was.due_at, {"state": "stopped", "reason": reason}
        found.append({"clock": name, "label": label, "due_at": rfc3339(due_at), **state})
    return found


def _people(case: Case) -> dict[str, Any]:
    resolved = case.subjects.resolved
    found = {"total": case.subjects.total, "stale": case.subjects.stale}
    return {**found, "resolved": plain(asdict(resolved)) if resolved else None}


def _filing(visit: Visit, case: Case) -> dict[str, Any]:
    form = visit.parts.flow.filled_form(case, visit.now)
    return {
        "phase": case.filing.phase,
        "values": form.values,
        "unknown": list(form.unknown),
        "missing": list(form.missing),
        "digest": form.digest,
        "overdue": visit.parts.flow.overdue(case, visit.now),
        "approvals": [{"phase": one.phase, "digest": one.digest, "by": one.by} for one in case.filing.approvals],
        "awaiting_submission": case.filing.awaiting_submission is not None,
        "submissions": [plain(asdict(one)) for one in case.filing.submissions],
    }


def _notices(visit: Visit, case: Case) -> dict[str, Any]:
    texts = visit.parts.flow.notice_texts(case)
    way = progress(visit, case)
    return {
        "languages": sorted(texts),
        "missing_parts": {language: list(missing_parts(text.markdown)) for language, text in texts.items()},
        "digest": visit.parts.flow.notices_digest(case),
        "approvals": [{"digest": one.digest, "audience": one.audience, "by": one.by} for one in case.notices.approvals],
        "dispatch": dict(way.counts) if way else {},
        "dispatches": [{"sent": one.sent, "refused": one.refused} for one in case.notices.dispatches],
    }


PAGES = (
    Page("GET", "/api/incidents", CASEWORK, incidents, "data"),
    Page("GET", "/api/incidents/{id}", CASEWORK, incident, "data"),
    Page("GET", "/api/alerts", CASEWORK, alerts, "data"),
    Page("GET", "/api/alerts/{id}/ocsf", CASEWORK, finding, "data"),
    Page("GET", "/api/alerts/{id}/stix", CASEWORK, stix, "data"),
    Page("GET", "/api/status", MEMBERS, status, "data"),
)
