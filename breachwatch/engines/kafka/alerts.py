"""Takes alerts out of Kafka into the case plane: at least once, which alert ids make exactly once there.

An offset is committed after everything below it was taken. While the ledger is away alerts wait where they are.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from breachwatch.engines.kafka.connection import Connection
from breachwatch.engines.kafka.effects import Taken
from breachwatch.engines.kafka.names import Names
from breachwatch.engines.kafka.open_alerts import OpenAlerts
from breachwatch.engines.kafka.reading import taken_of
from breachwatch.engines.wire import pack_dead_letter
from breachwatch.kernel.errors import BreachwatchError, UnavailableError
from breachwatch.kernel.observing import SILENT, Observer
from breachwatch.kernel.ports import Waypoint, passing
from breachwatch.kernel.streams import Alert, DeadLetter

log = logging.getLogger(__name__)
TakeAlert = Callable[[Alert], object]
UNREADABLE = "unreadable"
_PAUSES = (0.2, 0.5, 1.0, 2.0, 5.0)
_MOST_OPEN = 5_000
_POLL_MS = 200
_ANSWER_SECONDS = 10.0
_STOP_SECONDS = 4.0
LOOK_SECONDS = 15.0
"""After so long without an alert it is asked whether there is none, or whether the consumer only stopped by itself."""


class AlertTaker:
    """Hosts the way of alerts into the case plane. A `Part` is its `run`, and it is `Watching`.

    Args:
        connection: to the brokers.
        names: of topics and groups.
        take: gives an alert to the case plane, in a thread; safe to repeat, raises `UnavailableError` when it cannot
            now.
        now: the wall clock.
        waypoint: told of `kafka:before-deliver`, `kafka:after-deliver` and `kafka:after-offset`.
        observer: hears of what could not be read.
        look_seconds: how long without an alert until the consumer is doubted.
    """

    name = "alerts"

    def __init__(
        self,
        connection: Connection,
        names: Names,
        take: TakeAlert,
        now: Callable[[], datetime],
        *,
        waypoint: Waypoint = passing,
        observer: Observer = SILENT,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self._connection = connection
        self._names = names
        self._take = take
        self._now = now
        self._waypoint = waypoint
        self._observer = observer
        self._open = OpenAlerts()
        self._consumer: AIOKafkaConsumer | None = None
        self._committed: dict[int, int] = {}
        self._failures = 0
        self._trouble = ""
        self._look_seconds = look_seconds
        self._quiet_since = 0.0
        self._stood: dict[TopicPartition, int] = {}

    @property
    def trouble(self) -> str:
        """Why alerts are not taken just now; empty when they are."""
        return self._trouble

    @property
    def open(self) -> int:
        """How many revisions were read and not yet taken."""
        return len(self._open)

    # ------------------------------------------------------------------ for as long as the service runs

    async def run(self, stop: asyncio.Event) -> None:
        """Take alerts until `stop` is set; what was held back is offered once more at the end.

        Raises:
            ContentError: the brokers do not let us in.
            UnavailableError: no broker answers at the start.
        """
        await self._connection.wait_until_open([self._names.alerts])
        await self.start()
        try:
            while not stop.is_set():
                worked = await self.step_or_tell()
                if not worked:
                    with suppress(TimeoutError):
                        pause = _PAUSES[min(self._failures - 1, len(_PAUSES) - 1)] if self._failures else 0.01
                        await asyncio.wait_for(stop.wait(), pause)
            with suppress(BreachwatchError, TimeoutError):
                await asyncio.wait_for(self._deliver(all_of_them=True), _STOP_SECONDS)
        finally:
            await self.close()

    async def step_or_tell(self) -> int:
        """`step`, but what keeps it from its work becomes `trouble`."""
        try:
            worked = await self.step()
        except BreachwatchError as error:
            self._note(str(error))
            self._failures += 1
            return 0
        except KafkaError as error:
            self._note(f"Kafka: {type(error).__name__}")
            self._failures += 1
            return 0
        self._failures = 0
        if not self._open.failing:
            self._trouble = ""
        return worked

    def _note(self, told: str) -> None:
        if told != self._trouble:
            log.warning("alerts: %s; trying again", told)
        self._trouble = told

    # ------------------------------------------------------------------ one step

    async def start(self) -> None:
        """Join the group.

        Raises:
            UnavailableError: no broker answers in time, or there is no topic of alerts.
        """
        consumer = AIOKafkaConsumer(
            **self._connection.client(),
            group_id=self._names.cases_group,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=10_000,
            heartbeat_interval_ms=2_000,
            max_poll_interval_ms=3_600_000,
            fetch_max_wait_ms=200,
        )
        self._consumer = consumer
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                await consumer.start()
                known = await consumer.topics()  # of all, since asking for one that is not there makes it
        except (KafkaError, TimeoutError, OSError) as error:
            await self.close()
            raise self._connection.told(error) from error
        if self._names.alerts not in known:
            await self.close()
            raise UnavailableError(f"there is no topic {self._names.alerts}: make it with `breachwatch topics apply`")
        self._quiet_since, self._stood = asyncio.get_running_loop().time(), {}
        consumer.subscribe([self._names.alerts], listener=_Listener(self._revoked))

    async def close(self) -> None:
        """Leave the group."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            with suppress(KafkaError, TimeoutError, OSError):
                await asyncio.wait_for(consumer.stop(), _STOP_SECONDS)

    async def step(self) -> int:
        """Read what there is, offer what is due, commit what is done.

        Returns:
            How many revisions were read and alerts taken.

        Raises:
            UnavailableError: the case plane cannot take any now; nothing is lost, step again.
        """
        if self._consumer is None:
            await self.start()
        read = 0
        if self._open.alerts < _MOST_OPEN:  # of revisions one alert that is failed on could have as many by itself
            read = await self._read()
            await self._doubt(read)
        return read + await self._deliver()

    async def position(self, partition: int) -> int:
        """The offset of the next alert to be read of a partition that this one has.

        Raises:
            UnavailableError: not started.
        """
        offset: int = await self._ready().position(TopicPartition(self._names.alerts, partition))
        return offset

    async def _read(self) -> int:
        consumer = self._ready()
        found = await consumer.getmany(timeout_ms=_POLL_MS, max_records=500)
        letters: list[DeadLetter] = []
        for place, records in found.items():
            for record in records:
                letters += self._take_in(place.partition, taken_of(record))
        for letter in letters:
            await self._bury(letter)
        return sum(map(len, found.values()))

    def _take_in(self, partition: int, taken: Taken) -> Iterable[DeadLetter]:
        try:
            self._open.read(partition, taken)
        except ValueError as error:
            origin = f"{self._names.alerts}-{partition}@{taken.offset}"
            log.error("%s cannot be read: %s", origin, error)
            self._observer.dead_letter(str(error))
            return (DeadLetter(UNREADABLE, origin, 0, str(error)),)
        return ()

    async def _doubt(self, read: int) -> None:
        """Consumers may fall silent by themselves; one that stands where it stood, with more to read, is replaced.

        Raises:
            UnavailableError: it was; step again.
        """
        now = asyncio.get_running_loop().time()
        if read:
            self._quiet_since, self._stood = now, {}
        elif now - self._quiet_since >= self._look_seconds:
            before, self._stood, self._quiet_since = self._stood, await self._behind(), now
            if before.items() & self._stood.items():
                await self.close()
                self._open, self._committed = OpenAlerts(), {}  # all of it is read again
                raise UnavailableError("Kafka: the consumer of alerts stopped by itself; another begins")

    async def _behind(self) -> dict[TopicPartition, int]:
        """Where the consumer stands in partitions that have more to read."""
        consumer = self._ready()
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                places = list(consumer.assignment())
                ends = await consumer.end_offsets(places) if places else {}
                stands = {place: await consumer.position(place) for place in ends}
        except (KafkaError, TimeoutError, OSError) as error:
            raise self._connection.told(error) from error
        return {place: at for place, at in stands.items() if at < ends[place]}

    async def _bury(self, letter: DeadLetter) -> None:
        producer = AIOKafkaProducer(**self._connection.client(), enable_idempotence=True, acks="all")
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                await producer.start()
                await producer.send_and_wait(self._names.dead_letters, pack_dead_letter(letter), letter.source.encode())
        except (KafkaError, TimeoutError, OSError) as error:
            log.error("the dead letter of %s could not be written: %s", letter.origin, type(error).__name__)
        finally:
            await producer.stop()

    async def _deliver(self, *, all_of_them: bool = False) -> int:
        due = self._open.due(self._now(), all_of_them=all_of_them)
        taken, failed, unavailable = await asyncio.to_thread(self._offer, due) if due else ([], [], None)
        now = self._now()
        for alert in taken:
            self._open.took(alert, now)
        for alert, why in failed:
            self._open.failed(alert, now)
            self._note(f"{why} on {alert.id}")
        await self._commit()
        if unavailable is not None:
            raise unavailable
        return len(taken)

    def _offer(self, due: list[Alert]) -> tuple[list[Alert], list[tuple[Alert, str]], UnavailableError | None]:
        """Give each to the case plane, until it is away; one that it fails on does not hold up the others."""
        taken: list[Alert] = []
        failed: list[tuple[Alert, str]] = []
        for alert in due:
            self._waypoint("kafka:before-deliver")
            try:
                self._take(alert)
            except UnavailableError as error:
                return taken, failed, error
            except Exception as error:
                failed.append((alert, type(error).__name__))
                continue
            self._waypoint("kafka:after-deliver")
            taken.append(alert)
        return taken, failed, None

    async def _commit(self) -> None:
        done = {
            part: offset for part, offset in self._open.committable().items() if offset > self._committed.get(part, 0)
        }
        if not done:
            return
        topic = self._names.alerts
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                await self._ready().commit({TopicPartition(topic, part): offset for part, offset in done.items()})
        except (CommitFailedError, IllegalStateError):
            return  # somebody else has them now, and will take them once more
        except (KafkaError, TimeoutError) as error:
            raise UnavailableError(f"Kafka: offsets cannot be committed: {type(error).__name__}") from error
        self._committed.update(done)
        self._waypoint("kafka:after-offset")

    def _revoked(self, partitions: set[int]) -> None:
        self._open.forget(partitions)
        for partition in partitions:
            self._committed.pop(partition, None)

    def _ready(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            raise UnavailableError("Kafka: the taker of alerts is not connected")
        return self._consumer

    def status(self) -> Mapping[str, Any]:
        """`open_alerts` and `trouble`, as the embedded engine's status has them."""
        return {"open_alerts": self.open, "trouble": {"alerts": self._trouble} if self._trouble else {}}


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, revoked: Callable[[set[int]], None]) -> None:
        self._on_revoked = revoked

    async def on_partitions_revoked(self, revoked: Any) -> None:
        self._on_revoked({each.partition for each in revoked})

    async def on_partitions_assigned(self, assigned: Any) -> None:
        return None
