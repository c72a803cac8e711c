"""An incident as stories: asked on the left, said on the right."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from functools import reduce
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breachwatch.detection.playbooks.playbook import Playbook
from breachwatch.incidents import facts
from breachwatch.incidents.commands import (
    AttachNote,
    CloseIncident,
    ConfirmIncident,
    DismissIncident,
    RaiseByHand,
    ReopenIncident,
    TakeAlert,
    TickItem,
)
from breachwatch.incidents.decide import TRANSITIONS, State, decide, evolve
from breachwatch.incidents.state import Incident, NotRaised, Status
from breachwatch.kernel.errors import OutOfOrderError, RefusedError
from breachwatch.kernel.facts import SYSTEM, Actor
from breachwatch.kernel.ids import AlertId
from breachwatch.kernel.streams import Alert

NOW = datetime(2026, 3, 27, 17, tzinfo=UTC)
ANA = Actor("ana", "person", frozenset({"analyst"}))
DORA = Actor("dora", "person", frozenset({"dpo"}))
ADMIN = Actor("adam", "person", frozenset({"admin"}))


def an_alert(name: str = "al-1", revision: int = 1, *, raises: bool = True, supersedes: tuple[str, ...] = ()) -> Alert:
    return Alert(
        id=AlertId(name),
        revision=revision,
        playbook="mass-export",
        rule="mass-export",
        title="More than 500 records exported",
        level="high",
        group={"actor.user.uid": "key-7", "app_name": "shop"},
        first_event_at=NOW - timedelta(minutes=10),
        last_event_at=NOW - timedelta(minutes=5) + timedelta(seconds=revision),
        count=revision,
        subjects=(),
        subject_count=revision,
        records=revision,
        sources=("app-audit",),
        samples=({"src_endpoint": {"ip": "192.0.2.7"}},),
        raises_incident=raises,
        supersedes=tuple(AlertId(one) for one in supersedes),
    )


def take(name: str = "al-1", revision: int = 1, **more: Any) -> TakeAlert:
    return TakeAlert(SYSTEM, NOW, an_alert(name, revision, **more))


CONFIRM = ConfirmIncident(ANA, NOW)
DISMISS = DismissIncident(ANA, NOW, "a load test of ours")
REOPEN = ReopenIncident(DORA, NOW, "the load test ran elsewhere")
CLOSE = CloseIncident(DORA, NOW, "filed, people told")


def tell(playbook: Playbook, *asked: Any, state: State | None = None) -> tuple[State, list[facts.Said]]:
    """Ask one after the other; returns the incident and all that was said."""
    state, said = state or NotRaised(), []
    for command in asked:
        new = decide(state, command, playbook)
        state, said = reduce(evolve, new, state), said + new
    return state, said


def story(playbook: Playbook, *asked: Any) -> Incident:
    state, _ = tell(playbook, *asked)
    assert isinstance(state, Incident)
    return state


def test_an_alert_raises_an_incident_with_the_key_that_later_ones_merge_by(playbook: Playbook) -> None:
    _, (raised, joined) = tell(playbook, take())
    assert raised == facts.IncidentRaised(
        "mass-export", "Mass export of customer records", {"actor.user.uid": "key-7"}, "al-1", raised_at=NOW
    )
    assert isinstance(joined, facts.AlertJoined)
    assert (joined.alert_id, joined.count, joined.group) == ("al-1", 1, {"actor.user.uid": "key-7", "app_name": "shop"})


def test_an_alert_that_is_no_breach_by_itself_stays_an_alert_until_an_analyst_says_otherwise(
    playbook: Playbook,
) -> None:
    brute_force = an_alert(raises=False)
    assert tell(playbook, TakeAlert(SYSTEM, NOW, brute_force)) == (NotRaised(), [])
    assert story(playbook, TakeAlert(ANA, NOW, brute_force)).status == "open"
    with pytest.raises(RefusedError, match="only an analyst or a DPO may raise an incident"):
        tell(playbook, TakeAlert(ADMIN, NOW, brute_force))


def test_a_redelivered_alert_says_nothing_new(playbook: Playbook) -> None:
    _, said = tell(playbook, take("al-1", 3), take("al-1", 3), take("al-1", 2))
    assert len(said) == 2


def test_a_later_revision_takes_the_place_of_the_earlier(playbook: Playbook) -> None:
    incident = story(playbook, take("al-1", 1), take("al-1", 4))
    assert [alert.count for alert in incident.alerts.values()] == [4]


def test_a_superseded_alert_is_gone_and_stays_gone(playbook: Playbook) -> None:
    incident = story(
        playbook,
        take("al-1"),
        take("al-2", supersedes=("al-1",)),
        take("al-3", supersedes=("al-2",)),
        take("al-1", 9),  # delivered again, late, from a worker that had slept
    )
    assert set(incident.alerts) == {"al-3"}


@pytest.mark.parametrize("ending", [(DISMISS,), (CONFIRM, CLOSE)])
def test_no_machine_reopens_what_a_person_ended_but_the_evidence_is_kept_and_counted(
    playbook: Playbook, ending: tuple[Any, ...]
) -> None:
    ended = story(playbook, take(), *ending)
    after = story(playbook, take(), *ending, take("al-1", 2), take("al-2"))
    assert after.status == ended.status
    assert set(after.alerts) == {"al-1", "al-2"}
    assert (ended.alerts_since_end, after.alerts_since_end) == (0, 2)
    assert story(playbook, take(), *ending, take("al-2"), REOPEN).alerts_since_end == 0


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ((), "open"),
        ((CONFIRM,), "confirmed"),
        ((DISMISS,), "dismissed"),
        ((CONFIRM, DISMISS), "dismissed"),  # the investigation found no breach after all
        ((DISMISS, REOPEN), "open"),
        ((CONFIRM, CLOSE), "closed"),
        ((CONFIRM, CLOSE, REOPEN), "confirmed"),  # it is a breach still
        ((CONFIRM, DISMISS, REOPEN), "open"),  # whether it is one is open again
    ],
)
def test_art_33_5_every_turn_of_an_incident(playbook: Playbook, asked: tuple[Any, ...], status: Status) -> None:
    assert story(playbook, take(), *asked).status == status


@pytest.mark.parametrize(
    ("before", "asked", "sentence"),
    [
        ((), CLOSE, "still open; confirm it as a breach or dismiss it"),
        ((), REOPEN, "only a dismissed or closed one can be reopened"),
        ((DISMISS,), CONFIRM, "was dismissed; reopen it first"),
        ((DISMISS,), CLOSE, "was dismissed already"),
        ((DISMISS,), replace(DISMISS, reason="another reason"), "add what is new as a note"),
        ((CONFIRM,), replace(CONFIRM, note="another note"), "confirmed already; add what is new as a note"),
        ((CONFIRM, CLOSE), CONFIRM, "was closed; reopen it first"),
        ((CONFIRM, CLOSE), DISMISS, "was closed already"),
        ((), replace(DISMISS, reason=" \n"), "say why this is no personal data breach"),
        ((DISMISS,), replace(REOPEN, reason=""), "say why"),
        ((CONFIRM,), replace(CLOSE, reason="\t"), "say why nothing is left to do"),
        ((), AttachNote(ANA, NOW, "  "), "a note needs some words"),
    ],
)
def test_a_refusal_says_what_would_do(playbook: Playbook, before: tuple[Any, ...], asked: Any, sentence: str) -> None:
    with pytest.raises(RefusedError, match=sentence):
        tell(playbook, take(), *before, asked)


@pytest.mark.parametrize("by", [SYSTEM, ADMIN, Actor("visitor")])
@pytest.mark.parametrize(
    "asked", [CONFIRM, DISMISS, REOPEN, CLOSE, AttachNote(ANA, NOW, "hm"), TickItem(ANA, NOW, "revoke-key", done=True)]
)
def test_art_22_only_analysts_and_dpos_judge_an_incident(playbook: Playbook, by: Actor, asked: Any) -> None:
    with pytest.raises(RefusedError, match="only a"):
        tell(playbook, take(), replace(asked, by=by))


def test_art_33_5_only_a_dpo_closes(playbook: Playbook) -> None:
    with pytest.raises(RefusedError, match="only a DPO may close an incident"):
        tell(playbook, take(), CONFIRM, replace(CLOSE, by=ANA))


LAPTOP = RaiseByHand(
    ANA, NOW, "mass-export", " Laptop left on a train ", "blue, encrypted", NOW - timedelta(hours=3), NOW, 12, None
)


def test_a_person_raises_what_no_log_told_of(playbook: Playbook) -> None:
    incident = story(playbook, LAPTOP)
    assert (incident.title, incident.by_hand, incident.people_estimate) == ("Laptop left on a train", True, 12)
    assert incident.records_estimate is None  # unknown stays unknown
    assert (incident.began_at, incident.last_seen_at) == (NOW - timedelta(hours=3), NOW)
    assert tell(playbook, LAPTOP, LAPTOP)[1] == tell(playbook, LAPTOP)[1]


def test_times_given_in_local_time_are_kept_in_utc(playbook: Playbook) -> None:
    paris = datetime(2026, 3, 27, 16, tzinfo=timezone(timedelta(hours=1)))
    incident = story(playbook, replace(LAPTOP, occurred_from=paris))
    assert incident.occurred_from is not None
    assert incident.occurred_from.isoformat() == "2026-03-27T15:00:00+00:00"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"title": "  "}, "give the incident a title"),
        ({"people_estimate": -1}, "below zero"),
        ({"occurred_from": NOW + timedelta(seconds=1)}, "future"),
        ({"occurred_from": datetime(2026, 3, 27, 16)}, "needs a time zone"),  # noqa: DTZ001 - what is refused
        ({"occurred_from": NOW, "occurred_to": NOW - timedelta(hours=1)}, "ended before it began"),
        ({"by": SYSTEM}, "only an analyst or a DPO may raise"),
    ],
)
def test_what_is_raised_by_hand_must_make_sense(playbook: Playbook, change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RefusedError, match=sentence):
        tell(playbook, replace(LAPTOP, **change))


def test_another_incident_cannot_be_raised_over_one(playbook: Playbook) -> None:
    with pytest.raises(RefusedError, match="raised before"):
        tell(playbook, take(), LAPTOP)


@pytest.mark.parametrize("asked", [CONFIRM, DISMISS, AttachNote(ANA, NOW, "hm")])
def test_nothing_can_be_said_of_what_was_never_raised(playbook: Playbook, asked: Any) -> None:
    with pytest.raises(OutOfOrderError):
        tell(playbook, asked)


def test_the_checklist_is_ticked_and_unticked(playbook: Playbook) -> None:
    done = TickItem(ANA, NOW, "revoke-key", done=True, note="at 16:40")
    incident = story(playbook, take(), done, done, replace(done, note=""))
    assert incident.done_items == {"revoke-key": "at 16:40"}
    assert story(playbook, take(), done, replace(done, note="at 16:42")).done_items == {"revoke-key": "at 16:42"}
    assert story(playbook, take(), done, replace(done, done=False)).done_items == {}
    assert tell(playbook, take(), replace(done, done=False))[1] == tell(playbook, take())[1]


def test_an_unknown_checklist_item_is_refused_with_the_nearest_known(playbook: Playbook) -> None:
    with pytest.raises(RefusedError, match='no checklist item "revoke-keys"; did you mean "revoke-key"'):
        tell(playbook, take(), TickItem(ANA, NOW, "revoke-keys", done=True))


def test_notes_are_kept_in_order(playbook: Playbook) -> None:
    first, second = AttachNote(ANA, NOW, "called the owner "), AttachNote(DORA, NOW, "no answer")
    incident = story(playbook, take(), first, first, second, first)
    assert [note.text for note in incident.notes] == ["called the owner", "no answer", "called the owner"]


# ---------------------------------------------------------------------- whatever comes, in whatever order

ALERTS = st.builds(
    lambda name, revision, raises, over: take(
        f"al-{name}", revision, raises=raises, supersedes=tuple(f"al-{one}" for one in over if one < name)
    ),
    st.integers(1, 4),
    st.integers(1, 3),
    st.booleans(),
    st.sets(st.integers(1, 3), max_size=2),
)
ASKED = st.one_of(
    ALERTS,
    st.sampled_from(
        [
            *(CONFIRM, DISMISS, REOPEN, CLOSE, LAPTOP),
            AttachNote(ANA, NOW, "hm"),
            TickItem(ANA, NOW, "revoke-key", done=True),
            TickItem(ANA, NOW, "revoke-key", done=False),
            replace(DISMISS, by=SYSTEM),
            replace(CLOSE, reason=""),
        ]
    ),
)


def attempt(state: State, command: Any, playbook: Playbook) -> list[facts.Said]:
    try:
        return decide(state, command, playbook)
    except RefusedError:
        return []


@given(st.lists(ASKED, max_size=25))
def test_repeating_any_command_adds_nothing(playbook: Playbook, asked: list[Any]) -> None:
    state: State = NotRaised()
    for command in asked:
        state = reduce(evolve, attempt(state, command, playbook), state)
        assert attempt(state, command, playbook) == []


@given(st.lists(ASKED, max_size=25))
def test_a_status_only_ever_moves_along_the_table(playbook: Playbook, asked: list[Any]) -> None:
    state: State = NotRaised()
    for command in asked:
        for fact in attempt(state, command, playbook):
            before, state = state, evolve(state, fact)
            if isinstance(before, Incident) and isinstance(state, Incident) and state.status != before.status:
                assert TRANSITIONS[type(fact)][before.status] == state.status


@given(st.permutations([(name, revision) for name in range(1, 6) for revision in (1, 2)]), st.data())
def test_in_whatever_order_alerts_arrive_the_same_ones_remain(
    playbook: Playbook, order: list[tuple[int, int]], data: st.DataObject
) -> None:
    over = {n: tuple(f"al-{one}" for one in data.draw(st.sets(st.integers(1, n)))) for n in range(1, 6)}
    arrivals = [take(f"al-{name}", revision, supersedes=over[name]) for name, revision in order]
    in_order = sorted(arrivals, key=lambda command: (command.alert.id, command.alert.revision))
    assert story(playbook, take("al-0"), *arrivals).alerts == story(playbook, take("al-0"), *in_order).alerts


def an_alert_fact(name: str, over: list[str]) -> facts.AlertJoined:
    return facts.AlertJoined(name, 1, "r", "t", "low", {}, NOW, NOW, 1, 0, 1, (), (), tuple(over))


FACTS: Any = st.one_of(
    *(st.from_type(kind) for kind in (facts.IncidentConfirmed, facts.IncidentDismissed, facts.IncidentReopened)),
    *(st.from_type(kind) for kind in (facts.IncidentClosed, facts.NoteAttached, facts.ChecklistItemReopened)),
    st.from_type(facts.ChecklistItemDone),
    st.builds(an_alert_fact, st.sampled_from("abc"), st.lists(st.sampled_from("abc"), max_size=3)),
    st.just(facts.IncidentRaised("mass-export", "t", {}, "", NOW)),
)


@given(st.lists(FACTS, max_size=20))
def test_folding_never_fails_whatever_the_file_says(said: list[Any]) -> None:
    state: State = reduce(evolve, said, NotRaised())
    assert isinstance(state, NotRaised | Incident)
