"""Killed at any line, the ledger holds all of a transaction or none, and goes on from there."""

import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from breachwatch.kernel.facts import Recorded
from breachwatch.kernel.ids import IncidentId
from breachwatch.kernel.ports import OutboxItem
from breachwatch.ledger.keys import Keys
from breachwatch.ledger.store import Store

HOME = IncidentId("in-1")
VICTIM = """
import os, signal, sys
from pathlib import Path
from datetime import UTC, datetime, timedelta
from breachwatch.incidents.facts import NoteAttached
from breachwatch.kernel.facts import SYSTEM, Codec
from breachwatch.kernel.ports import OutboxItem
from breachwatch.ledger.keys import open_keys
from breachwatch.ledger.store import open_ledger

url, state, deadly = sys.argv[1], Path(sys.argv[2]), sys.argv[3]

def waypoint(place):
    if place == deadly:
        os.kill(os.getpid(), signal.SIGKILL)

store = open_ledger(url, open_keys(state), Codec([NoteAttached]), waypoint=waypoint)
at = datetime(2026, 3, 27, 18, tzinfo=UTC)
if deadly == "leased":
    store.outbox.lease(["notice"], "victim", at, at + timedelta(minutes=1))
    waypoint("leased")
with store.ledger.begin() as tx:
    tx.facts("in-1")
    tx.append("in-1", SYSTEM, at, [NoteAttached("a"), NoteAttached("b")])
    tx.link_subjects("in-1", ["s-1"])
    waypoint("in-the-middle")
    tx.append("in-1", SYSTEM, at, [NoteAttached("c")])
    tx.enqueue([OutboxItem("out-new", "team_mail", "in-1", at)])
"""


@pytest.fixture
def kill_at(store_url: str, state_dir: Path, keys: Keys) -> Callable[[str], None]:
    """Let another process work on the ledger until it is killed (-9) at a place."""

    def kill(place: str) -> None:
        done = subprocess.run([sys.executable, "-c", VICTIM, store_url, state_dir, place], check=False)
        assert done.returncode == -signal.SIGKILL

    return kill


@pytest.mark.parametrize(
    ("place", "survives"),
    [("in-the-middle", False), ("ledger:before-commit", False), ("ledger:after-commit", True)],
)
def test_a_kill_leaves_all_or_nothing(
    store: Store, write: Callable[..., list[Recorded]], kill_at: Callable[[str], None], place: str, survives: bool
) -> None:
    write(store, HOME, "before")

    kill_at(place)

    said = [fact.body.text for fact in store.ledger.facts(HOME)]
    assert said == (["before", "a", "b", "c"] if survives else ["before"])
    assert store.outbox.counts() == (
        {("fact", "pending"): 4, ("team_mail", "pending"): 1} if survives else {("fact", "pending"): 1}
    )
    assert store.ledger.references(HOME) == ({"s-1"} if survives else set())
    assert list(store.ledger.verify()) == []
    write(store, HOME, "after")  # the lock died with its holder
    assert list(store.ledger.verify()) == []


def test_a_ledger_whose_first_opening_was_killed_opens(
    kill_at: Callable[[str], None], open_store: Callable[..., Store]
) -> None:
    kill_at("ledger:before-commit")

    store = open_store(must_exist=True)
    assert store.sizes() == (0, 0)
    assert list(store.ledger.verify()) == []


def test_a_courier_that_was_killed_leaves_its_item_to_the_next(
    store: Store,
    notice: Callable[[int], OutboxItem],
    kill_at: Callable[[str], None],
    clock: Callable[[], datetime],
) -> None:
    with store.ledger.begin() as tx:
        tx.enqueue([notice(1)])

    kill_at("leased")

    at = clock() + timedelta(hours=1)
    row = store.ledger.notices(HOME)[0]
    assert (row.state, row.attempts) == ("sending", 1)  # durable before anything could be sent
    assert store.outbox.lease(["notice"], "next", at, at + timedelta(minutes=1)) is None
    at += timedelta(minutes=1)
    again = store.outbox.lease(["notice"], "next", at, at + timedelta(minutes=1))
    assert again is not None
    assert (again.item.id, again.attempts) == ("out-1", 2)
