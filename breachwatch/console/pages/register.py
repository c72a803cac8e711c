"""The register of GDPR Art. 33(5): every confirmed breach, notified or not, with its facts, effects and remedies."""

import csv
import io
import json
from dataclasses import asdict, dataclass, fields
from datetime import datetime

from starlette.responses import Response

from breachwatch.assessment.facts import RiskDecided
from breachwatch.clocks.state import Met, Running
from breachwatch.console.access import DPO, Page
from breachwatch.console.visits import Visit
from breachwatch.console.words import DUTIES, LEVELS, STATUSES
from breachwatch.incidents.facts import IncidentConfirmed
from breachwatch.kernel.facts import Recorded
from breachwatch.kernel.time import rfc3339
from breachwatch.pipeline import Case
from breachwatch.pipeline.case import fold

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


@dataclass(frozen=True, slots=True)
class Line:
    """One breach in the register. Instants are RFC 3339 in UTC, empty while unknown."""

    incident: str
    title: str
    kind: str
    status: str
    began_at: str
    ended_at: str
    raised_at: str
    aware_at: str
    confirmed_at: str
    confirmed_by: str
    nature: str
    data_categories: str
    people: str
    records: str
    effects: str
    measures_taken: str
    measures_planned: str
    severity: str
    severity_reasons: str
    decision: str
    decision_reason: str
    decided_at: str
    decided_by: str
    authority_told_at: str
    authority_reference: str
    in_time: str
    delay_reasons: str
    filing_approved_by: str
    notices_approved_by: str
    people_told: str
    notices_refused: str
    ended_because: str
    facts: int
    last_hash: str


def lines(visit: Visit) -> list[Line]:
    """The register, newest first."""
    found = []
    for summary in visit.parts.ledger.summaries():
        facts = visit.parts.ledger.facts(summary.incident_id)
        if any(isinstance(fact.body, IncidentConfirmed) for fact in facts):
            found.append(_line(visit, fold(summary.incident_id, facts), facts))
    return found


def _line(visit: Visit, case: Case, facts: list[Recorded]) -> Line:
    incident, filing, notices = case.raised(), case.filing, case.notices
    form = visit.parts.flow.filing_paper(case, visit.now)[0]
    timezone = visit.parts.flow.organisation.timezone
    answers = {one.field.key: one.shown("en", timezone) for one in form.fields if one.value}
    proposal, decision = case.assessment.proposal, case.assessment.decision
    confirmed, decided = _last(facts, IncidentConfirmed), _last(facts, RiskDecided)
    submission = filing.submissions[0] if filing.submissions else None
    approvals, dispatch = filing.approvals, notices.dispatches[-1] if notices.dispatches else None
    return Line(
        incident=case.id,
        title=incident.title,
        kind=incident.playbook,
        status=STATUSES[incident.status],
        began_at=_at(incident.began_at),
        ended_at=_at(incident.last_seen_at),
        raised_at=_at(incident.raised_at),
        aware_at=_at(case.clocks.aware_at),
        confirmed_at=_at(confirmed.at if confirmed else None),
        confirmed_by=confirmed.actor if confirmed else "",
        nature=answers.get("nature_description", ""),
        data_categories=answers.get("data_categories", ""),
        people=answers.get("people_count", ""),
        records=answers.get("records_count", ""),
        effects=answers.get("consequences", ""),
        measures_taken=answers.get("measures_taken", ""),
        measures_planned=answers.get("measures_planned", ""),
        severity=f"{LEVELS[proposal.level][0]} ({proposal.score:g})" if proposal else "",
        severity_reasons=" ".join(proposal.reasons) if proposal else "",
        decision=DUTIES[decision.duty][0] if decision else "",
        decision_reason=decision.reason if decision else "",
        decided_at=_at(decided.at if decided else None),
        decided_by=decided.actor if decided else "",
        authority_told_at=_at(submission.submitted_at if submission else None),
        authority_reference=submission.reference if submission else "",
        in_time=_in_time(case),
        delay_reasons=next((one.delay_reasons for one in reversed(approvals) if one.delay_reasons), ""),
        filing_approved_by=approvals[-1].by if approvals else "",
        notices_approved_by=notices.approvals[-1].by if notices.approvals else "",
        people_told=str(dispatch.sent) if dispatch else "",
        notices_refused=str(dispatch.refused) if dispatch else "",
        ended_because=incident.ended_because,
        facts=len(facts),
        last_hash=facts[-1].hash,
    )


def _in_time(case: Case) -> str:
    states = list(case.clocks.by_name.values())
    if any(isinstance(clock, Running) and clock.missed for clock in states):
        return "missed"
    met = [clock for clock in states if isinstance(clock, Met)]
    if met:
        return "late" if any(clock.late for clock in met) else "in time"
    return "running" if any(isinstance(clock, Running) for clock in states) else "not owed"


def _last(facts: list[Recorded], kind: type[object]) -> Recorded | None:
    return next((fact for fact in reversed(facts) if isinstance(fact.body, kind)), None)


def _at(instant: datetime | None) -> str:
    return rfc3339(instant) if instant else ""


def show_register(visit: Visit) -> Response:
    """The register as a table."""
    return visit.page("register.html", lines=lines(visit))


def cell(value: object) -> str:
    """A CSV cell that no spreadsheet takes for a formula: what begins like one gets an apostrophe before it.

    Source: OWASP, CSV injection.
    """
    text = str(value)
    begins = text.lstrip(" \N{NO-BREAK SPACE}\N{ZERO WIDTH NO-BREAK SPACE}")
    return f"'{text}" if begins.startswith(FORMULA_STARTS) else text


def download_csv(visit: Visit) -> Response:
    """The register as CSV (RFC 4180, UTF-8 with a byte order mark, as spreadsheets expect)."""
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    writer.writerow([field.name for field in fields(Line)])
    for line in lines(visit):
        writer.writerow([cell(value) for value in asdict(line).values()])
    content = out.getvalue().encode("utf-8-sig", "replace")
    return _file(content, "text/csv; charset=utf-8", visit, "csv")


def download_json(visit: Visit) -> Response:
    """The register as JSON."""
    content = {"organisation": visit.parts.flow.organisation.name, "made_at": rfc3339(visit.now)}
    body = json.dumps({**content, "breaches": [asdict(line) for line in lines(visit)]}, ensure_ascii=False, indent=1)
    return _file(body.encode("utf-8", "replace"), "application/json", visit, "json")


def _file(content: bytes, kind: str, visit: Visit, suffix: str) -> Response:
    name = f"register-{visit.now:%Y-%m-%d}.{suffix}"
    return Response(content, media_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})


PAGES = (
    Page("GET", "/register", DPO, show_register),
    Page("GET", "/register.csv", DPO, download_csv),
    Page("GET", "/register.json", DPO, download_json),
)
