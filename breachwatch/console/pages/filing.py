"""The filing page: the authority's form in its own order, written, read, approved, handed in."""

from starlette.responses import Response

from breachwatch.console.access import CASEWORK, DPO, Page
from breachwatch.console.pages.casework import carry_out, colleagues
from breachwatch.console.visits import BadFormError, Visit
from breachwatch.console.words import PHASES
from breachwatch.filings.commands import ApproveFiling, EditFiling, RecordSubmission, TakeOverFiling
from breachwatch.filings.facts import Phase
from breachwatch.filings.form import EXPLICITLY_UNKNOWN, FilledField
from breachwatch.filings.forms.model import SEPARATOR, FormField
from breachwatch.kernel.errors import NotFoundError
from breachwatch.kernel.time import parse_rfc3339, rfc3339
from breachwatch.pipeline import Case

PREFIX = "field:"
UNKNOWN = "unknown:"
LONG = 90
"""Answers longer than this are written in a larger box."""


def show_filing(visit: Visit) -> Response:
    """The form as it would be approved now; or, once approved, exactly as it is to be handed in."""
    flow = visit.parts.flow
    case = flow.case(visit.incident_id)
    draft = flow.filled_form(case, visit.now)
    waiting = case.filing.awaiting_submission
    paper, meta = flow.filing_paper(case, visit.now)
    return visit.page(
        "filing.html",
        case=case,
        colleagues=colleagues(visit),
        incident=case.raised(),
        paper=paper,
        meta=meta,
        draft=draft,
        waiting=waiting,
        overdue=flow.overdue(case, visit.now),
        decision=case.assessment.decision,
        phases=PHASES,
        zone_name=flow.organisation.timezone,
        submit_default=f"{visit.now.astimezone(visit.zone):%Y-%m-%dT%H:%M:%S}",
    )


def show_edit(visit: Visit) -> Response:
    """The draft as one long form."""
    flow = visit.parts.flow
    case = flow.case(visit.incident_id)
    return visit.page(
        "filing_edit.html", case=case, incident=case.raised(), form=flow.filled_form(case, visit.now), phases=PHASES,
        long=LONG,
    )  # fmt: skip


def save(visit: Visit) -> Response:
    """Keep what a person changed; a field left as it was goes on following the evidence."""
    case = visit.parts.flow.case(visit.incident_id)
    phase = visit.text("phase") or case.filing.phase
    if phase not in PHASES:
        raise BadFormError("Choose one of the kinds of notification.")
    chosen: Phase = "initial" if phase == "initial" else "complete" if phase == "complete" else "complementary"
    fields = changed_fields(visit, case)
    after = carry_out(visit, EditFiling(visit.actor, visit.now, chosen, fields))
    done = "filing-saved" if after.seq > case.seq else "filing-same"
    return visit.go(f"/incidents/{case.id}/filing", done=done)


def changed_fields(visit: Visit, case: Case) -> dict[str, str]:
    """Key to text of the fields that differ from what the form showed.

    Raises:
        BadFormError: a date cannot be read.
    """
    filled = visit.parts.flow.filled_form(case, visit.now)
    changed: dict[str, str] = {}
    for one in filled.fields:
        if one.field.derived or not _asked(visit, one.field.key):
            continue
        text = EXPLICITLY_UNKNOWN if visit.text(f"{UNKNOWN}{one.field.key}") else _sent(visit, one.field)
        if text == EXPLICITLY_UNKNOWN:
            if one.source != "unknown":
                changed[one.field.key] = text
        elif text != _as_sent(visit, one):
            changed[one.field.key] = text
    return changed


def _asked(visit: Visit, key: str) -> bool:
    return f"{PREFIX}{key}" in visit.form or f"{UNKNOWN}{key}" in visit.form


def _sent(visit: Visit, field: FormField) -> str:
    values = [value.replace("\r\n", "\n").strip() for value in visit.form.get(f"{PREFIX}{field.key}", [])]
    if field.kind == "choices":
        return SEPARATOR.join(value for value in values if value)
    if field.kind == "instant":
        instant = visit.instant(f"{PREFIX}{field.key}", field.label.en)
        return rfc3339(instant) if instant else ""
    return values[0] if values else ""


def _as_sent(visit: Visit, one: FilledField) -> str:
    """What the form sends back for a field that nobody touched."""
    if one.field.kind == "instant" and one.value:
        minute = parse_rfc3339(one.value).replace(second=0, microsecond=0)
        return rfc3339(minute)
    if one.field.kind == "choices":
        return SEPARATOR.join(one.field.members(one.value))
    return one.value.strip()


def take_over(visit: Visit) -> Response:
    """Answer for the draft that somebody else wrote, exactly as the page showed it."""
    carry_out(visit, TakeOverFiling(visit.actor, visit.now), strict=True)
    return visit.go(f"/incidents/{visit.incident_id}/filing", done="taken-over", anchor="approve")


def approve(visit: Visit) -> Response:
    """Approve exactly what the page showed."""
    case = visit.parts.flow.case(visit.incident_id)
    command = ApproveFiling(
        visit.actor, visit.now, case.filing.phase, {}, visit.text("digest", "digest of the form"),
        overdue=False, other_people=True, delay_reasons=visit.text("delay_reasons"),
    )  # fmt: skip
    carry_out(visit, command)
    return visit.go(f"/incidents/{case.id}/filing", done="filing-approved", anchor="submission")


def submit(visit: Visit) -> Response:
    """Record that the approved filing was handed to the authority."""
    instant = visit.instant("submitted_at", "When it was handed in", required=True)
    if instant is None:
        raise BadFormError("Please say when it was handed in.")
    reference, channel = visit.text("reference", "The authority's reference"), visit.text("channel", "How")
    carry_out(visit, RecordSubmission(visit.actor, visit.now, instant, reference, channel))
    return visit.go(f"/incidents/{visit.incident_id}/filing", done="submitted")


def download_pdf(visit: Visit) -> Response:
    """The filing as a tagged PDF."""
    flow, language = visit.parts.flow, visit.query.get("language", "en")
    if language not in ("en", "fr"):
        raise NotFoundError("The PDF is made in English (en) and French (fr).")
    case = flow.case(visit.incident_id)
    content = flow.filing_pdf(case, visit.now, language, _approval(visit))
    return _file(content, "application/pdf", f"filing-{case.id}-{language}.pdf")


def download_json(visit: Visit) -> Response:
    """The filing as JSON."""
    case = visit.parts.flow.case(visit.incident_id)
    content = visit.parts.flow.filing_json(case, visit.now, _approval(visit))
    return _file(content, "application/json", f"filing-{case.id}.json")


def _approval(visit: Visit) -> int | None:
    wanted = visit.query.get("approval", "")
    return int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) < 6 else None


def _file(content: bytes, kind: str, name: str) -> Response:
    return Response(content, media_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})


PAGES = (
    Page("GET", "/incidents/{id}/filing", CASEWORK, show_filing),
    Page("GET", "/incidents/{id}/filing/edit", CASEWORK, show_edit),
    Page("POST", "/incidents/{id}/filing", CASEWORK, save, limit=2 * 1024 * 1024),
    Page("POST", "/incidents/{id}/filing/take-over", CASEWORK, take_over),
    Page("POST", "/incidents/{id}/filing/approve", DPO, approve),
    Page("POST", "/incidents/{id}/filing/submission", DPO, submit),
    Page("GET", "/incidents/{id}/filing.pdf", CASEWORK, download_pdf),
    Page("GET", "/incidents/{id}/filing.json", CASEWORK, download_json),
)
