"""The whole flow on one page: who decides what, and what follows from what was said.

    alert ─> incident ─> clocks ─> assessment ─> people ─> filing, notices ─> outbox

`react` takes one command, lets the room it belongs to decide, folds what that room says, and turns each fact into the
commands that follow in later rooms (`_follow_up`), until nothing is left to say. `gates` holds what must have been said
in one room before another may act. `effects` says what must leave the house because of a fact. All of it is pure: same
case, same command, same facts.
"""

from collections import deque
from collections.abc import Sequence
from datetime import datetime
from typing import Any, get_args

from breachwatch.assessment import commands as assessment_commands
from breachwatch.assessment import decide as assessment
from breachwatch.assessment.facts import RiskDecided
from breachwatch.clocks import commands as clocks_commands
from breachwatch.clocks import decide as clocks
from breachwatch.clocks.facts import AwarenessSet, DeadlineMissed, DeadlineNear
from breachwatch.filings import commands as filings_commands
from breachwatch.filings import decide as filings
from breachwatch.filings.facts import FilingSubmitted
from breachwatch.incidents import commands as incidents_commands
from breachwatch.incidents import decide as incidents
from breachwatch.incidents.facts import (
    IncidentConfirmed,
    IncidentDismissed,
    IncidentRaised,
    IncidentReopened,
)
from breachwatch.kernel.facts import SYSTEM, Actor
from breachwatch.kernel.ids import derive
from breachwatch.kernel.ports import OutboxItem
from breachwatch.kernel.time import Tick, rfc3339
from breachwatch.notices import commands as notices_commands
from breachwatch.notices import decide as notices
from breachwatch.notices.facts import NoticesApproved, NoticeText
from breachwatch.pipeline.case import Case
from breachwatch.pipeline.gates import pass_gates
from breachwatch.pipeline.world import World
from breachwatch.subjects import commands as subjects_commands
from breachwatch.subjects import decide as subjects
from breachwatch.subjects.facts import SubjectsLinked, SubjectsResolved

Spoken = tuple[Actor, Any]
_HEARD_BY_CLOCKS: tuple[Any, ...] = (
    *(IncidentRaised, IncidentConfirmed, IncidentDismissed, IncidentReopened, Tick),
    *get_args(clocks_commands.Command),
)


def react(case: Case, command: Any, world: World, at: datetime) -> tuple[Case, list[Spoken]]:
    """Everything that is said because of one command, oldest first, each with who said it.

    Raises:
        RefusedError: the rules of the case do not allow the command; nothing was said.
    """
    said: list[Spoken] = []
    waiting: deque[tuple[Actor, Any]] = deque([(getattr(command, "by", SYSTEM), command)])
    while waiting:
        speaker, heard = waiting.popleft()
        pass_gates(case, heard)
        for fact in decide(case, heard, world, at):
            case = case.hear(fact)
            said.append((speaker, fact))
            waiting.extend((SYSTEM, follow) for follow in _follow_up(case, fact, world, at))
    return case, said


def decide(case: Case, heard: Any, world: World, at: datetime) -> Sequence[Any]:
    """Ask the one room that this command, or fact of an earlier room, is for."""
    match heard:
        case incidents_commands.TakeAlert(alert=alert):
            return incidents.decide(case.incident, heard, world.playbook(alert.playbook))
        case incidents_commands.RaiseByHand(playbook=name):
            return incidents.decide(case.incident, heard, world.playbook(name))
        case _ if isinstance(heard, get_args(incidents_commands.Command)):
            return incidents.decide(case.incident, heard, world.meaning(case.raised().playbook))
        case _ if isinstance(heard, _HEARD_BY_CLOCKS):
            playbook = world.meaning(case.raised().playbook)
            return clocks.decide(case.clocks, heard, world.regimes_of(playbook), playbook.awareness, at)
        case _ if isinstance(heard, get_args(assessment_commands.Command)):
            return assessment.decide(case.assessment, heard, world.meaning(case.raised().playbook))
        case _ if isinstance(heard, get_args(subjects_commands.Command)):
            return subjects.decide(case.subjects, heard)
        case _ if isinstance(heard, get_args(filings_commands.Command)):
            return filings.decide(case.filing, heard, world.form)
        case _ if isinstance(heard, get_args(notices_commands.Command)):
            return notices.decide(case.notices, heard)
        case _:
            raise TypeError(f"no room hears a {type(heard).__name__}")


def _follow_up(case: Case, fact: Any, world: World, at: datetime) -> list[Any]:
    """What later rooms are asked because of a fact."""
    match fact:
        case IncidentRaised(playbook=name):
            texts = {
                language: NoticeText(template.subject, template.markdown)
                for (playbook, language), template in world.notices.items()
                if playbook == name
            }
            return [
                fact,
                assessment_commands.ProposeSeverity(SYSTEM, at, people=fact.people_estimate),
                notices_commands.DraftNotices(SYSTEM, at, texts),
            ]
        case IncidentConfirmed() | IncidentDismissed() | IncidentReopened():
            return [fact]
        case SubjectsLinked(total=total):
            return [assessment_commands.UpdatePeople(SYSTEM, at, people=total)]
        case SubjectsResolved(reachable=reachable, unknown=unknown, without_address=without):
            return [assessment_commands.UpdatePeople(SYSTEM, at, people=reachable + unknown + without)]
        case AwarenessSet(previous=None) if case.assessment.decision and case.assessment.decision.duty == "record_only":
            return [clocks_commands.StopClocks(SYSTEM, at, "it had been decided that no notification is owed")]
        case RiskDecided(duty="record_only"):
            return [clocks_commands.StopClocks(SYSTEM, at, "it was decided that no notification is owed")]
        case RiskDecided():
            return [clocks_commands.ResumeClocks(SYSTEM, at, "it was decided that the authority is to be told")]
        case FilingSubmitted(submitted_at=submitted_at):
            return [clocks_commands.MeetDuty(SYSTEM, at, submitted_at)]
        case _:
            return []


def effects(case: Case, fact: Any, seq: int, world: World, at: datetime) -> list[OutboxItem]:
    """Mails to the team that a fact causes; notices to people need the vault and are added by the service."""
    match fact:
        case IncidentRaised():
            payload = {"letter": "incident_raised"}
        case DeadlineNear(clock=clock, due_at=due_at, elapsed_hours=hours):
            payload = {"letter": "deadline_near", "clock": clock, "due_at": rfc3339(due_at), "hours": str(hours)}
        case DeadlineMissed(clock=clock, due_at=due_at):
            payload = {"letter": "deadline_missed", "clock": clock, "due_at": rfc3339(due_at)}
        case _:
            return []
    return [
        OutboxItem(
            id=derive("out", "team", case.id, seq, member),
            kind="team_mail",
            incident_id=case.id,
            created_at=at,
            payload={**payload, "to": member},
        )
        for member in world.team
    ]


def notice_items(
    case: Case, fact: NoticesApproved, people: Sequence[tuple[str, str]], world: World, at: datetime
) -> list[OutboxItem]:
    """One notice for each (person, language): in their language where it was approved, else in the default one."""
    fallback = world.organisation.default_language
    spoken = fallback if fallback in fact.texts else sorted(fact.texts)[0]
    approval = len(case.notices.approvals)
    return [
        OutboxItem(
            id=derive("out", "notice", case.id, person),
            kind="notice",
            incident_id=case.id,
            created_at=at,
            person=person,
            language=language if language in fact.texts else spoken,
            payload={"approval": approval},
        )
        for person, language in people
    ]
