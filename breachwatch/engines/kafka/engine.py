"""The Kafka engine of one worker: the partitions it is given, matched and correlated, with every engine's promises."""

import asyncio
import logging
import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from breachwatch.engines.kafka.app import make_app, stop_app
from breachwatch.engines.kafka.broker_time import BrokerTime
from breachwatch.engines.kafka.connection import Connection
from breachwatch.engines.kafka.correlate_stage import CorrelateStage, Sharding
from breachwatch.engines.kafka.hub import Hub
from breachwatch.engines.kafka.match_stage import MatchStage, Sides
from breachwatch.engines.kafka.names import Names, Stage
from breachwatch.engines.kafka.partition import Surroundings
from breachwatch.engines.kafka.reading import Reader
from breachwatch.engines.kafka.watchdog import PATIENCE_SECONDS, STALLED, LoopGuard, Watchdog
from breachwatch.engines.stages import Detector
from breachwatch.kernel.errors import BreachwatchError, ContentError, Problem, UnavailableError
from breachwatch.kernel.observing import SILENT, Observer
from breachwatch.kernel.ports import Waypoint, passing
from breachwatch.kernel.streams import Tally
from breachwatch.kernel.time import to_microseconds

log = logging.getLogger(__name__)
LOOK_SECONDS = 2.0
_MARGIN_US = 1_000_000
"""What the broker took a second ago is there to be seen, though its clock may differ from ours by as much."""

_STOP_SECONDS = 4.0


def end_process(why: str) -> None:
    """Say why, and end at once: whatever stands still must not keep the end from coming."""
    log.critical("stalled, ending for a new start: %s", why)
    logging.shutdown()
    os._exit(STALLED)


