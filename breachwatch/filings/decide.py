"""The filing: drafted by evidence and people, approved by the DPO, handed in by a person. Pure."""

from collections.abc import Mapping
from dataclasses import replace

from breachwatch.filings.commands import ApproveFiling, Command, EditFiling, RecordSubmission, TakeOverFiling
from breachwatch.filings.facts import FilingApproved, FilingEdited, FilingSubmitted, FilingTakenOver, Said
from breachwatch.filings.form import EXPLICITLY_UNKNOWN, digest_of
from breachwatch.filings.forms.model import Form, FormField
from breachwatch.filings.state import Filing
from breachwatch.kernel.asking import require_past, require_role, require_text
from breachwatch.kernel.errors import OutOfOrderError, RefusedError
from breachwatch.kernel.shapes import did_you_mean


def decide(state: Filing, command: Command, form: Form) -> list[Said]:
    """Say what follows from one command.

    Args:
        state: this incident's filing, folded from all that was said before.
        command: what a person asks; approvals carry what is true at that moment.
        form: the authority's form, which knows the fields.

    Returns:
        New facts, oldest first; none when the command changes nothing, so repeating one is harmless.

    Raises:
        RefusedError: the rules do not allow it; the text says which one and what would help.
        OutOfOrderError: an earlier step is missing.

    Source: GDPR Art. 33(1), (3) and (4); Art. 22: only people approve.
    """
    match command:
        case EditFiling():
            return _edit(state, command, form)
        case TakeOverFiling():
            return _take_over(state, command)
        case ApproveFiling():
            return _approve(state, command, form)
        case RecordSubmission():
            return _submit(state, command)


def evolve(state: Filing, fact: Said) -> Filing:
    """Fold one fact into the filing; never raises, never decides."""
    match fact:
        case FilingEdited(phase, fields, by):
            edits = {key: text for key, text in {**state.edits, **fields}.items() if text}
            return replace(state, phase=phase, edits=edits, drafter=by, awaiting_submission=None)
        case FilingTakenOver(by):
            return replace(state, drafter=by)
        case FilingApproved():
            return replace(state, approvals=(*state.approvals, fact), awaiting_submission=fact)
        case FilingSubmitted():
            submissions = (*state.submissions, fact)
            return replace(state, phase="complementary", drafter="", submissions=submissions, awaiting_submission=None)


def _edit(state: Filing, command: EditFiling, form: Form) -> list[Said]:
    require_role(command.by, "write in the filing", "analyst", "dpo")
    if command.phase not in state.phases:
        raise RefusedError(_wrong_phase(state, command.phase))
    written = _normalised(command.fields, form)
    changed = {key: text for key, text in written.items() if text != state.edits.get(key, "")}
    if not changed and command.phase == state.phase:
        return []
    return [FilingEdited(command.phase, changed, command.by.name)]


def _normalised(fields: Mapping[str, str], form: Form) -> dict[str, str]:
    wrong: list[str] = []
    written: dict[str, str] = {}
    for key, text in fields.items():
        field = form.field(key)
        if field is None:
            hint = did_you_mean(key, form.keys)
            wrong.append(f'the form has no field "{key}"' + (f"; {hint}" if hint else ""))
        elif field.derived:
            wrong.append(f"{_name(field)} follows from the case and cannot be written")
        else:
            try:
                written[key] = text.strip() if text.strip() == EXPLICITLY_UNKNOWN else field.normalise(text)
            except ValueError as error:
                wrong.append(f"{_name(field)} {error}")
    if wrong:
        raise RefusedError("; ".join(wrong))
    return written


def _take_over(state: Filing, command: TakeOverFiling) -> list[Said]:
    require_role(command.by, "take the filing over", "analyst", "dpo")
    written_by_another = state.drafter not in ("", command.by.name)
    return [FilingTakenOver(command.by.name)] if written_by_another and not state.awaiting_submission else []


def _approve(state: Filing, command: ApproveFiling, form: Form) -> list[Said]:
    digest = digest_of(command.fields)
    require_role(command.by, "approve the filing", "dpo")
    if command.digest_seen != digest:
        raise RefusedError("the filing has changed since you looked; read it again, then approve")
    if command.other_people and command.by.name == state.drafter:
        raise RefusedError(
            "you wrote last in this draft, so somebody else on the team must approve it; or any other member, such as "
            "an analyst, opens the filing, reads it and takes it over, and then you may approve it"
        )
    reasons = command.delay_reasons.strip() or command.fields.get("delay_reasons", "").strip()
    if command.overdue and not reasons:
        raise RefusedError("the deadline has passed, so the filing needs reasons for the delay (GDPR Art. 33(1))")
    _refuse_gaps(command, form)
    said = FilingApproved(command.phase, dict(command.fields), digest, reasons, command.by.name, command.at)
    waiting = state.awaiting_submission
    same = waiting and (waiting.phase, waiting.digest, waiting.delay_reasons) == (said.phase, digest, reasons)
    return [] if same else [said]


def _refuse_gaps(command: ApproveFiling, form: Form) -> None:
    asked = [field for field in form.fields if field.required]
    absent = [field for field in asked if field.key not in command.fields]
    if absent:
        raise RefusedError(f"neither filled nor marked as not known: {_names(absent)} (GDPR Art. 33(3))")
    unknown = [field for field in asked if not command.fields[field.key]]
    if unknown and command.phase == "complete":
        raise RefusedError(
            f"a complete notification leaves nothing open, but these are not known yet: {_names(unknown)}; "
            "fill them, or notify in phases (GDPR Art. 33(4))"
        )


def _submit(state: Filing, command: RecordSubmission) -> list[Said]:
    require_role(command.by, "record the submission", "analyst", "dpo")
    reference, channel = command.reference.strip(), command.channel.strip()
    if state.awaiting_submission is None:
        if _is_repeat(state, command, reference, channel):
            return []
        raise OutOfOrderError("there is no approved filing waiting to be handed in; approve it first")
    require_text(reference, "note the reference that the authority gave, or what stands on its receipt")
    require_text(channel, "note how the filing was handed in, such as the authority's online form")
    submitted_at = require_past(command.submitted_at, command.at, "the time of submission")
    approved = state.awaiting_submission
    return [FilingSubmitted(approved.phase, submitted_at, reference, channel, approved.digest)]


def _is_repeat(state: Filing, command: RecordSubmission, reference: str, channel: str) -> bool:
    last = state.submissions[-1] if state.submissions else None
    asked = (command.submitted_at, reference, channel)
    return last is not None and (last.submitted_at, last.reference, last.channel) == asked


def _wrong_phase(state: Filing, phase: str) -> str:
    if phase == "initial":
        return "something was submitted already, so what follows is complementary or complete (GDPR Art. 33(4))"
    if phase == "complementary":
        return "nothing was submitted yet, so the first notification is initial or complete (GDPR Art. 33(4))"
    return f"there is no phase {phase!r}; choose from {', '.join(state.phases)}"


def _name(field: FormField) -> str:
    return f'"{field.label.en}"'


def _names(fields: list[FormField]) -> str:
    return ", ".join(_name(field) for field in fields)
