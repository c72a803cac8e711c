"""The cluster: topics, database, keys, processes that are started again when they end, and a sender that goes on."""

import asyncio
import contextlib
import itertools
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterator
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from breachwatch.engines.kafka.connection import connection
from breachwatch.engines.kafka.names import Names
from breachwatch.engines.wire import pack_chunk
from breachwatch.kernel.errors import UnavailableError
from breachwatch.kernel.streams import Chunk
from breachwatch.ledger.keys import open_keys
from breachwatch.settings import read_settings
from breachwatch.wiring.stores import open_store
from breachwatch.wiring.topics import apply_topics
from faultlab.load import LARGE, ORIGINS, Reference, chunk
from faultlab.mails import Mails
from faultlab.nursery import Nursery
from faultlab.postgres import OwnPostgres

DEADLINE = 120.0
"""Seconds that are enough on a machine that is busy with other things."""

_PACE = 0.1
_SETTINGS = """
state_dir = "state"
[organisation]
name = "Example Shop"
address = "1 Example Street, Paris"
country = "FR"
timezone = "Europe/Paris"
website = "https://shop.example"
dpo_name = "Camille Example"
dpo_email = "dpo@shop.example"
authority = "CNIL"
authority_url = "https://www.cnil.fr/"
[mail]
sender = "privacy@shop.example"
port = {mail}
security = "none-loopback-only"
[team]
notify = ["dpo@shop.example"]
[ledger]
url = "{ledger}"
[kafka]
brokers = [{brokers}]
security = "none-loopback-only"
prefix = "{prefix}"
replication = {copies}
[kafka.partitions]
records = {partitions}
progress = {partitions}
matches = {partitions}
windows = {partitions}
alerts = 2
"""


