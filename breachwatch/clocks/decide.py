"""An incident's clocks, one for each stage of each law: what runs, is near, missed, met or stopped. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import reduce
from typing import Literal

from breachwatch.clocks import commands, facts
from breachwatch.clocks.periods import HOUR, elapsed_hours
from breachwatch.clocks.regimes import AWARENESS, Regime, Stage
from breachwatch.clocks.state import Clock, Clocks, Met, Running, Stopped
from breachwatch.incidents.facts import IncidentConfirmed, IncidentDismissed, IncidentRaised, IncidentReopened
from breachwatch.kernel.asking import require_past, require_role, require_text
from breachwatch.kernel.time import Tick, require_utc

Heard = IncidentRaised | IncidentConfirmed | IncidentDismissed | IncidentReopened | commands.Command | Tick

RAISED = "the incident was raised; until a person says otherwise, this counts as becoming aware"
CONFIRMED = "the incident was confirmed as a personal data breach"
TOLD = "the authority was told, so the controller was aware by then"


def decide(
    state: Clocks, heard: Heard, regimes: Sequence[Regime], awareness: Literal["on_raise", "on_confirm"], at: datetime
) -> list[facts.Said]:
    """Say what follows from one thing heard.

    A period counts from awareness, which a person may correct, earlier or later, with a reason; every awareness ever
    set stays in the file, the last one counts, and the clocks run anew from it. That holds after the duty was met,
    too: it stays met, at the same instant, but whether it was late is judged again, because the authority will judge
    it by the awareness that the file shows in the end. So a correction says `ClockStarted` and `DutyMet` once more.
    A stopped clock stays stopped, with a new `due_at` in case it counts again.

    After a time when nobody told the time, only the latest reminder rings, or, past the end, only that it was missed.
    Reopening takes back the stop of a dismissal but not the decision of a person that nothing is owed. Closing an
    incident stops no clock: what is owed is owed.

    Args:
        state: the clocks, folded from all they said before.
        heard: a fact of the incident, a command, or the time.
        regimes: the laws that the incident's playbook names; those in force at the awareness govern it.
        awareness: whether raising, or only a person's confirmation, counts as becoming aware by itself.
        at: now.

    Returns:
        New facts, oldest first; none on a repeat, so redelivery is harmless.

    Raises:
        RefusedError: an awareness or a submission that is naive or still to come, an awareness without a reason, or
            one that neither an analyst nor a DPO set.

    Units: aware UTC instants; periods as in `clocks.periods`.
    Source: GDPR Art. 33(1): 72 hours after having become aware, later only with reasons, so a missed duty stays open
        until it is met. EDPB Guidelines 9/2022, section II.A: when a controller is aware.
    """
    match heard:
        case IncidentRaised(raised_at=raised_at) if awareness == "on_raise" and not state.awareness:
            return _aware(state, raised_at, RAISED, regimes)
        case IncidentConfirmed() if not state.awareness:
            return _aware(state, at, CONFIRMED, regimes)
        case IncidentDismissed(reason=reason):
            return list(_stopped(state, f"the incident was dismissed: {reason}", "dismissed"))
        case IncidentReopened(reason=reason):
            return list(_resumed(state, f"the incident was reopened: {reason}", {"dismissed"}))
        case commands.SetAwareness():
            return _corrected(state, heard, regimes)
        case commands.StopClocks(reason=reason):
            return list(_stopped(state, reason, "not_owed"))
        case commands.ResumeClocks(reason=reason):
            return list(_resumed(state, reason, {"dismissed", "not_owed"}))
        case commands.MeetDuty():
            return _met(state, heard, regimes)
        case Tick(now=now):
            return [rung for name, clock in state.by_name.items() for rung in _rings(name, clock, now)]
        case _:
            return []


def evolve(state: Clocks, fact: facts.Said) -> Clocks:
    """Fold one fact into the clocks; never raises, never decides."""
    if isinstance(fact, facts.AwarenessSet):
        return replace(state, awareness=(*state.awareness, fact))
    clock = _evolved(state.by_name.get(fact.clock), fact)
    return replace(state, by_name={**state.by_name, fact.clock: clock}) if clock else state


def _evolved(clock: Clock | None, fact: facts.Said) -> Clock | None:
    match clock, fact:
        case _, facts.ClockStarted(_, label, article, url, from_at, due_at, reminders):
            return Running(label, article, url, from_at, due_at, reminders, wakes_at=min((*reminders, due_at)))
        case Running(), facts.DeadlineNear(elapsed_hours=hours):
            later = [instant for instant in clock.reminders if elapsed_hours(clock.from_at, instant) > hours]
            return replace(clock, wakes_at=min((*later, clock.due_at)))
        case Running(), facts.DeadlineMissed():
            return replace(clock, wakes_at=None, missed=True)
        case Running() | Met(), facts.DutyMet(met_at=met_at, late=late):
            return Met(clock.label, clock.due_at, met_at, late, clock.article, clock.url)
        case Stopped(was=was), facts.DutyMet(met_at=met_at, late=late):
            return Met(was.label, was.due_at, met_at, late, was.article, was.url)
        case Running(), facts.ClockStopped(reason=reason, cause=cause):
            return Stopped(clock, reason, cause)
        case Stopped(was=was), facts.ClockStopped(reason=reason, cause=cause):
            return Stopped(was, reason, cause)
        case Stopped(was=was), facts.ClockResumed():
            return was
        case _:
            return clock


# ---------------------------------------------------------------------- awareness


def _aware(state: Clocks, aware_at: datetime, reason: str, regimes: Sequence[Regime]) -> list[facts.Said]:
    """Awareness is set or corrected: every stage that counts from it runs (anew), and stays what it was."""
    aware_at = require_utc(aware_at)
    said: list[facts.Said] = [facts.AwarenessSet(aware_at, reason, previous=state.aware_at)]
    for regime in regimes:
        for stage in regime.stages:
            said += _restarted(state, regime, stage, aware_at)
    return said


def _restarted(state: Clocks, regime: Regime, stage: Stage, aware_at: datetime) -> Iterator[facts.Said]:
    name = regime.clock_of(stage)
    clock = state.by_name.get(name)
    match clock:
        case Running() | Stopped(cause="dismissed" | "not_owed") if not regime.in_force(aware_at):
            yield facts.ClockStopped(name, f"{regime.title} did not apply at that time", "not_in_force")
        case Stopped(was=was, cause="not_in_force") if regime.in_force(aware_at) and stage.starts_with != AWARENESS:
            yield facts.ClockResumed(name, was.due_at, f"{regime.title} did apply at that time")
    if stage.starts_with != AWARENESS or not regime.in_force(aware_at):
        return
    started = _started(regime, stage, aware_at)
    yield started
    match clock:
        case Met(met_at=met_at):
            yield facts.DutyMet(name, met_at, late=met_at > started.due_at)
        case Stopped(reason=reason, cause=("dismissed" | "not_owed") as cause):
            yield facts.ClockStopped(name, reason, cause)


def _started(regime: Regime, stage: Stage, from_at: datetime) -> facts.ClockStarted:
    return facts.ClockStarted(
        clock=regime.clock_of(stage),
        label=stage.label,
        article=stage.article,
        url=stage.url,
        from_at=from_at,
        due_at=stage.period.after(from_at),
        reminders=tuple(from_at + hours * HOUR for hours in stage.reminders_hours),
    )


def _corrected(state: Clocks, command: commands.SetAwareness, regimes: Sequence[Regime]) -> list[facts.Said]:
    require_role(command.by, "say when the controller became aware", "analyst", "dpo")
    reason = require_text(command.reason, "say why this is when the controller became aware; both instants are kept")
    aware_at = require_past(command.aware_at, command.at, "the time of awareness")
    if not state.awareness or aware_at != state.aware_at:
        return _aware(state, aware_at, reason, regimes)
    if reason == state.awareness[-1].reason:
        return []
    return [facts.AwarenessSet(aware_at, reason, previous=aware_at)]


# ---------------------------------------------------------------------- what stops, goes on, is met, rings


def _stopped(state: Clocks, reason: str, cause: facts.Cause) -> Iterator[facts.Said]:
    for name, clock in state.by_name.items():
        match clock:
            case Running():
                yield facts.ClockStopped(name, reason, cause)
            case Stopped(cause="dismissed") if cause == "not_owed":  # a decision outlives the dismissal
                yield facts.ClockStopped(name, reason, cause)


def _resumed(state: Clocks, reason: str, causes: set[facts.Cause]) -> Iterator[facts.Said]:
    for name, clock in state.by_name.items():
        if isinstance(clock, Stopped) and clock.cause in causes:
            yield facts.ClockResumed(name, clock.was.due_at, reason)


def _met(state: Clocks, command: commands.MeetDuty, regimes: Sequence[Regime]) -> list[facts.Said]:
    """One submission meets, in each law that it serves, the first stage still owed; and starts what counts from it."""
    met_at = require_past(command.met_at, command.at, "the time of submission")
    said = [] if state.awareness else _aware(state, met_at, TOLD, regimes)
    after = _folded(state, said)
    for regime in regimes:
        if regime.met_by == command.deed:
            said += _met_by(after, regime, met_at)
    return said


def _met_by(state: Clocks, regime: Regime, met_at: datetime) -> Iterator[facts.Said]:
    clocks = [(stage, state.by_name.get(regime.clock_of(stage))) for stage in regime.stages]
    if any(isinstance(clock, Met) and clock.met_at == met_at for _, clock in clocks):
        return
    for stage, clock in clocks:
        match clock:
            case Running(due_at=due_at) | Stopped(was=Running(due_at=due_at), cause="dismissed" | "not_owed"):
                yield facts.DutyMet(regime.clock_of(stage), met_at, late=met_at > due_at)
                yield from (_started(regime, next_one, met_at) for next_one, _ in clocks if _follows(next_one, stage))
                return


def _follows(later: Stage, stage: Stage) -> bool:
    return later.starts_with == stage.name


def _rings(name: str, clock: Clock, now: datetime) -> Iterator[facts.Said]:
    match clock:
        case Running(due_at=due_at, wakes_at=datetime() as wakes_at) if now >= max(wakes_at, due_at):
            yield facts.DeadlineMissed(name, due_at)
        case Running(from_at=from_at, due_at=due_at, wakes_at=datetime() as wakes_at) if now >= wakes_at:
            passed = max(instant for instant in clock.reminders if instant <= now)
            yield facts.DeadlineNear(name, due_at, elapsed_hours(from_at, passed))


def _folded(state: Clocks, said: Iterable[facts.Said]) -> Clocks:
    return reduce(evolve, said, state)
