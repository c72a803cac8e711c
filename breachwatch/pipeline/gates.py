"""What must have been said in one room before another may act: the rules that no room can know alone.

| asked | only if |
|---|---|
| decide the risk | the incident is open or confirmed |
| ask the directory again | the incident is open or confirmed |
| approve the filing | a person decided that the authority is owed it; or it follows up what was submitted before |
| approve the notices | a person decided that the people are to be told, and the incident is open or confirmed |
| close the incident | nothing is owed any more: no clock runs, no approved filing waits to be handed in |

A decision takes the DPO a minute and can be changed later, so asking for it first delays nothing, and the register
never shows a notification that nobody decided on. A filing that follows up an earlier one needs no such decision: the
authority must hear, too, that there was no breach or no risk after all.
"""

from datetime import datetime
from typing import Any

from breachwatch.assessment.commands import DecideRisk
from breachwatch.clocks.commands import MeetDuty
from breachwatch.clocks.state import Met, Running
from breachwatch.filings.commands import ApproveFiling
from breachwatch.incidents.commands import CloseIncident
from breachwatch.kernel.errors import OutOfOrderError, RefusedError
from breachwatch.kernel.facts import SYSTEM
from breachwatch.notices.commands import ApproveNotices
from breachwatch.pipeline.case import Case
from breachwatch.pipeline.world import World
from breachwatch.subjects.commands import AskDirectoryAgain


def pass_gates(case: Case, command: Any) -> None:
    """Let a command through to its room, or not.

    Raises:
        RefusedError: what was decided, or became of the incident, stands against it.
        OutOfOrderError: the decision it stands on has not been taken.

    Source: GDPR Art. 5(2), 22, 33(1), 33(4), 33(5), 34(1).
    """
    match command:
        case DecideRisk():
            _refuse_ended(case, "decide")
        case AskDirectoryAgain():
            _refuse_ended(case, "ask the directory again")
        case ApproveFiling():
            _filing(case)
        case ApproveNotices():
            _notices(case)
        case CloseIncident():
            _closing(case)
        case _:
            pass


def overdue(case: Case, world: World, at: datetime) -> bool:
    """Whether a filing approved now owes the authority reasons for a delay.

    It does when a deadline that it is to meet has passed, and when an earlier filing was handed in late without any.

    Source: GDPR Art. 33(1): a later notification is accompanied by the reasons for the delay.
    """
    deed = MeetDuty(SYSTEM, at, at).deed
    regimes = world.regimes_of(world.meaning(case.raised().playbook))
    names = {regime.clock_of(stage) for regime in regimes if regime.met_by == deed for stage in regime.stages}
    clocks = [clock for name, clock in case.clocks.by_name.items() if name in names]
    explained = any(approval.delay_reasons for approval in case.filing.approvals)
    missed = any(isinstance(clock, Running) and at > clock.due_at for clock in clocks)
    return missed or (not explained and any(isinstance(clock, Met) and clock.late for clock in clocks))


def _refuse_ended(case: Case, deed: str) -> None:
    status = case.raised().status
    if status in ("dismissed", "closed"):
        raise RefusedError(f"the incident is {status}; reopen it, then {deed}")


def _filing(case: Case) -> None:
    if case.raised().status == "closed":
        raise RefusedError("the incident is closed; reopen it, then approve")
    if case.filing.submissions:
        return
    _refuse_ended(case, "approve")
    decision = case.assessment.decision
    if decision is None:
        raise OutOfOrderError("nobody has decided yet what is owed; decide, then approve the filing")
    if decision.duty == "record_only":
        raise RefusedError("it was decided that nothing is to be notified; decide otherwise, then approve the filing")


def _notices(case: Case) -> None:
    _refuse_ended(case, "approve")
    decision = case.assessment.decision
    if decision is None:
        raise OutOfOrderError("nobody has decided yet what is owed; decide, then approve the notices")
    if decision.duty != "notify_authority_and_people":
        raise RefusedError("it was decided that the people are not to be told; decide otherwise, then approve")


def _closing(case: Case) -> None:
    if case.raised().status != "confirmed":
        return
    owed = [clock.label for clock in case.clocks.by_name.values() if isinstance(clock, Running)]
    if owed:
        raise RefusedError(
            f"this is still owed: {', '.join(owed)}; record the submission, or decide that nothing is to be notified"
        )
    if case.filing.awaiting_submission:
        raise RefusedError("an approved filing has not been handed in; record its submission, then close")