class Cluster:
    """Everything of one run. `ends`: exit codes of processes and how often; `sent`: numbers of chunks 0..sent.

    Args:
        folder: empty; for settings, keys and logs.
        broker: has `bootstrap` and `prefix()`.
        postgres: the server of an empty database, the ledger's.
        copies: of each record in Kafka.
        partitions: of records and of matches.
        workers: how many.
        pace: seconds between chunks while a fault is on.
        patience: seconds within which everything that is waited for must have come.
    """

    def __init__(
        self,
        folder: Path,
        broker: Any,
        postgres: OwnPostgres,
        *,
        copies: int = 1,
        partitions: int = 4,
        workers: int = 2,
        pace: float = 0.02,
        patience: float = DEADLINE,
    ) -> None:
        self.folder, self.broker, self.postgres = folder, broker, postgres
        self.ledger = ledger = postgres.database()
        self.partitions, self.pace, self.patience = partitions, pace, patience
        self.names = Names(broker.prefix())
        self.mails = Mails()
        self._nursery: Nursery | None = None
        self._leaving: set[str] = set()
        self.wanted: set[str] = {f"worker-{number}" for number in range(workers)} | {"clock-0", "courier-0"}
        self.ends: Counter[tuple[str, int]] = Counter()
        self.sent = self.large = self.poison = self.again = 0
        self.spoiled = False
        settings = _SETTINGS.format(
            mail=self.mails.port,
            ledger=ledger,
            brokers=", ".join(f'"{each}"' for each in broker.bootstrap.split(",")),
            prefix=self.names.prefix,
            copies=copies,
            partitions=partitions,
        )
        self.settings_file = folder / "breachwatch.toml"
        self.settings_file.write_text(settings)
        self.settings = read_settings(self.settings_file)
        self.keys = open_keys(self.settings.state_dir)
        open_store(self.settings).close()
        self.reference = Reference(self.keys.pseudonym)
        self.connection = connection(self.settings.kafka.brokers, tls=False)
        self._producer: AIOKafkaProducer | None = None

    async def __aenter__(self) -> "Cluster":
        await asyncio.to_thread(apply_topics, self.settings)
        self.tend()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.rest()
        self.close()

    async def rest(self) -> None:
        """Let go of what belongs to the loop; `send` begins anew in another."""
        await self._drop()

    def close(self) -> None:
        """End every process at once."""
        self.wanted.clear()
        if self._nursery:
            self._nursery.close()
            self._nursery = None
        self.mails.close()

    # ------------------------------------------------------------------ processes

    def tend(self) -> None:
        """Start what is wanted and does not run, as a supervisor would; end what is not wanted any more."""
        if self._nursery is None:
            self._nursery = Nursery(self.settings_file)
        for name, code in self._nursery.look():
            self.ends[name.partition("-")[0], code] += 1
        for name in self.wanted:
            self._nursery.start(name)
        for name in set(self.running) - self.wanted - self._leaving:
            self._leaving.add(name)
            self.signal(name, signal.SIGTERM)
        self._leaving &= set(self.running)

    @property
    def running(self) -> Collection[str]:
        return self._nursery.running if self._nursery else ()

    @property
    def workers(self) -> list[str]:
        return sorted(name for name in self.wanted if name.startswith("worker-"))

    def signal(self, name: str, number: signal.Signals) -> None:
        """To a process, if it runs."""
        if self._nursery:
            self._nursery.signal(name, number)

    def handle(self, kind: str, worker: str) -> Path:
        """The file that makes a worker `stall`, or `slow`, or its `clock` wrong."""
        return self.folder / f"{kind}-{worker.partition('-')[2]}"

    # ------------------------------------------------------------------ waiting

    async def until(self, holds: Callable[[], Awaitable[bool]], what: str, seconds: float = 0.0) -> None:
        """Wait until something holds, tending the processes meanwhile.

        Raises:
            AssertionError: it does not within so many seconds, or the cluster's patience.
        """
        seconds = seconds or self.patience
        end = time.monotonic() + seconds
        for pause in itertools.repeat(asyncio.Event()):
            self.tend()
            try:
                if await holds():
                    return
            except (KafkaError, OSError, TimeoutError, UnavailableError) as error:
                what_now = f"{what}; last: {error}"
            else:
                what_now = what
            if time.monotonic() > end:
                raise AssertionError(f"not within {seconds:.0f} s: {what_now}\n{self.last_words()}")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(pause.wait(), _PACE)

    def last_words(self, lines: int = 8) -> str:
        """The ends of all logs."""
        logs = sorted(self.folder.glob("*.log"))
        return "\n".join(f"--- {log.name}\n" + "\n".join(log.read_text().splitlines()[-lines:]) for log in logs)

    # ------------------------------------------------------------------ sending

    async def send(self, count: int, *, pace: float | None = None) -> None:
        """Send the next chunks, each until it is acknowledged; whatever fails is sent again, as a forwarder does."""
        for number in range(self.sent, self.sent + count):
            await self.deliver(pack_chunk(chunk(number)), number % ORIGINS % self.partitions)
            self.sent = number + 1
            self.tend()
            await asyncio.sleep(self.pace if pace is None else pace)

    async def send_chunk(self, one: Chunk, partition: int = 0) -> None:
        await self.deliver(pack_chunk(one), partition)

    async def deliver(self, value: bytes, partition: int) -> None:
        """One value, until the brokers have acknowledged it."""
        end = time.monotonic() + self.patience
        while True:
            try:
                producer = await self._ready()
                await producer.send_and_wait(self.names.records, value, partition=partition)
                return
            except (KafkaError, OSError, TimeoutError):
                self.again += 1
                await self._drop()
                if time.monotonic() > end:
                    raise
                self.tend()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(asyncio.Event().wait(), _PACE)

    async def _ready(self) -> AIOKafkaProducer:
        if self._producer is None:
            self._producer = AIOKafkaProducer(
                **self.connection.client(),
                acks="all",
                enable_idempotence=True,
                request_timeout_ms=5_000,
                max_request_size=2 * LARGE,
            )
            await self._producer.start()
        return self._producer

    async def _drop(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            with contextlib.suppress(KafkaError, TimeoutError, OSError):
                await asyncio.wait_for(producer.stop(), 2.0)


@contextlib.contextmanager
def held(file: Path, text: str = "") -> Iterator[None]:
    """A handle, held for a while."""
    file.write_text(text)
    try:
        yield
    finally:
        file.unlink(missing_ok=True)
