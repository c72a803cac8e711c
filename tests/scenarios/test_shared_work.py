"""Three clocks and two couriers share one ledger in PostgreSQL: all is done once, though two of them die of it."""

import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from house.service import wait_until

from breachwatch.clocks.facts import DeadlineNear
from breachwatch.couriers.courier import LEASE
from breachwatch.incidents.commands import RaiseByHand
from breachwatch.kernel.facts import Actor
from breachwatch.kernel.pseudonyms import pseudonymiser
from breachwatch.ledger.keys import open_keys
from breachwatch.wiring import casework
from breachwatch.wiring.detecting import LiveContent
from breachwatch.wiring.inputs import sources_of

RUNNER = Path(__file__).with_name("house") / "run_part.py"
ANALYST = Actor("alex", roles=frozenset({"analyst"}))
CASES = 60


class Parts:
    """The processes of one story."""

    def __init__(self, stage: Any) -> None:
        self.stage = stage
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self, role: str, place: str = "", passing: int = 0) -> "subprocess.Popen[bytes]":
        folder = self.stage.folder
        command = [sys.executable, RUNNER, role, folder / "breachwatch.toml", folder / "clock", place, str(passing)]
        log = (folder / "parts.log").open("ab")
        environment = {"PYTHONPATH": ":".join(path for path in sys.path if path), "PATH": "/usr/bin:/bin"}
        self.running.append(subprocess.Popen(command, stderr=log, stdout=log, env=environment))
        log.close()
        return self.running[-1]

    def died(self, one: "subprocess.Popen[bytes]") -> bool:
        assert one.poll() in (None, -signal.SIGKILL), (self.stage.folder / "parts.log").read_text()[-3000:]
        return one.poll() is not None

    def ready(self) -> int:
        path = self.stage.folder / "ready"
        return path.stat().st_size if path.exists() else 0

    def stop(self) -> list[int]:
        for one in self.running:
            one.send_signal(signal.SIGTERM)
        return [one.wait(30) for one in self.running]


def raise_cases(stage: Any, at: datetime | None = None) -> None:
    """Incidents raised by hand, all at once, so that their clocks ring together."""
    settings = stage.settings
    keys = open_keys(settings.state_dir)
    case = casework.open_casework(settings, LiveContent(settings, sources_of(settings)), keys)
    for number in range(CASES):
        case.flow.raise_by_hand(
            RaiseByHand(ANALYST, at or stage.clock.now(), "lost-device", f"Laptop {number}", "On a train.")
        )
    watches = casework.build_watches(case, pseudonymiser(keys.pseudonym), lambda fact: None)
    assert "people" in watches, "there is a directory to be asked"
    case.store.close()


def near(stage: Any) -> list[int]:
    """How often each case's clock has rung, least first."""
    ledger = stage.store.ledger
    return sorted(sum(isinstance(fact.body, DeadlineNear) for fact in ledger.facts(one)) for one in ledger.incidents())


def mails(stage: Any) -> Counter[tuple[str, str]]:
    return Counter((one.to, one.message_id) for one in stage.relay.taken)


def test_every_clock_rings_once_and_every_mail_goes_once_whoever_dies(
    make_stage: Callable[..., Any], postgresql_url: str
) -> None:
    stage = make_stage(postgresql_url)
    raise_cases(stage)
    parts = Parts(stage)
    try:
        dying_clock = parts.start("clock", "ledger:before-commit", 1)
        dying_courier = parts.start("courier", "courier:after-lease", 4)
        for role in ("clock", "clock", "courier"):
            parts.start(role)
        wait_until(lambda: parts.ready() == 5, "all of them to be at work")
        stage.clock.advance(timedelta(hours=24, minutes=1))
        wait_until(lambda: parts.died(dying_clock) and parts.died(dying_courier), "both to die in the middle of it")
        wait_until(lambda: near(stage) == [1] * CASES, "every case to be reminded of")
        wait_until(lambda: len(mails(stage)) == 2 * CASES - 1, "all mails but the one the dead courier held")
        stage.clock.advance(LEASE + timedelta(seconds=1))
        wait_until(stage.carried, "the one it held, and every fact")
    finally:
        codes = parts.stop()
    assert sorted(codes) == [-signal.SIGKILL, -signal.SIGKILL, 0, 0, 0]
    assert near(stage) == [1] * CASES, "and nobody rang a second time"
    told = mails(stage)
    assert len(told) == 2 * CASES
    assert set(told.values()) == {1}
    facts = (stage.folder / "facts").read_text().split()
    assert sorted(set(facts)) == sorted(
        f"{one}/{fact.seq}" for one in stage.store.ledger.incidents() for fact in stage.store.ledger.facts(one)
    )
    assert list(stage.store.ledger.verify()) == []


def test_a_clock_that_stands_still_in_the_middle_keeps_no_other_case_from_ringing(
    make_stage: Callable[..., Any], postgresql_url: str
) -> None:
    stage = make_stage(postgresql_url)
    raise_cases(stage)
    [held, *_] = stage.store.ledger.incidents()
    parts = Parts(stage)
    try:
        stage.clock.advance(timedelta(hours=24, minutes=1))
        with stage.store.ledger.begin() as frozen:
            assert frozen.claim(held), "as a clock that was stopped while it rang this one"
            parts.start("clock")
            parts.start("clock")
            wait_until(lambda: near(stage) == [0] + [1] * (CASES - 1), "all others to ring")
        wait_until(lambda: near(stage) == [1] * CASES, "and this one as soon as it is let go")
    finally:
        codes = parts.stop()
    assert codes == [0, 0]


def test_the_clocks_of_a_cluster_go_by_the_ledger_and_not_by_their_machines(
    make_stage: Callable[..., Any], postgresql_url: str
) -> None:
    stage = make_stage(postgresql_url)
    raise_cases(stage, datetime.now(UTC))
    stage.clock.to(datetime.now(UTC) + timedelta(days=4))
    parts = Parts(stage)
    try:
        parts.start("clock of a cluster")
        wait_until(lambda: stage.store.outbox.next_due(["fact"]) is None, "its work to be done")
        assert near(stage) == [0] * CASES, "a wrong clock rings nothing before its time"
    finally:
        codes = parts.stop()
    assert codes == [0]