class KafkaEngine:
    """One worker. A `Part` is its `run`.

    Args:
        connection: to the brokers.
        names: of topics; these exist already, as `breachwatch topics apply` makes them.
        detector: the stateless stage.
        sharding: what divides and makes the windows, of the same content.
        now: the wall clock.
        worker: the name of this instance.
        waypoint: told of the places where a crash must not hurt; see `Surroundings`.
        observer: hears how it goes.
        stalled: told why when the process should end; ends it with code 75.
        patience: seconds that a partition may stand still while something waits.

    `app`: the Faust app, once it runs.
    """

    def __init__(
        self,
        connection: Connection,
        names: Names,
        detector: Detector,
        sharding: Sharding,
        now: Callable[[], datetime],
        *,
        worker: str = "worker",
        waypoint: Waypoint = passing,
        observer: Observer = SILENT,
        stalled: Callable[[str], object] = end_process,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._connection = connection
        self._names = names
        self._detector = detector
        self._sharding = sharding
        self._now = now
        self._worker = worker
        self._waypoint = waypoint
        self._observer = observer
        self._stalled = stalled
        self._patience = patience
        self._brokers_time = BrokerTime(time.monotonic)
        self._trouble: dict[str, str] = {}
        self._sides: Sides | None = None
        self._hub: Hub | None = None
        self._watchdog: Watchdog | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.app: Any = None

    # ------------------------------------------------------------------ other content while running

    def reload(self, detector: Detector, sharding: Sharding) -> None:
        """Go on with other stages, each partition from its next batch on; from any thread.

        Windows of rules that work as before go on as if nothing had happened, the others start anew.

        Args:
            detector: made of the new content.
            sharding: of the same content; the correlators it makes were never used.
        """
        self._detector, self._sharding = detector, sharding
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._swap)

    def _swap(self) -> None:
        if self._hub is not None:
            self._hub.swap("match", self._detector, self._sharding.router)
            self._hub.swap("correlate", self._sharding)

    def _make(self, stage: Stage, partition: int) -> MatchStage | CorrelateStage:
        if self._sides is None:
            raise RuntimeError("the topics were not looked at yet")
        if stage == "match":
            router = self._sharding.router
            return MatchStage(partition, self._sides, self._detector, router, self._now_us, self._observer)
        return CorrelateStage(partition, self._sides, self._sharding, self._observer)

    def _now_us(self) -> int:
        return to_microseconds(self._now())

    # ------------------------------------------------------------------ for as long as the service runs

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set.

        Raises:
            ContentError: a topic is missing, or a certificate, password or right is wrong.
            UnavailableError: no broker answers at the start, or Faust ended by itself.
        """
        await self._connection.wait_until_open([self._names.records])
        clients = self._connection.client()
        self._loop = asyncio.get_running_loop()
        with (
            ThreadPoolExecutor(1, "breachwatch-match") as matching,
            ThreadPoolExecutor(1, "breachwatch-correlate") as own,
        ):
            async with Reader(clients, map(self._names.topic, _TOPICS)) as reader:
                self._sides = await self._look_at_topics(reader)
                around = Surroundings(clients, {"match": matching, "correlate": own}, self._waypoint, self._observer)
                self._hub = Hub(self._names, self._make, around, reader, self._brokers_time.heard)
                self._watchdog = Watchdog(
                    self._names, self._hub, reader, time.monotonic, self._stalled,
                    patience=self._patience, observer=self._observer, passed=self._passed,
                )  # fmt: skip
                try:
                    await self._work(self._hub, self._watchdog, stop)
                finally:
                    await self._hub.end()
                    self._loop = None

    async def _work(self, hub: Hub, watchdog: Watchdog, stop: asyncio.Event) -> None:
        app = make_app(self._names, self._connection, hub.hand, hub.revoked, hub.assigned, worker=self._worker)
        self.app = app
        await app.start()
        guard = LoopGuard(round(2 * self._patience), self._stalled)
        guard.start()
        looking = asyncio.create_task(self._look(hub, watchdog, guard))
        ended = asyncio.ensure_future(app.wait_until_stopped())
        told = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait({ended, told, looking}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            guard.end()
            for task in (looking, told, ended):
                task.cancel()
            await hub.revoked(set(hub.pumps))
            await stop_app(app, _STOP_SECONDS)
        if not stop.is_set():
            raise UnavailableError("Faust ended by itself; the worker must be started anew")

    async def _look_at_topics(self, reader: Reader) -> Sides:
        names = self._names
        found = {short: await reader.partitions(names.topic(short)) for short in _TOPICS}
        missing = [names.topic(short) for short, partitions in found.items() if not partitions]
        problems = [
            Problem("kafka", 0, 0, f"there is no topic {name}", "`breachwatch topics apply` makes it")
            for name in missing
        ]
        for short, changelog in (("records", "progress"), ("matches", "windows")):
            if found[short] and found[changelog] and found[short] != found[changelog]:
                said = (
                    f"{names.topic(changelog)} has {found[changelog]} partitions, {names.topic(short)} {found[short]}"
                )
                problems.append(Problem("kafka", 0, 0, said, "both must have as many; see `breachwatch topics diff`"))
        if problems:
            raise ContentError(problems)
        return Sides(names, found["records"], found["matches"], self._worker)

    def _brokers_now_us(self, hub: Hub) -> int:
        """The time at the brokers, or earlier.

        Where nothing was heard yet the stored marks tell: they came from brokers. A tick beyond them is stamped by one.
        """
        stages = [pump.processor.stage for pump in hub.of("match").values()]
        self._brokers_time.heard(max((one.status()["received_us"] for one in stages if one is not None), default=0))
        return self._brokers_time.now_us() or 0

    def _passed(self, topic: str, partition: int) -> int:
        """Up to which offset Faust takes records for handed over; it tells nobody but itself."""
        return self.app.consumer._read_offset.get((topic, partition)) or 0

    async def _look(self, hub: Hub, watchdog: Watchdog, guard: LoopGuard) -> None:
        """Every other second: what waits, what stands still, and which partitions are at their end."""
        joined_at = time.monotonic()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            guard.alive()
            try:
                await self._look_once(hub, watchdog)
            except Exception as error:
                joined_at = time.monotonic()
                told = str(error) if isinstance(error, BreachwatchError) else type(error).__name__
                if told != self._trouble.get("brokers"):
                    log.warning("the partitions cannot be looked at: %s; trying again", told)
                self._trouble["brokers"] = told
                continue
            self._trouble.pop("brokers", None)
            if hub.joined:
                joined_at = time.monotonic()
            elif time.monotonic() - joined_at >= self._patience:
                self._stalled(f"the partitions were not shared out for {time.monotonic() - joined_at:.0f} s")

    async def _look_once(self, hub: Hub, watchdog: Watchdog) -> None:
        asked_us = self._brokers_now_us(hub)
        reached = await watchdog.look("match")
        await watchdog.look("correlate")
        self._observer.broken_rules(len(self.status()["broken_rules"]))
        for partition, pump in hub.of("match").items():
            if partition in reached:
                pump.idle(asked_us - _MARGIN_US)

    # ------------------------------------------------------------------ what an operator should see

    def not_ready(self) -> str:
        """Why it cannot work just now: not joined, or state not yet read back; empty when it can. From any thread."""
        hub = self._hub
        if hub is None or not hub.joined:
            return "not joined yet"
        opening = sorted(where for where, pump in list(hub.pumps.items()) if not pump.is_open)
        if opening:
            some = ", ".join(f"{topic}-{partition}" for topic, partition in opening[:3])
            return f"reading back the state of {some}" + (f" and {len(opening) - 3} more" if len(opening) > 3 else "")
        return self._trouble.get("brokers", "")

    def status(self) -> Mapping[str, Any]:
        """As the embedded engine's, of the partitions that this worker has.

        `waiting_chunks`: Kafka records that wait in them. `waiting_bytes`, `oldest_received_at`: not known.
        """
        hub, watchdog = self._hub, self._watchdog
        pumps = list(hub.pumps.values()) if hub else []
        told = [pump.processor.stage.status() for pump in pumps if pump.processor.stage is not None]
        totals: dict[str, Tally] = {}
        broken: dict[str, str] = {}
        shortfalls: dict[str, int] = {}
        refused: list[str] = []
        for one in told:
            for source, tally in one.get("totals", {}).items():
                totals[source] = totals.get(source, Tally()) + tally
            broken.update(one.get("broken_rules", {}))
            for what, count in one.get("shortfalls", {}).items():
                shortfalls[what] = shortfalls.get(what, 0) + count
            refused += one.get("refused_state", ())
        trouble = {f"{pump.processor.place.topic}-{pump.processor.place.partition}": pump.trouble for pump in pumps}
        return {
            "waiting_chunks": watchdog.lag.get(self._names.records, 0) if watchdog else 0,
            "waiting_bytes": 0,
            "oldest_received_at": None,
            "open_alerts": 0,
            "totals": totals,
            "broken_rules": broken,
            "faults": sum(one["faults"] for one in told),
            "shortfalls": shortfalls,
            "refused_state": refused,
            "trouble": {**self._trouble, **{name: text for name, text in trouble.items() if text}},
            "partitions": {stage: sorted(hub.of(stage)) if hub else [] for stage in ("match", "correlate")},
            "lag": dict(watchdog.lag) if watchdog else {},
        }


_TOPICS = ("records", "progress", "matches", "windows", "alerts", "dead-letters")
