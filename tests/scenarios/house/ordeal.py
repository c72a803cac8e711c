"""One long story in which the service is killed a hundred times, each life going on where the one before fell."""

import shutil
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

from breachwatch.couriers.courier import LEASE
from breachwatch.demo.shop import STUFFING_FROM, Line
from house.privacy import Left, answers, files, found_in, names_of, published, tables
from house.service import PATIENCE_SECONDS, wait_until
from house.shop import Day, short_day
from house.stage import STARTS_AT, Stage

READING = ("tail:after-read", "spool:before-append", "spool:after-append")
MATCHING = ("engine:after-read", "engine:after-match", "engine:before-commit", "engine:after-commit")
RAISING = ("engine:before-deliver", "engine:after-deliver", "ledger:before-commit", "ledger:after-commit")
FOLLOWING = ("people:looked-up", "facts:published")
MAILING = (
    "courier:after-lease",
    "courier:before-send",
    "courier:before-data",
    "smtp:before-reply",
    "smtp:after-reply",
    "courier:after-reply",
    "courier:after-record",
)
CLOCKS = ("clock:rung",)
PLACES = (*READING, *MATCHING, *RAISING, *FOLLOWING, *MAILING, *CLOCKS)
BETWEEN_LIVES = LEASE + timedelta(minutes=1)
"""What the restart is late by, so that whatever a dead courier held is free again."""


@dataclass(frozen=True)
class Kill:
    """Where one life ended, and how often it had passed there."""

    life: int
    place: str
    passing: int


@dataclass(frozen=True)
class Told:
    """What detection and ledger know in the end, by ids that do not depend on how often the service died."""

    alerts: dict[str, tuple[Any, ...]]
    incidents: dict[tuple[str, ...], tuple[Any, ...]]
    records: dict[tuple[str, str, str], int]


def told_by(stage: Stage) -> Told:
    """From ledger and spool, beside the service."""
    rows = stage.store.ledger.alerts()
    alerts = {row.alert.id: row.alert for row in rows}
    members: dict[str, list[str]] = {}
    for row in rows:
        members.setdefault(row.incident_id or "", []).append(row.alert.id)
    return Told(
        {
            name: (one.rule, tuple(one.group.items()), one.count, one.first_event_at, one.last_event_at, one.records)
            for name, one in alerts.items()
        },
        {
            (one.playbook, *one.key.values()): (
                sorted(members[one.incident_id]),
                one.people_total,
                one.people_reachable,
            )
            for one in stage.store.ledger.summaries()
        },
        {(source, what, why): n for source, what, why, n in stage.spool("SELECT * FROM tallies") if what != "late"},
    )


def undisturbed(folder: Path) -> Told:
    """The same day in the same folder with nobody killing anything; leaves the folder empty but for the keys."""
    day = short_day(STARTS_AT)
    stage = Stage(folder, day.people)
    try:
        stage.live()
        for line in range(0, len(day.lines), 30):
            stage.logs.write(day.lines[line : line + 30])
            wait_until(stage.watched, "the undisturbed day")
        found = told_by(stage)
        stage.service.stop()
    finally:
        stage.close()
    kept = folder.with_name(folder.name + "-undisturbed")
    folder.rename(kept)
    (folder / "state").mkdir(mode=0o700, parents=True)
    for key in (kept / "state").glob("*.key"):
        shutil.copy2(key, folder / "state" / key.name)
    return found


