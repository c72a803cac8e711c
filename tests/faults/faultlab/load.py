"""What is sent: chunk after chunk, the same in every run, so that what must come of the first N is known beforehand.

Each forty chunks hold two stories, told in bits over all partitions: a key that reads ninety people's records, and an
address that guesses passwords and gets in. Around them customers read what is their own, and some lines are torn.
"""

from datetime import UTC, datetime, timedelta

import orjson

from breachwatch.detection.correlating.correlator import Correlator
from breachwatch.detection.detector import Detector
from breachwatch.detection.playbooks.content import load_content, read_tree
from breachwatch.engines.stages import process
from breachwatch.kernel.pseudonyms import pseudonymiser
from breachwatch.kernel.shipped import shipped
from breachwatch.kernel.streams import Alert, Chunk
from breachwatch.notices.placeholders import PLACEHOLDERS
from breachwatch.sources.registry import load_sources

START = datetime(2026, 3, 27, 13, tzinfo=UTC)
ORIGINS = 12
RECORDS = 40
STORY = 40
"""So many chunks hold one story of each kind."""

TORN_EVERY = 25
LARGE = 2 << 20


def chunk(number: int) -> Chunk:
    """The chunk of that number; a second of event time passes from one to the next."""
    at = START + timedelta(seconds=number)
    guessing = number % 4 == 3
    records = _guesses(number, at) if guessing else _reads(number, at)
    if number % TORN_EVERY == 0:
        records[0] = b'{"torn'
    return Chunk(
        "linux-sshd" if guessing else "app-audit",
        f"http:load-{number % ORIGINS}",
        number // ORIGINS * RECORDS,
        at + timedelta(seconds=2),
        tuple(records),
    )


def _reads(number: int, at: datetime) -> list[bytes]:
    story, customers = number // STORY, RECORDS - 3
    own = [_read(at, f"c-{number}-{n}", "customer", f"c-{number}-{n}") for n in range(customers)]
    return own + [_read(at, f"key-{story}", "api_key", f"p-{number * 3 + n}") for n in range(3)]


def _read(at: datetime, actor: str, kind: str, subject: str) -> bytes:
    return orjson.dumps(
        {
            "time": at.isoformat(),
            "action": "read",
            "outcome": "success",
            "actor": {"id": actor, "type": kind},
            "client": {"ip": "192.0.2.7"},
            "subject": {"id": subject},
            "object": {"type": "order", "id": "7"},
            "app": "shop",
        }
    )


def _guesses(number: int, at: datetime) -> list[bytes]:
    said = "Accepted" if number % STORY == STORY - 1 else "Failed"
    address = f"2001:db8::{number // STORY:x}"
    line = f"{at.isoformat()} gate sshd[77]: {said} password for operator from {address} port 50022 ssh2"
    quiet = f"{at.isoformat()} gate sshd[77]: Server listening on :: port 22."
    return [line.encode(), *[quiet.encode()] * (RECORDS - 1)]


def large(number: int) -> Chunk:
    """A chunk of one record of 2 MiB that is sound, of an origin of its own; it matches nothing."""
    at = START
    record = orjson.dumps({"time": at.isoformat(), "action": "read", "reason": "x" * LARGE})
    return Chunk("app-audit", "http:large", number, at, (record,))


class Reference:
    """What one undisturbed correlator, fed in order, makes of the first N chunks.

    Args:
        pseudonym_key: of the cluster that is compared.
    """

    def __init__(self, pseudonym_key: bytes) -> None:
        sources = load_sources()
        content = load_content(read_tree(shipped("playbooks")), sources, PLACEHOLDERS)
        self._detector = Detector(content, sources, pseudonymiser(pseudonym_key))
        self._correlator = Correlator(content)
        self._told: list[Alert] = []
        self._done = 0

    def of_first(self, count: int) -> list[Alert]:
        """Every revision that it tells of the first so many chunks; asked for more and more of them."""
        for number in range(self._done, count):
            self._told += process(chunk(number), self._detector, self._correlator, live=True).alerts
            self._correlator.drain_changes()
        self._done = count
        return list(self._told)
