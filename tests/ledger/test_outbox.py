"""What must leave is in one courier's hands at a time, and every end is written down once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier
from typing import Any

import pytest

from breachwatch.kernel.ids import IncidentId
from breachwatch.kernel.ports import OutboxItem
from breachwatch.ledger.store import Store

Notice = Callable[[int], OutboxItem]
MINUTE = timedelta(minutes=1)
HOME = IncidentId("in-1")


@pytest.fixture
def lease(store: Store, clock: Callable[[], datetime]) -> Callable[..., Any]:
    """Lease one notice for a minute from now."""
    return lambda owner="ann": store.outbox.lease(["notice"], owner, clock(), clock() + MINUTE)


def enqueue(store: Store, *items: OutboxItem) -> None:
    with store.ledger.begin() as tx:
        tx.enqueue(items)


def test_an_item_waits_with_all_it_came_with(store: Store, notice: Notice, lease: Any, clock: Any) -> None:
    enqueue(store, notice(1))
    assert store.outbox.next_due(["notice"]) == clock()
    assert store.outbox.next_due(["team_mail", "fact"]) is None

    row = lease()
    assert row.item == notice(1)
    assert (row.state, row.attempts, row.message_id, row.reply, row.done_at) == ("sending", 1, "", "", None)
    assert row.next_attempt_at == clock() + MINUTE
    assert lease("bob") is None
    assert store.outbox.next_due(["notice"]) == clock() + MINUTE


def test_only_kinds_asked_for_and_only_what_is_due(store: Store, notice: Notice, clock: Any) -> None:
    early = clock() - MINUTE
    enqueue(
        store, notice(1), OutboxItem("out-team", "team_mail", HOME, early), OutboxItem("out-f", "fact", HOME, early)
    )

    assert store.outbox.lease(["notice", "team_mail"], "ann", early - MINUTE, clock()) is None
    taken = [store.outbox.lease(["notice", "team_mail"], "ann", clock(), clock() + MINUTE) for _ in range(3)]
    assert [row and row.item.id for row in taken] == ["out-team", "out-1", None]


def test_two_couriers_never_hold_one_item(store: Store, notice: Notice, lease: Any) -> None:
    enqueue(store, *map(notice, range(60)))
    start = Barrier(3)

    def carry(owner: str) -> list[str]:
        start.wait()
        taken = []
        while row := lease(owner):
            taken.append(row.item.id)
        return taken

    with ThreadPoolExecutor(3) as pool:
        carried = [item for hands in pool.map(carry, ["ann", "bob", "cyd"]) for item in hands]

    assert len(carried) == len(set(carried)) == 60


def test_a_lease_that_ended_is_given_again(store: Store, notice: Notice, lease: Any, clock: Any) -> None:
    enqueue(store, notice(1))
    lease("ann")
    clock.advance(MINUTE)

    row = lease("bob")
    assert (row.item.id, row.state, row.attempts) == ("out-1", "sending", 2)


def test_what_was_accepted_is_never_given_again(store: Store, notice: Notice, lease: Any, clock: Any) -> None:
    enqueue(store, notice(1))
    lease()
    store.outbox.sent("out-1", "ann", clock(), "<1@shop.example>", "250 queued")
    clock.advance(timedelta(days=9))

    assert lease() is None
    assert store.outbox.next_due(["notice"]) is None
    assert store.outbox.counts() == {("notice", "sent"): 1}
    row = store.ledger.notices(HOME)[0]
    assert (row.message_id, row.reply, row.next_attempt_at) == ("<1@shop.example>", "250 queued", None)
    assert row.done_at == clock() - timedelta(days=9)


def test_a_transient_failure_waits_its_time(store: Store, notice: Notice, lease: Any, clock: Any) -> None:
    enqueue(store, notice(1))
    lease()
    store.outbox.retry("out-1", "ann", clock() + 2 * MINUTE, "451 later")

    assert store.outbox.counts() == {("notice", "retry"): 1}
    assert store.outbox.next_due(["notice"]) == clock() + 2 * MINUTE
    clock.advance(MINUTE)
    assert lease() is None
    clock.advance(MINUTE)
    row = lease("bob")
    assert (row.attempts, row.reply) == (2, "451 later")


def test_one_that_is_refused_holds_nobody_else_up(store: Store, notice: Notice, lease: Any, clock: Any) -> None:
    enqueue(store, notice(1), notice(2))
    lease()
    store.outbox.refused("out-1", "ann", clock(), "550 no such user")

    assert lease().item.id == "out-2"
    assert store.outbox.counts() == {("notice", "refused"): 1, ("notice", "sending"): 1}


def test_who_comes_late_may_tell_of_success_only(store: Store, notice: Notice, lease: Any, clock: Any) -> None:
    """Ann was slow, her lease ended, Bob has the item now. Only an acceptance is still true, whoever heard it."""
    enqueue(store, notice(1), notice(2))
    lease("ann")
    lease("ann")
    clock.advance(MINUTE)
    lease("bob")
    lease("bob")

    store.outbox.retry("out-1", "ann", clock() + MINUTE, "451 later")
    store.outbox.refused("out-1", "ann", clock(), "550 no")
    assert store.outbox.counts() == {("notice", "sending"): 2}
    store.outbox.sent("out-1", "ann", clock(), "<1@shop.example>", "250 ok")
    store.outbox.refused("out-1", "bob", clock(), "550 no")
    store.outbox.sent("out-1", "bob", clock() + MINUTE, "<other@shop.example>", "250 again")
    store.outbox.refused("out-2", "bob", clock(), "550 no")
    store.outbox.sent("out-2", "ann", clock(), "<2@shop.example>", "250 ok")

    rows = {row.item.id: row for row in store.ledger.notices(HOME)}
    assert (rows["out-1"].state, rows["out-1"].message_id) == ("sent", "<1@shop.example>")
    assert rows["out-2"].state == "refused"


def test_problems_are_listed_first(store: Store, notice: Notice, lease: Any, clock: Any) -> None:
    enqueue(store, *map(notice, (1, 2, 3, 4, 5)))
    for _ in range(4):
        lease()
    store.outbox.sent("out-1", "ann", clock(), "<1@shop.example>", "250 ok")
    store.outbox.refused("out-2", "ann", clock(), "550 no")
    store.outbox.retry("out-3", "ann", clock() + MINUTE, "451 later")

    listed = [row.state for row in store.ledger.notices(HOME)]
    assert listed == ["refused", "retry", "sending", "pending", "sent"]
    assert len(store.ledger.notices(HOME, limit=2)) == 2
    assert store.ledger.notices(IncidentId("in-2")) == []


@pytest.mark.parametrize(
    ("reply", "kept"),
    [
        ("550 5.1.1 <jeanne@example.org>: no such user", "550 5.1.1 <(address)>: no such user"),
        ("550 jeanne.exemple+x@mail.example.org unknown", "550 (address) unknown"),
        ("450 " + "x" * 900, "450 " + "x" * 496),
        ("554 \0 odd", "554 � odd"),
    ],
)
def test_no_address_of_a_servers_answer_is_kept(
    store: Store, notice: Notice, lease: Any, clock: Any, reply: str, kept: str
) -> None:
    enqueue(store, notice(1))
    lease()
    store.outbox.refused("out-1", "ann", clock(), reply)

    assert store.ledger.notices(HOME)[0].reply == kept