@dataclass
class Ordeal:
    """The story, chapter by chapter. Where a life ends, and at which passing, follows from the seed."""

    stage: Stage
    day: Day
    draw: Random
    kills: list[Kill] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    leaks: list[str] = field(default_factory=list)
    _waiting: list[Line] = field(default_factory=list)

    def run(self) -> None:
        """All chapters, then a last life that ends as a service should."""
        self._waiting = list(self.day.morning)
        chapters: tuple[Callable[[], None], ...] = (
            self.morning,
            self.stuffing,
            self.export,
            self.approvals,
            self.dispatch,
            self.last_deadlines,
            self.ending,
        )
        for chapter in chapters:
            began = time.monotonic()
            chapter()
            self.seconds[chapter.__name__] = round(time.monotonic() - began, 1)

    # ------------------------------------------------------------------ chapters

    def morning(self) -> None:
        """Ordinary business: lines are read and matched, and nothing comes of it."""
        for place in self._shuffled([*READING, *MATCHING], 2):
            self._die_reading(place, 10, self.draw.randint(1, 2))

    def stuffing(self) -> None:
        """The wave of logins, with every line a new revision of its alerts."""
        self._waiting += self.day.attack
        places = [*READING, *MATCHING, *RAISING, "facts:published"]
        for place in self._shuffled([*places, *places, *RAISING[2:], *READING[:2], *MATCHING[:2], *RAISING], 1):
            life = 60 if self._waiting[0].at < self.day.attack[0].at else 5
            self._die_reading(place, life, self.draw.randint(1, 3))

    def export(self) -> None:
        """The first stolen key: each page brings people whom the directory is asked about."""
        self.stage.live()
        first_page = next(at for at, line in enumerate(self._waiting) if "key-reporting" in line.text)
        self._write(first_page + 5)
        wait_until(self.stage.watched, "the first pages")
        self.stage.service.stop()
        for place in ("people:looked-up", *self._shuffled(["people:looked-up", "facts:published"], 3)):
            self._die_reading(place, 1, 1)
        self.stage.live()
        self._write(len(self._waiting))
        self.stage.settle()
        self.stage.service.stop()

    def approvals(self) -> None:
        """The DPO is at work when the service dies: a step is taken or it is not, and may be asked for again."""
        stuffing, reporting = (self.stage.incident(key) for key in (STUFFING_FROM, "key-reporting"))
        for place, passing, incident in (
            ("ledger:before-commit", 3, stuffing),
            ("ledger:after-commit", 1, stuffing),
            ("ledger:before-commit", 2, reporting),
        ):
            self.stage.live(place, passing)
            with self.stage.at_the_desk() as desk:
                self._handle(desk, incident)
            self._died(place, passing)

    def dispatch(self) -> None:
        """Mails leave one by one; beside them a second key takes people's records, page by page."""
        self._waiting += self.day.later
        self.stage.live()
        for key in (STUFFING_FROM, "key-reporting"):
            self._handle(self.stage.sign_in(), self.stage.incident(key))
        self.stage.service.kill()
        self._died("while mailing", 1)
        self._search(files(self.stage))
        for place in self._shuffled(list(MAILING), 5):
            passing = self.draw.randint(1, 4)
            self.stage.live(place, passing)
            self._write(1)
            self._await_death(place, lambda: None)
            self._died(place, passing)

    def last_deadlines(self) -> None:
        """Days pass. The clocks of what was not filed ring one after the other, late or in time, once each."""
        self.stage.live()
        self._write(len(self._waiting))
        self.stage.settle()
        self._handle(self.stage.sign_in(), self.stage.incident("key-mailing"))
        self.stage.service.stop()
        for _ in range(6):
            wakes_at = self.stage.store.ledger.next_wake()
            assert wakes_at is not None
            self.stage.clock.to(wakes_at + timedelta(seconds=1))
            self.stage.live("clock:rung", 1)
            self._await_death("clock:rung", lambda: None)
            self._died("clock:rung", 1)

    def ending(self) -> None:
        """Everything is carried to its end, the last clock has rung, and the service stops when told."""
        self.stage.live()
        ledger = self.stage.store.ledger
        while wakes_at := ledger.next_wake():
            self.stage.clock.to(wakes_at + timedelta(seconds=1))
            wait_until(lambda due=wakes_at: ledger.next_wake() != due, "a clock to ring")  # type: ignore[misc]
        self.stage.settle()
        self._search(answers(self.stage))
        self.stage.service.stop()
        for left in (files, tables, published):
            self._search(left(self.stage))

    # ------------------------------------------------------------------ how

    def _handle(self, desk: Any, incident: str) -> None:
        """Whatever of confirming, deciding and approving is still to be done."""
        page = self.stage.look(desk, f"/incidents/{incident}")
        if any(form.id == "confirm-form" for form in page.forms):
            self.stage.fill_in(desk, f"/incidents/{incident}", "confirm-form", note="these are ours")
        if not self.stage.store.ledger.summary(incident).decided:  # type: ignore[union-attr, arg-type]
            self.stage.decide_people(desk, incident)
        if self.stage.store.ledger.summary(incident).notices == "drafted":  # type: ignore[union-attr, arg-type]
            self.stage.approve_notices(desk, incident)

    def _die_reading(self, place: str, batch: int, passing: int) -> None:
        self.stage.live(place, passing)

        def feed() -> None:
            if self.stage.watched():
                assert self._waiting, f"the lines ran out before {place}"
                self._write(batch)

        self._await_death(place, feed)
        self._died(place, passing)

    def _await_death(self, place: str, meanwhile: Callable[[], None]) -> None:
        until = time.monotonic() + PATIENCE_SECONDS
        while not self.stage.service.killed_within(0.03):
            assert time.monotonic() < until, f"nothing passed {place}\n{self.stage.service.log.read_text()[-2000:]}"
            meanwhile()

    def _died(self, place: str, passing: int) -> None:
        assert self.stage.service.pid == 0, f"still alive after {place}"
        self.kills.append(Kill(self.stage.service.lives, place, passing))
        self.stage.clock.advance(BETWEEN_LIVES)

    def _write(self, count: int) -> None:
        self.stage.logs.write(self._waiting[:count])
        del self._waiting[:count]

    def _search(self, left: Left) -> None:
        """Look for anybody of the shop in what a run left or answered."""
        self.leaks += found_in(left, names_of(self.day.people))

    def _shuffled(self, places: Sequence[str], times: int) -> list[str]:
        found = list(places) * times
        self.draw.shuffle(found)
        return found

    @property
    def at(self) -> Counter[str]:
        """How often the service was killed at each place."""
        return Counter(kill.place for kill in self.kills)
