"""The mail server is down, slow, refuses one person or all: every story ends with everybody told, and told once."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from house.service import wait_until
from house.shop import short_day
from house.stage import STARTS_AT, TEAM_MAIL, Stage

from breachwatch.couriers.courier import LONGEST_PAUSE

KEY = "key-mailing"


@pytest.fixture
def stage(make_stage: Callable[..., Stage]) -> Iterator[Stage]:
    """A breach is known, decided on, and its notices wait for their approval."""
    stage = make_stage(smtp_seconds=1.0)
    stage.live()
    stage.logs.write(short_day(STARTS_AT).later)
    stage.settle()
    case = f"/incidents/{stage.incident(KEY)}"
    desk = stage.sign_in()
    stage.fill_in(desk, case, "confirm-form", note="these are ours")
    stage.decide_people(desk, stage.incident(KEY))
    yield stage
    stage.service.stop()


@pytest.fixture
def people() -> list[str]:
    return sorted(short_day(STARTS_AT).suffered[KEY])


def approve(stage: Stage) -> None:
    stage.approve_notices(stage.sign_in(), stage.incident(KEY))


def shown(stage: Stage) -> tuple[str, list[str]]:
    """What the desk says of the mails, and of trouble."""
    desk = stage.sign_in()
    page = stage.look(desk, f"/incidents/{stage.incident(KEY)}/notices")
    return page.text, stage.status(desk)["troubles"]


def states(stage: Stage) -> dict[str, int]:
    return {state: n for (kind, state), n in stage.store.outbox.counts().items() if kind == "notice" and n}


def attempts(stage: Stage) -> int:
    rows = stage.store.ledger.notices(stage.incident(KEY), limit=1000)  # type: ignore[arg-type]
    return sum(row.attempts for row in rows)


def settled(stage: Stage) -> bool:
    return "sending" not in states(stage)


def carry_on(stage: Stage) -> None:
    """Let the longest rest pass, then time to whenever the next try is due, until all is carried."""
    stage.clock.advance(LONGEST_PAUSE)

    def carried() -> bool:
        due = stage.store.outbox.next_due(("notice", "team_mail"))
        if due is not None and due < stage.clock.now() + timedelta(hours=2):
            stage.clock.to(due + timedelta(seconds=1))
        return stage.carried()

    wait_until(carried, "all mails to be carried")


def told_once(stage: Stage, people: list[str]) -> None:
    """Everybody of these, one mail each, each under an id of its own."""
    told = stage.told()
    assert Counter(to for to, _ in told) == Counter(people)
    assert set(told.values()) == {1}
    assert len({message_id for _, message_id in told}) == len(people)


def trouble_is_shown(stage: Stage, *words: str) -> str:
    """The status names the mail as what is wrong; gives back the notices page, which says why."""

    def look() -> str:
        page, troubles = shown(stage)
        named = any(one.startswith("mail: the relay takes no mail") for one in troubles)
        return page if named and all(word in page for word in words) else ""

    return wait_until(look, f"the desk to show {words}")


def test_a_server_that_is_down_is_tried_ever_more_seldom_and_nobody_is_lost(stage: Stage, people: list[str]) -> None:
    stage.relay.down()
    approve(stage)
    trouble_is_shown(stage, "0 of 120 taken", "120 to go")
    wait_until(lambda: settled(stage), "the first try to fail")
    for _ in range(12):
        before = attempts(stage)
        stage.clock.advance(LONGEST_PAUSE)
        wait_until(lambda before=before: attempts(stage) > before and settled(stage), "another try")  # type: ignore[misc]
        assert attempts(stage) == before + 1, "one try an hour finds out that it is still down"
    assert states(stage).keys() <= {"pending", "retry", "sending"}
    stage.relay.up()
    carry_on(stage)
    told_once(stage, people)
    assert "120 of 120 taken" in shown(stage)[0]
    assert shown(stage)[1] == []


def test_a_server_that_takes_its_time_delays_the_mails_and_nothing_else(
    make_stage: Callable[..., Stage], people: list[str]
) -> None:
    stage = make_stage(smtp_seconds=60.0)
    stage.live()
    stage.logs.write(short_day(STARTS_AT).later)
    stage.settle()
    stage.fill_in(stage.sign_in(), f"/incidents/{stage.incident(KEY)}", "confirm-form", note="ours")
    stage.decide_people(stage.sign_in(), stage.incident(KEY))
    stage.relay.answering.clear()
    approve(stage)
    wait_until(lambda: len(stage.relay.asked) == 2, "the team's mail and the first notice")
    stage.logs.write(short_day(STARTS_AT).attack)
    wait_until(stage.watched, "another breach to be found meanwhile")
    assert len(stage.relay.asked) == 2, "one mail at a time"
    assert len(stage.store.ledger.summaries()) == 3
    stage.relay.answering.set()
    carry_on(stage)
    told_once(stage, people)
    stage.service.stop()


def test_a_server_that_never_answers_is_given_up_on_and_asked_again(stage: Stage, people: list[str]) -> None:
    """What it did not answer for, it did not take (RFC 5321, section 4.2.5): here, as it should be."""
    stage.relay.answering.clear()
    approve(stage)
    trouble_is_shown(stage, "the mail may have got through, the answer did not")
    assert stage.told() == Counter()
    stage.relay.answering.set()
    carry_on(stage)
    told_once(stage, people)


def test_one_person_refused_and_one_deferred_keep_nobody_from_being_told(stage: Stage, people: list[str]) -> None:
    gone, slow = people[3], people[70]
    tries: Counter[str] = Counter()

    def answer(address: str) -> str:
        tries[address] += 1
        if address == gone:
            return f"550 5.1.1 <{gone}> no such user"
        return "451 4.7.1 greylisted" if address == slow and tries[slow] < 3 else "250 OK"

    def later(address: str) -> str:
        return answer(address).replace("451 4.7.1", "451 4.2.0")

    stage.relay.to_rcpt = later
    approve(stage)
    wait_until(lambda: states(stage).get("sent", 0) == len(people) - 2, "all others to be told")
    page = shown(stage)[0]
    assert "118 of 120 taken" in page
    assert "550 5.1.1 (address) no such user" in page
    assert "451 4.2.0 greylisted" in page
    carry_on(stage)
    told_once(stage, [one for one in people if one != gone])
    assert tries[slow] == 3
    assert tries[gone] > 1, "it is not believed at once"
    assert "1 refused" in shown(stage)[0]
    assert "none: reach this person another way" in shown(stage)[0]
    done = stage.store.ledger.facts(stage.incident(KEY))[-1]  # type: ignore[arg-type]
    assert (done.type, done.body.sent, done.body.refused) == ("NoticesDispatched", 119, 1)


@pytest.mark.parametrize(
    "answer",
    ["554 5.7.1 relay access denied", "550 relaying denied", "550 5.1.1 mailbox unavailable", "450 4.3.0 come back"],
)
def test_a_server_that_refuses_everybody_loses_nobody(stage: Stage, people: list[str], answer: str) -> None:
    team_first: Any = lambda address: "250 OK" if address == TEAM_MAIL else answer  # noqa: E731
    stage.relay.to_rcpt = team_first
    approve(stage)
    wait_until(lambda: states(stage).get("retry", 0) >= 1 and answer in shown(stage)[0], "the answer to be shown")
    for _ in range(3):
        asked = len(stage.relay.asked)
        stage.clock.advance(timedelta(minutes=5))
        wait_until(lambda asked=asked: len(stage.relay.asked) > asked, "another try")  # type: ignore[misc]
    stage.relay.to_rcpt = lambda address: "250 OK"
    assert states(stage).get("refused", 0) == 0
    carry_on(stage)
    told_once(stage, people)
