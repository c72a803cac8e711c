"""The notices: drafted by the playbook, written by people, approved by the DPO, reported by the couriers. Pure."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256

from breachwatch.kernel.asking import require_role
from breachwatch.kernel.errors import OutOfOrderError, RefusedError
from breachwatch.notices.commands import (
    ApproveNotices,
    Command,
    DraftNotices,
    EditNotice,
    ReportDispatch,
    TakeOverNotices,
)
from breachwatch.notices.facts import (
    NoticeEdited,
    NoticesApproved,
    NoticesDispatched,
    NoticesDrafted,
    NoticesTakenOver,
    NoticeText,
    Said,
)
from breachwatch.notices.parts import PARTS, missing_parts
from breachwatch.notices.placeholders import OPEN_UNTIL_SENT, names_in, unknown_names
from breachwatch.notices.state import Notices

MAX_CHARACTERS = 50_000
"""The longest text of one language: a notice in plain language has a tenth of it."""
_LANGUAGE = re.compile(r"[a-z]{2}")


def decide(state: Notices, command: Command) -> list[Said]:
    """Say what follows from one command.

    Args:
        state: this incident's notices, folded from all that was said before.
        command: what is asked; approvals carry what is true at that moment.

    Returns:
        New facts, oldest first; none on a repeat.

    Raises:
        RefusedError: the rules do not allow it; the text says which one and what would help.
        OutOfOrderError: an earlier step is missing.

    Source: GDPR Art. 34(1) and (2); Art. 22: only people approve.
    """
    match command:
        case DraftNotices(texts=texts):
            return [NoticesDrafted(dict(texts))] if texts and not state.texts else []
        case EditNotice():
            return _edit(state, command)
        case TakeOverNotices(by=by):
            require_role(by, "take the notices over", "analyst", "dpo")
            return [NoticesTakenOver(by.name)] if state.drafter not in ("", by.name) else []
        case ApproveNotices():
            return _approve(state, command)
        case ReportDispatch():
            return _report(state, command)


def evolve(state: Notices, fact: Said) -> Notices:
    """Fold one fact into the notices; never raises, never decides."""
    match fact:
        case NoticesDrafted(texts):
            return replace(state, texts=dict(texts))
        case NoticeEdited(language, text, by):
            return replace(
                state,
                texts={**state.texts, language: text},
                drafter=by,
                edited=state.edited | {language},
            )
        case NoticesTakenOver(by):
            return replace(state, drafter=by)
        case NoticesApproved():
            return replace(state, approvals=(*state.approvals, fact), drafter="")
        case NoticesDispatched():
            return replace(state, dispatches=(*state.dispatches, fact))


def digest(texts: Mapping[str, NoticeText]) -> str:
    """SHA-256 in hex over all languages' texts as canonical JSON: what an approval must have seen."""
    plain = {language: [text.subject, text.markdown] for language, text in texts.items()}
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _edit(state: Notices, command: EditNotice) -> list[Said]:
    require_role(command.by, "write in the notices", "analyst", "dpo")
    if not _LANGUAGE.fullmatch(command.language):
        raise RefusedError(f'"{command.language}" is no language code; write two letters, such as en or fr')
    text = NoticeText(
        " ".join(command.text.subject.split()),
        command.text.markdown.replace("\r\n", "\n").replace("\r", "\n").strip() + "\n",
    )
    if len(text.subject) + len(text.markdown) > MAX_CHARACTERS:
        raise RefusedError(f"a notice may have at most {MAX_CHARACTERS:,} characters")
    for name, nearest in unknown_names(f"{text.subject}\n{text.markdown}"):
        hint = f"; did you mean {{{nearest}}}?" if nearest else ""
        raise RefusedError(f"there is no placeholder {{{name}}}{hint}")
    return [] if state.texts.get(command.language) == text else [NoticeEdited(command.language, text, command.by.name)]


def _approve(state: Notices, command: ApproveNotices) -> list[Said]:
    require_role(command.by, "approve the notices", "dpo")
    if not command.texts:
        raise OutOfOrderError("there is no text yet; write the notice first")
    if command.digest_seen != digest(command.texts):
        raise RefusedError("the notices have changed since you looked; read them again, then approve")
    if command.other_people and command.by.name == state.drafter:
        raise RefusedError(
            "you wrote last in these texts, so somebody else on the team must approve them; or any other member, such "
            "as an analyst, opens the notices, reads them and takes them over, and then you may approve them"
        )
    for language, text in sorted(command.texts.items()):
        _refuse_unfit(language, text)
    if command.audience <= 0:
        raise RefusedError("there is nobody to tell: no person with a mail address is known who was not told already")
    texts, seen = dict(command.texts), command.digest_seen
    return [NoticesApproved(texts, seen, command.audience, command.by.name, command.at)]


def _refuse_unfit(language: str, text: NoticeText) -> None:
    if not text.subject.strip():
        raise RefusedError(f"the notice in {language} has no subject")
    lacking = missing_parts(text.markdown)
    if lacking:
        parts = ", ".join(f"{PARTS[part]} ({{#{part}}})" for part in lacking)
        raise RefusedError(f"the notice in {language} does not say {parts}; GDPR Art. 34(2) asks for it")
    still_open = set(names_in(f"{text.subject}\n{text.markdown}")) - {OPEN_UNTIL_SENT}
    if still_open:
        raise RefusedError(f"the notice in {language} leaves open {', '.join(sorted(still_open))}")


def _report(state: Notices, command: ReportDispatch) -> list[Said]:
    if not state.approvals or (state.dispatches and state.dispatches[-1].proof == command.proof):
        return []
    return [NoticesDispatched(command.sent, command.refused, command.proof, command.at)]
