"""The disk is full, or a database is locked: ingest refuses or waits and says so, and loses nothing it acknowledged.

The disk is full as the operating system says it: no file of the running service may grow any more (RLIMIT_FSIZE, set
from outside while it runs). The lock is one that another program holds.
"""

import json
import resource
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import psycopg
import pytest
from house.service import wait_until
from house.shop import short_day
from house.stage import STARTS_AT, Stage

DAY = short_day(STARTS_AT)
BATCHES = [DAY.morning[first : first + 20] for first in range(0, 400, 20)]
KEY = "key-mailing"


class Sender:
    """A shop's program that posts its records, and posts again under the same key whatever was refused."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._token = (stage.settings.state_dir / "ingest.token").read_text().strip()

    def post(self, number: int, lines: Any, source: str = "app-audit") -> tuple[int, dict[str, str], str]:
        """(status, headers, text) for one batch."""
        request = Request(  # noqa: S310 - the desk's own address
            f"{self._stage.service.desk}/ingest/{source}",
            "\n".join(line.text for line in lines).encode(),
            {
                "Authorization": f"Bearer {self._token}",
                "Content-Type": "application/x-ndjson",
                "Idempotency-Key": f"batch-{number}",
            },
        )
        try:
            with urlopen(request, timeout=30) as answer:  # noqa: S310 - the desk's own address
                text = answer.read().decode()
                self._stage.posted += json.loads(text)["accepted"]
                return answer.status, dict(answer.headers), text
        except HTTPError as error:
            return error.code, dict(error.headers), error.read().decode()

    def post_until_taken(self, number: int, lines: Any) -> None:
        wait_until(lambda: self.post(number, lines)[0] == 202, "a batch to be taken")


@pytest.fixture
def stage(make_stage: Callable[..., Stage]) -> Stage:
    stage = make_stage()
    stage.live()
    wait_until(lambda: stage.store.ledger.summaries() == [], "the ledger")
    return stage


@contextmanager
def full_disk(stage: Stage) -> Iterator[None]:
    """No file grows beyond 16 KiB: whatever the service writes there fails, as on a full disk."""
    _, hard = resource.prlimit(stage.service.pid, resource.RLIMIT_FSIZE, (16 << 10, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        if stage.service.pid:
            resource.prlimit(stage.service.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, hard))


@contextmanager
def locked_file(path: Any) -> Iterator[None]:
    """Another program writes in this SQLite file and takes its time."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as other:
        other.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            other.execute("ROLLBACK")


@contextmanager
def locked_tables(url: str) -> Iterator[None]:
    """Another program locks the tables of the ledger in PostgreSQL."""
    with psycopg.connect(url.replace("postgresql+psycopg", "postgresql")) as other:
        other.execute("LOCK TABLE facts, alerts, outbox IN EXCLUSIVE MODE")
        yield
        other.rollback()


def refused(answer: tuple[int, dict[str, str], str]) -> bool:
    status, headers, text = answer
    assert status in (202, 503), f"{status}: {text}"
    return status == 503 and int(headers["retry-after"]) > 0 and "0 of 20 records were taken" in text


def test_with_the_disk_full_ingest_says_so_and_takes_the_same_batch_later(stage: Stage) -> None:
    sender = Sender(stage)
    sender.post_until_taken(0, BATCHES[0])
    with full_disk(stage):
        stage.logs.write(DAY.later)
        answers = [sender.post(number, lines) for number, lines in enumerate(BATCHES[1:], 1)]
        assert any(map(refused, answers)), "sooner or later the disk is full"
        desk_says = wait_until(lambda: urlopen(f"{stage.service.desk}/healthz").status == 200, "the desk")  # noqa: S310
        assert desk_says
    for number, answer in enumerate(answers, 1):
        if answer[0] != 202:
            sender.post_until_taken(number, BATCHES[number])
    assert stage.posted == 400
    wait_until(lambda: stage.read() == 400 + len(DAY.later), "posted batches and the lines that waited in their file")
    wait_until(stage.store.ledger.summaries, "the incident, delivered once the ledger takes it again")
    assert stage.store.ledger.summary(stage.incident(KEY)).alerts == 1  # type: ignore[union-attr, arg-type]


def test_what_was_acknowledged_before_a_full_disk_and_a_kill_is_there_after_them(stage: Stage) -> None:
    sender = Sender(stage)
    with full_disk(stage):
        answers = [sender.post(number, lines) for number, lines in enumerate(BATCHES)]
        assert any(map(refused, answers))
        stage.service.kill()
    stage.live()
    wait_until(lambda: stage.read() == stage.posted, "what was acknowledged")
    for number, answer in enumerate(answers):
        if answer[0] != 202:
            sender.post_until_taken(number, BATCHES[number])
    wait_until(lambda: stage.read() == 400, "everything")
    stage.service.stop()


def test_with_the_spool_locked_ingest_refuses_the_file_waits_and_the_desk_says_so(stage: Stage) -> None:
    sender = Sender(stage)
    desk = stage.sign_in()
    with locked_file(stage.settings.state_dir / "spool.sqlite"):
        stage.logs.write(DAY.later)
        assert refused(sender.post(0, BATCHES[0]))
        wait_until(lambda: any("locked" in one for one in stage.status(desk)["troubles"]), "the desk to say so")
    sender.post_until_taken(0, BATCHES[0])
    wait_until(lambda: stage.read() == 20 + len(DAY.later), "all of it, once")
    stage.settle()
    wait_until(lambda: stage.status(desk)["troubles"] == [], "the trouble to be over")
    assert stage.store.ledger.summary(stage.incident(KEY)).people_reachable == 120  # type: ignore[union-attr, arg-type]


def test_a_program_that_looks_into_the_spool_of_a_running_service_takes_nothing_away(stage: Stage) -> None:
    """A backup, or somebody curious: SQLite's locks must tell it that the write-ahead log is in use."""
    sender = Sender(stage)
    for number, lines in enumerate(BATCHES[:4]):
        sender.post_until_taken(number, lines)
        stage.spool("SELECT count(*) FROM chunks")
        with closing(sqlite3.connect(stage.settings.state_dir / "spool.sqlite")) as other:
            other.execute("SELECT count(*) FROM chunks").fetchall()
    stage.service.kill()
    stage.live()
    wait_until(lambda: stage.read() == 80, "everything that was acknowledged")
    stage.service.stop()


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_with_the_ledger_locked_lines_are_taken_and_their_incident_is_raised_afterwards(
    make_stage: Callable[..., Stage], database: str, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("postgresql_url") if database == "postgresql" else ""
    stage = make_stage(url)
    stage.live()
    sender, desk = Sender(stage), stage.sign_in()
    lock = locked_tables(url) if url else locked_file(stage.settings.state_dir / "ledger.sqlite")
    with lock:
        began = stage.clock.now()
        assert sender.post(0, DAY.later)[0] == 202
        wait_until(lambda: stage.read() == len(DAY.later), "the records to be matched all the same")
        wait_until(lambda: any("locked" in one for one in stage.status(desk)["troubles"]), "the desk to say so")
        assert stage.store.ledger.summaries() == []
    stage.settle()
    [incident] = stage.store.ledger.summaries()
    assert (incident.alerts, incident.people_reachable) == (1, 120)
    assert incident.aware_at is not None
    assert incident.aware_at - began < timedelta(minutes=2)
    assert list(stage.store.ledger.verify()) == []
    stage.service.stop()
