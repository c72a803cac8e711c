"""A case: what its facts say, folded room by room, and the row that lists show of it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, get_args

from breachwatch.assessment import decide as assessment_decide
from breachwatch.assessment import facts as assessment_facts
from breachwatch.assessment.state import Assessment
from breachwatch.clocks import decide as clocks_decide
from breachwatch.clocks import facts as clocks_facts
from breachwatch.clocks.state import Clocks, Running
from breachwatch.filings import decide as filings_decide
from breachwatch.filings import facts as filings_facts
from breachwatch.filings.state import Filing
from breachwatch.incidents import decide as incidents_decide
from breachwatch.incidents import facts as incidents_facts
from breachwatch.incidents.state import Incident, NotRaised
from breachwatch.kernel.errors import NotFoundError
from breachwatch.kernel.facts import Codec, Recorded
from breachwatch.kernel.ids import IncidentId
from breachwatch.kernel.ports import CaseSummary, Derived
from breachwatch.notices import decide as notices_decide
from breachwatch.notices import facts as notices_facts
from breachwatch.notices.state import Notices
from breachwatch.subjects import decide as subjects_decide
from breachwatch.subjects import facts as subjects_facts
from breachwatch.subjects.state import Subjects


@dataclass(frozen=True, slots=True)
class Case:
    """One incident with all its rooms; `seq` is the number of its last fact."""

    id: IncidentId
    seq: int = 0
    incident: NotRaised | Incident = field(default_factory=NotRaised)
    clocks: Clocks = field(default_factory=Clocks)
    assessment: Assessment = field(default_factory=Assessment)
    subjects: Subjects = field(default_factory=Subjects)
    filing: Filing = field(default_factory=Filing)
    notices: Notices = field(default_factory=Notices)

    def raised(self) -> Incident:
        """The incident, once there is one.

        Raises:
            NotFoundError: nothing was raised under this id.
        """
        if isinstance(self.incident, NotRaised):
            raise NotFoundError(f"no incident {self.id}")
        return self.incident

    def hear(self, fact: object) -> "Case":
        """Fold one fact into the room it belongs to."""
        room, evolve = _ROOM_OF[type(fact)]
        changed: dict[str, Any] = {room: evolve(getattr(self, room), fact)}
        return replace(self, seq=self.seq + 1, **changed)


_Evolve = Callable[[Any, Any], Any]
_ROOMS: tuple[tuple[str, Any, _Evolve], ...] = (
    ("incident", incidents_facts.Said, incidents_decide.evolve),
    ("clocks", clocks_facts.Said, clocks_decide.evolve),
    ("assessment", assessment_facts.Said, assessment_decide.evolve),
    ("subjects", subjects_facts.Said, subjects_decide.evolve),
    ("filing", filings_facts.Said, filings_decide.evolve),
    ("notices", notices_facts.Said, notices_decide.evolve),
)
_ROOM_OF: dict[type[Any], tuple[str, _Evolve]] = {
    kind: (room, evolve) for room, said, evolve in _ROOMS for kind in get_args(said)
}


def codec() -> Codec:
    """Reads every fact that any room can say."""
    return Codec(_ROOM_OF)


def fold(incident_id: IncidentId, facts: Iterable[Recorded]) -> Case:
    """The case as its file tells it."""
    case = Case(incident_id)
    for fact in facts:
        case = case.hear(fact.body)
    return case


def summarise(case: Case) -> CaseSummary:
    """The one row that lists and searches use."""
    incident, clocks, subjects = case.raised(), case.clocks, case.subjects
    proposal, decision = case.assessment.proposal, case.assessment.decision
    over = incident.status in ("dismissed", "closed")
    return CaseSummary(
        incident_id=case.id,
        seq=case.seq,
        playbook=incident.playbook,
        title=incident.title,
        status=incident.status,
        key=dict(incident.key),
        raised_at=incident.raised_at,
        last_event_at=incident.last_seen_at,
        aware_at=clocks.aware_at,
        due_at=clocks.due_at,
        wakes_at=clocks.wakes_at,
        missed=any(isinstance(clock, Running) and clock.missed for clock in clocks.by_name.values()),
        level=proposal.level if proposal else "",
        score=proposal.score if proposal else None,
        duty=decision.duty if decision else proposal.duty if proposal else "",
        decided=decision is not None,
        alerts=len(incident.alerts),
        people_total=subjects.total,
        people_reachable=subjects.resolved.reachable if subjects.resolved else None,
        people_stale=subjects.stale and not over,
        filing=_filing_state(case.filing),
        notices=_notices_state(case.notices),
        notified_at=case.filing.submissions[0].submitted_at if case.filing.submissions else None,
    )


def derived(incident_id: IncidentId, facts: Iterable[Recorded]) -> Derived:
    """What must lie beside a case file.

    Raises:
        NotFoundError: its facts raise no incident.
    """
    case = fold(incident_id, facts)
    audiences = [approval.audience for approval in case.notices.approvals]
    return Derived(summarise(case), case.subjects.total, case.subjects.digest, audiences)


def _filing_state(filing: Filing) -> str:
    if filing.awaiting_submission:
        return "approved"
    return "submitted" if filing.submissions else "draft"


def _notices_state(notices: Notices) -> str:
    if not notices.approvals:
        return "drafted" if notices.texts else "none"
    return "done" if _done(notices.dispatches, notices) else "approved"


def _done(dispatches: Sequence[notices_facts.NoticesDispatched], notices: Notices) -> bool:
    approved = sum(approval.audience for approval in notices.approvals)
    return bool(dispatches) and dispatches[-1].sent + dispatches[-1].refused >= approved
