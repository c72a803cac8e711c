"""The clocks as stories: heard on the left, said on the right."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import reduce
from typing import Any, Literal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breachwatch.clocks import facts
from breachwatch.clocks.commands import MeetDuty, ResumeClocks, SetAwareness, StopClocks
from breachwatch.clocks.decide import CONFIRMED, RAISED, TOLD, Heard, decide, evolve
from breachwatch.clocks.periods import Period
from breachwatch.clocks.regimes import Regime, Stage, package_regimes
from breachwatch.clocks.state import Clocks, Met, Running, Stopped
from breachwatch.incidents.facts import IncidentConfirmed, IncidentDismissed, IncidentRaised, IncidentReopened
from breachwatch.kernel.errors import RefusedError
from breachwatch.kernel.facts import SYSTEM, Actor
from breachwatch.kernel.time import Tick

GDPR = package_regimes()["gdpr"]
CLOCK = "gdpr/notification"
AWARE = datetime(2026, 3, 27, 17, tzinfo=UTC)  # Friday evening; summer time starts on Sunday
ANA = Actor("ana", "person", frozenset({"analyst"}))
Mode = Literal["on_raise", "on_confirm"]


def hour(n: float) -> datetime:
    return AWARE + timedelta(hours=n)


def raised(at: datetime = AWARE) -> IncidentRaised:
    return IncidentRaised("mass-export", "Mass export", {}, "al-1", raised_at=at)


def aware(at: datetime, reason: str = "the processor told us", now: datetime | None = None) -> SetAwareness:
    return SetAwareness(ANA, now or hour(100), at, reason)


def told(n: float) -> MeetDuty:
    return MeetDuty(SYSTEM, hour(n), hour(n))


def started(n: float = 0) -> facts.ClockStarted:
    return facts.ClockStarted(
        CLOCK,
        "Notification to the supervisory authority",
        "33(1)",
        "https://eur-lex.europa.eu/eli/reg/2016/679/oj",
        from_at=hour(n),
        due_at=hour(n + 72),
        reminders=tuple(hour(n + elapsed) for elapsed in (24, 48, 66, 71)),
    )


RAISE = raised()
DISMISS, REOPEN = IncidentDismissed("a load test"), IncidentReopened("no load test")
STOP = StopClocks(SYSTEM, hour(5), "it was decided that no notification is owed")
RESUME = ResumeClocks(SYSTEM, hour(6), "it was decided that the authority is to be told")
SET, STARTED = facts.AwarenessSet(AWARE, RAISED), started()
MISSED = facts.DeadlineMissed(CLOCK, hour(72))
DISMISSED = facts.ClockStopped(CLOCK, "the incident was dismissed: a load test", "dismissed")
NOT_OWED = facts.ClockStopped(CLOCK, STOP.reason, "not_owed")
RESUMED = facts.ClockResumed(CLOCK, hour(72), RESUME.reason)
REOPENED = facts.ClockResumed(CLOCK, hour(72), "the incident was reopened: no load test")


def near(elapsed: int) -> facts.DeadlineNear:
    return facts.DeadlineNear(CLOCK, hour(72), elapsed)


def met(n: float, *, late: bool) -> facts.DutyMet:
    return facts.DutyMet(CLOCK, hour(n), late)


def tell(
    *heard: Heard, mode: Mode = "on_raise", regimes: tuple[Regime, ...] = (GDPR,), at: datetime = AWARE
) -> tuple[Clocks, list[facts.Said]]:
    state, said = Clocks(), list[facts.Said]()
    for one in heard:
        new = decide(state, one, regimes, mode, getattr(one, "at", at))
        state, said = reduce(evolve, new, state), said + new
    return state, said


@pytest.mark.parametrize(
    ("heard", "said"),
    [
        ([RAISE, RAISE, Tick(hour(23.9))], []),
        ([RAISE, Tick(hour(24)), Tick(hour(24)), Tick(hour(25))], [near(24)]),
        (
            [RAISE, Tick(hour(24)), Tick(hour(48)), Tick(hour(66)), Tick(hour(71))],
            [near(24), near(48), near(66), near(71)],
        ),
        ([RAISE, Tick(hour(67))], [near(66)]),  # slept through 24 and 48: the latest implies them
        (
            [RAISE, Tick(hour(67)), Tick(hour(50)), Tick(hour(71.5))],
            [near(66), near(71)],
        ),  # the wall clock was set back
        ([RAISE, Tick(hour(80)), Tick(hour(90))], [MISSED]),  # slept through everything
        ([RAISE, Tick(hour(71)), Tick(hour(72))], [near(71), MISSED]),
        ([RAISE, told(72), Tick(hour(73))], [met(72, late=False)]),
        ([RAISE, Tick(hour(72)), told(73), told(73)], [MISSED, met(73, late=True)]),  # missed stays open until met
        ([RAISE, told(30), told(40), Tick(hour(80))], [met(30, late=False)]),  # a complement meets nothing anew
        ([RAISE, DISMISS, DISMISS, Tick(hour(80))], [DISMISSED]),
        ([RAISE, DISMISS, REOPEN, REOPEN, Tick(hour(49))], [DISMISSED, REOPENED, near(48)]),
        ([RAISE, STOP, STOP, Tick(hour(80)), RESUME, Tick(hour(80))], [NOT_OWED, RESUMED, MISSED]),
        ([RAISE, STOP, DISMISS, REOPEN, Tick(hour(80))], [NOT_OWED]),  # reopening takes back no decision
        ([RAISE, DISMISS, STOP, REOPEN], [DISMISSED, NOT_OWED]),
        ([RAISE, DISMISS, RESUME], [DISMISSED, RESUMED]),  # a duty was found: it counts, dismissed or not
        ([RAISE, STOP, told(30)], [NOT_OWED, met(30, late=False)]),  # told all the same
        ([RAISE, told(30), STOP, DISMISS, REOPEN, RESUME], [met(30, late=False)]),
        ([RAISE, MeetDuty(SYSTEM, hour(9), hour(9), deed="another-report")], []),
    ],
)
def test_art_33_1_authority_clock(heard: list[Heard], said: list[facts.Said]) -> None:
    assert tell(*heard)[1] == [SET, STARTED, *said]


def test_a_playbook_may_count_from_confirmation_after_a_short_investigation() -> None:
    assert tell(RAISE, Tick(hour(30)), mode="on_confirm") == (Clocks(), [])
    _, said = tell(RAISE, IncidentConfirmed(), IncidentConfirmed(), mode="on_confirm", at=hour(10))
    assert said == [facts.AwarenessSet(hour(10), CONFIRMED), started(10)]


def test_confirming_later_does_not_move_the_cautious_awareness() -> None:
    assert tell(RAISE, IncidentConfirmed(), at=hour(10))[1] == [SET, STARTED]


def test_an_authority_told_before_anybody_confirmed_shows_that_the_controller_was_aware() -> None:
    _, said = tell(RAISE, told(5), told(5), IncidentConfirmed(), mode="on_confirm", at=hour(6))
    assert said == [facts.AwarenessSet(hour(5), TOLD), started(5), met(5, late=False)]


@pytest.mark.parametrize("shift", [-20, 20])
def test_awareness_may_be_corrected_both_ways_and_both_instants_are_kept(shift: int) -> None:
    state, said = tell(RAISE, Tick(hour(25)), aware(hour(shift)))
    assert said[3:] == [facts.AwarenessSet(hour(shift), "the processor told us", previous=AWARE), started(shift)]
    assert [one.aware_at for one in state.awareness] == [AWARE, hour(shift)]
    assert (state.aware_at, state.due_at, state.wakes_at) == (hour(shift), hour(shift + 72), hour(shift + 24))


def test_an_earlier_awareness_may_show_that_the_deadline_is_gone_already() -> None:
    _, said = tell(RAISE, aware(hour(-80)), Tick(hour(1)))
    assert said[-1] == facts.DeadlineMissed(CLOCK, hour(-8))


def test_a_later_awareness_takes_back_that_it_was_missed() -> None:
    state, _ = tell(RAISE, Tick(hour(73)), aware(hour(20)))
    clock = state.by_name[CLOCK]
    assert isinstance(clock, Running)
    assert not clock.missed


def test_a_met_duty_stays_met_but_whether_it_was_late_follows_the_awareness_in_force() -> None:
    state, said = tell(RAISE, told(30), aware(hour(-50)), Tick(hour(200)))
    assert said[-2:] == [started(-50), met(30, late=True)]
    assert state.by_name[CLOCK] == Met(STARTED.label, hour(22), hour(30), True, STARTED.article, STARTED.url)
    assert tell(RAISE, told(30), aware(hour(-50)), aware(hour(-40)))[1][-1] == met(30, late=False)


@pytest.mark.parametrize(("stop", "stopped"), [(DISMISS, DISMISSED), (STOP, NOT_OWED)])
def test_a_stopped_clock_stays_stopped_through_a_correction(stop: Heard, stopped: facts.Said) -> None:
    state, said = tell(RAISE, stop, aware(hour(-5)))
    assert said[-2:] == [started(-5), stopped]
    assert state.due_at is None
    assert tell(RAISE, stop, aware(hour(-5)), RESUME)[0].due_at == hour(67)


def test_the_same_awareness_for_another_reason_moves_no_clock() -> None:
    _, said = tell(RAISE, Tick(hour(25)), aware(AWARE, "seen on the desk"), aware(AWARE, "seen on the desk"))
    assert said[3:] == [facts.AwarenessSet(AWARE, "seen on the desk", previous=AWARE)]


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (aware(hour(101)), "lies in the future"),
        (aware(AWARE.replace(tzinfo=None)), "needs a time zone"),
        (aware(datetime.min.replace(tzinfo=ZoneInfo("Asia/Tokyo"))), "needs a time zone"),
        (aware(hour(1), "  "), "say why"),
        (replace(aware(hour(1)), by=SYSTEM), "only an analyst or a DPO"),
        (replace(aware(hour(1)), by=Actor("adam", "person", frozenset({"admin"}))), "only an analyst or a DPO"),
        (MeetDuty(SYSTEM, hour(1), hour(2)), "lies in the future"),
        (MeetDuty(SYSTEM, hour(1), AWARE.replace(tzinfo=None)), "needs a time zone"),
    ],
)
def test_what_is_refused_says_why(command: Heard, sentence: str) -> None:
    with pytest.raises(RefusedError, match=sentence):
        tell(RAISE, command)


@pytest.mark.parametrize(
    "local",
    [
        datetime(2026, 3, 28, 18, tzinfo=ZoneInfo("Europe/Paris")),  # an hour is skipped on the way
        datetime(2026, 10, 24, 18, tzinfo=ZoneInfo("Europe/Paris")),  # an hour comes twice on the way
        datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Paris"), fold=1),  # within the second of the two
        datetime(2026, 12, 30, 23, 59, 59, tzinfo=ZoneInfo("Europe/Paris")),  # over new year
        datetime(2028, 2, 27, 12, tzinfo=ZoneInfo("America/New_York")),  # over a leap day
    ],
)
def test_72_hours_are_72_hours_whatever_wall_clocks_do(local: datetime) -> None:
    state, _ = tell(raised(local))
    clock = state.by_name[CLOCK]
    assert isinstance(clock, Running)
    assert clock.due_at - local.astimezone(UTC) == timedelta(hours=72)
    assert [(one - clock.from_at) / timedelta(hours=1) for one in clock.reminders] == [24, 48, 66, 71]
    assert clock.due_at.tzinfo is UTC


# ---------------------------------------------------------------------- other laws, as data

LAW = {"article": "23(4)", "url": "https://eur-lex.europa.eu/eli/dir/2022/2555/oj", "checked_on": date(2026, 11, 24)}
WARNING = Stage("early-warning", "Early warning", period=Period(hours=24), **LAW)
REPORT = Stage("notification", "Incident notification", period=Period(hours=72), **LAW)
FINAL = Stage("final", "Final report", period=Period(months=1), starts_with="notification", **LAW)
NIS2 = Regime("nis2", "NIS2", "essential entities", "nis2-report", (WARNING, REPORT, FINAL))


def report(n: float) -> MeetDuty:
    return MeetDuty(SYSTEM, hour(n), hour(n), deed="nis2-report")


def test_a_stage_may_start_with_the_submission_of_an_earlier_one() -> None:
    state, said = tell(RAISE, report(20), report(20), report(50), regimes=(GDPR, NIS2))
    assert facts.DutyMet("nis2/early-warning", hour(20), late=False) in said
    assert facts.DutyMet("nis2/notification", hour(50), late=False) in said
    final = state.by_name["nis2/final"]
    assert isinstance(final, Running)
    assert (final.from_at, final.due_at) == (hour(50), datetime(2026, 4, 29, 19, tzinfo=UTC))
    assert isinstance(state.by_name[CLOCK], Running)  # another law, another report


def test_each_submission_meets_one_stage_until_none_is_owed() -> None:
    state, said = tell(RAISE, *(report(n) for n in (1, 2, 3, 4)), regimes=(NIS2,))
    assert all(isinstance(clock, Met) for clock in state.by_name.values())
    assert len([fact for fact in said if isinstance(fact, facts.DutyMet)]) == 3


OLD = replace(GDPR, applies_to=AWARE.date() - timedelta(days=1))
NEW = replace(
    GDPR,
    name="gdpr-2026",
    applies_from=AWARE.date(),
    stages=(replace(GDPR.stages[0], period=Period(hours=96), reminders_hours=()),),
)


def test_a_breach_is_judged_by_the_law_in_force_when_the_controller_became_aware() -> None:
    assert set(tell(RAISE, regimes=(OLD, NEW))[0].by_name) == {"gdpr-2026/notification"}
    assert set(tell(raised(hour(-24)), regimes=(OLD, NEW))[0].by_name) == {CLOCK}


def test_a_corrected_awareness_may_change_the_law() -> None:
    state, _ = tell(RAISE, aware(hour(-24)), aware(hour(-25)), regimes=(OLD, NEW))
    old, new = state.by_name[CLOCK], state.by_name["gdpr-2026/notification"]
    assert isinstance(old, Running)
    assert isinstance(new, Stopped)
    assert new.cause == "not_in_force"
    assert state.due_at == hour(47)
    back, _ = tell(RAISE, aware(hour(-24)), aware(hour(1)), RESUME, regimes=(OLD, NEW))
    assert back.due_at == hour(97)
    assert isinstance(back.by_name[CLOCK], Stopped)  # a decision to notify revives no law that does not apply


def test_a_later_stage_comes_and_goes_with_its_law() -> None:
    until = replace(NIS2, applies_from=AWARE.date())
    gone, _ = tell(RAISE, report(1), report(2), aware(hour(-24)), regimes=(until,))
    final = gone.by_name["nis2/final"]
    assert isinstance(final, Stopped)
    back, _ = tell(RAISE, report(1), report(2), aware(hour(-24)), aware(hour(1)), regimes=(until,))
    assert back.by_name["nis2/final"] == final.was


# ---------------------------------------------------------------------- whatever comes, in whatever order

HOURS = st.integers(-100, 200)
HEARD: st.SearchStrategy[Heard] = st.one_of(
    st.sampled_from([RAISE, IncidentConfirmed(), DISMISS, REOPEN, STOP, RESUME]),
    HOURS.map(lambda n: Tick(hour(n))),
    HOURS.map(told),
    HOURS.map(report),
    HOURS.map(lambda n: aware(hour(n), now=hour(200))),
)
MODES = st.sampled_from(["on_raise", "on_confirm"])


@given(st.lists(HEARD, max_size=25), MODES)
def test_repeating_anything_adds_nothing(heard: list[Heard], mode: Mode) -> None:
    state, regimes = Clocks(), (GDPR, NIS2)
    for one in heard:
        at = getattr(one, "at", AWARE)
        state = reduce(evolve, decide(state, one, regimes, mode, at), state)
        assert decide(state, one, regimes, mode, at) == []


@given(st.lists(HOURS, max_size=60))
def test_each_reminder_rings_at_most_once_and_nothing_rings_early(ticks: list[int]) -> None:
    state, _ = tell(RAISE)
    rung: list[facts.Said] = []
    for n in ticks:
        new = decide(state, Tick(hour(n)), (GDPR,), "on_raise", hour(n))
        assert len(new) <= 1
        for fact in new:
            assert n >= (fact.elapsed_hours if isinstance(fact, facts.DeadlineNear) else 72)
        state, rung = reduce(evolve, new, state), rung + new
    names = [fact.elapsed_hours for fact in rung if isinstance(fact, facts.DeadlineNear)]
    assert names == sorted(set(names))
    assert rung.count(MISSED) == (max(ticks, default=0) >= 72)
    assert MISSED not in rung[:-1]


@given(st.lists(HEARD, max_size=25))
def test_a_met_duty_stays_met(heard: list[Heard]) -> None:
    state, _ = tell(RAISE, told(10))
    for one in heard:
        state = reduce(evolve, decide(state, one, (GDPR,), "on_raise", AWARE), state)
        clock = state.by_name[CLOCK]
        assert isinstance(clock, Met)
        assert clock.met_at == hour(10)
        assert clock.late == (clock.met_at > clock.due_at)


@given(st.lists(HEARD, max_size=25))
def test_whoever_is_late_is_woken(heard: list[Heard]) -> None:
    state, _ = tell(RAISE, *heard)
    for clock in state.by_name.values():
        if isinstance(clock, Running):
            assert clock.missed == (clock.wakes_at is None)


@given(st.datetimes(datetime(2018, 6, 1), datetime(2100, 1, 1), timezones=st.timezones()))  # noqa: DTZ001
def test_wherever_and_whenever_it_happens_the_deadline_is_72_hours_of_utc_away(local: datetime) -> None:
    state, _ = tell(raised(local))
    assert state.due_at is not None
    assert state.due_at - local.astimezone(UTC) == timedelta(hours=72)


INSTANTS = st.datetimes(timezones=st.just(UTC))
FACTS: Any = st.one_of(
    st.builds(facts.AwarenessSet, INSTANTS, st.text(), st.none() | INSTANTS),
    st.builds(
        facts.ClockStarted,
        *(st.sampled_from([CLOCK, "other"]), st.just(""), st.just(""), st.just("")),
        *(INSTANTS, INSTANTS, st.lists(INSTANTS, max_size=3).map(tuple)),
    ),
    st.builds(facts.DeadlineNear, st.just(CLOCK), INSTANTS, st.integers()),
    st.builds(facts.DeadlineMissed, st.just(CLOCK), INSTANTS),
    st.builds(facts.DutyMet, st.just(CLOCK), INSTANTS, st.booleans()),
    st.builds(facts.ClockStopped, st.just(CLOCK), st.text()),
    st.builds(facts.ClockResumed, st.just(CLOCK), INSTANTS, st.text()),
)


@given(st.lists(FACTS, max_size=20))
def test_folding_never_fails_whatever_the_file_says(said: list[Any]) -> None:
    assert isinstance(reduce(evolve, said, Clocks()), Clocks)
