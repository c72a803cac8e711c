"""What every page of a case shares: carrying out a command against the state that the person saw."""

from collections.abc import Callable
from typing import Any

from breachwatch.console.visits import Visit
from breachwatch.kernel.errors import ConflictError
from breachwatch.kernel.ports import Member
from breachwatch.pipeline import Case

_TRIES = 3


def carry_out(visit: Visit, command: Any, *, strict: bool = False) -> Case:
    """Give a command to the case, unless somebody changed it since this form was made.

    What machines add meanwhile (an alert that grows, a reminder) does not take a form away from a person, unless
    `strict`: then nothing at all may have been added. Approvals carry a digest besides, so that nobody approves what
    they did not see.

    Raises:
        ConflictError: a person (or, if `strict`, anybody) spoke in between.
        RefusedError, NotFoundError, UnavailableError: as `CaseFlow.command`.
    """
    seen = visit.seq()
    for tries_left in reversed(range(_TRIES)):
        expected = seen if strict else _newest(visit, seen)
        try:
            return visit.parts.flow.command(visit.incident_id, command, expected)
        except ConflictError:
            if strict or not tries_left:
                raise
    raise ConflictError("the case keeps changing; try again")


def _newest(visit: Visit, seen: int) -> int:
    facts = visit.parts.ledger.facts(visit.incident_id)
    if any(fact.seq > seen and fact.actor_kind == "person" for fact in facts) or seen > len(facts):
        raise ConflictError("Somebody else added to this case since you opened it.")
    return len(facts)


def colleagues(visit: Visit) -> list[Member]:
    """Who else is on the team and may draft or approve: while there is anybody, whoever wrote last does not approve."""
    team = visit.parts.team.members()
    return [one for one in team if one.active and one.name != visit.member.name and one.roles & {"analyst", "dpo"}]


def form(make: Callable[[Visit], Any], *, done: str, anchor: str, strict: bool = False) -> Callable[[Visit], Any]:
    """A handler for one form of the incident page: make the command, carry it out, show the part it belongs to."""

    def answer(visit: Visit) -> Any:
        carry_out(visit, make(visit), strict=strict)
        return visit.go(f"/incidents/{visit.incident_id}", done=done, anchor=anchor)

    return answer
