"""The notices page: each language's text, read as the person will read it, written, approved, followed on its way."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup
from starlette.responses import Response

from breachwatch.console.access import CASEWORK, DPO, Page
from breachwatch.console.pages.casework import carry_out, colleagues
from breachwatch.console.pictures import Piece, dispatch_bar
from breachwatch.console.visits import Visit
from breachwatch.console.words import LANGUAGES, NOTICE_PARTS
from breachwatch.detection.playbooks.playbook import ChecklistItem
from breachwatch.kernel.ports import OutboxRow
from breachwatch.notices.commands import ApproveNotices, EditNotice, TakeOverNotices
from breachwatch.notices.facts import NoticeText
from breachwatch.notices.parts import missing_parts
from breachwatch.notices.placeholders import PLACEHOLDERS
from breachwatch.notices.render import Rendered
from breachwatch.pipeline import Case

LIMIT = 50
_ARTICLE = re.compile(r'<div role="article"[^>]*>(.*)</div>\s*</body>', re.DOTALL)
_STYLE = re.compile(r' style="[^"]*"')


@dataclass(frozen=True, slots=True)
class Draft:
    """One language: the text as written (placeholders open), as read, and what Art. 34(2) still asks for."""

    language: str
    name: str
    text: NoticeText
    preview: Rendered
    html: Markup
    missing: tuple[str, ...]
    edited: bool


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the mails are. `problems`: rows that were refused or wait for another try, with the server's words."""

    total: int
    counts: Mapping[str, int]
    bar: tuple[Piece, ...]
    problems: tuple[OutboxRow, ...]

    @property
    def open(self) -> int:
        """Mails that have not come to an end."""
        return sum(self.counts.get(state, 0) for state in ("pending", "sending", "retry"))


def show_notices(visit: Visit) -> Response:
    """All languages of one incident, and where its mails are."""
    flow = visit.parts.flow
    case = flow.case(visit.incident_id)
    drafts = _drafts(visit, case)
    return visit.page(
        "notices.html",
        case=case,
        colleagues=colleagues(visit),
        incident=case.raised(),
        drafts=drafts,
        digest=flow.notices_digest(case) if drafts else "",
        complete=bool(drafts) and not any(draft.missing for draft in drafts),
        decision=case.assessment.decision,
        progress=progress(visit, case),
        untold=visit.parts.ledger.untold(case.id),
        unticked=_unticked(visit, case),
        placeholders=PLACEHOLDERS,
        parts=NOTICE_PARTS,
    )


def progress(visit: Visit, case: Case) -> Progress | None:
    """Where the mails of a case are; None before the first approval."""
    if not case.notices.approvals:
        return None
    ledger = visit.parts.ledger
    counts = ledger.notice_counts(case.id)
    problems = tuple(row for row in ledger.notices(case.id, limit=LIMIT) if row.state in ("refused", "retry"))
    return Progress(sum(counts.values()), counts, dispatch_bar(counts), problems)


def _unticked(visit: Visit, case: Case) -> list[ChecklistItem]:
    """Steps of containment that nobody ticked, though the texts tell people that the breach was contained."""
    incident = case.raised()
    playbook = visit.parts.flow.playbooks.get(incident.playbook)
    items = playbook.checklist if playbook else ()
    return [item for item in items if item.phase == "contain" and item.id not in incident.done_items]


def _drafts(visit: Visit, case: Case) -> list[Draft]:
    flow = visit.parts.flow
    drafts = []
    for language, filled in flow.notice_texts(case).items():
        preview = flow.notice_preview(case, language)
        drafts.append(
            Draft(
                language,
                LANGUAGES.get(language, language),
                case.notices.texts[language],
                preview,
                letter(preview.html),
                missing_parts(filled.markdown),
                language in case.notices.edited,
            )
        )
    return drafts


def letter(document: str) -> Markup:
    """The article inside a mail's HTML, without its inline styles, which this desk's policy forbids.

    The renderer lets no markup through but its own (`notices/render.py`); what is not its article is shown as text.
    """
    found = _ARTICLE.search(document)
    return Markup(_STYLE.sub("", found[1])) if found else Markup("<pre>{}</pre>").format(document)  # noqa: S704


def save(visit: Visit) -> Response:
    """Write one language's text."""
    language = visit.text("language", "Language").lower()
    text = NoticeText(visit.text("subject", "Subject"), visit.text("markdown", "Text"))
    carry_out(visit, EditNotice(visit.actor, visit.now, language, text))
    anchor = f"notice-{language}" if language.isascii() and language.isalpha() else ""
    return visit.go(f"/incidents/{visit.incident_id}/notices", done="notice-saved", anchor=anchor)


def take_over(visit: Visit) -> Response:
    """Answer for the texts that somebody else wrote, exactly as the page showed them."""
    carry_out(visit, TakeOverNotices(visit.actor, visit.now), strict=True)
    return visit.go(f"/incidents/{visit.incident_id}/notices", done="taken-over", anchor="approve")


def approve(visit: Visit) -> Response:
    """Approve exactly the texts that the page showed, for everybody not told yet."""
    command = ApproveNotices(
        visit.actor, visit.now, {}, visit.text("digest", "digest of the texts"), audience=0, other_people=True
    )
    carry_out(visit, command)
    return visit.go(f"/incidents/{visit.incident_id}/notices", done="notices-approved", anchor="dispatch")


PAGES = (
    Page("GET", "/incidents/{id}/notices", CASEWORK, show_notices),
    Page("POST", "/incidents/{id}/notices", CASEWORK, save),
    Page("POST", "/incidents/{id}/notices/take-over", CASEWORK, take_over),
    Page("POST", "/incidents/{id}/notices/approve", DPO, approve),
)
