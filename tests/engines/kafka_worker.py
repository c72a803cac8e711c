"""A worker to be killed or stopped short: the real Faust app over the shipped stages, until SIGTERM.

Called as `kafka_worker.py BOOTSTRAP PREFIX WORKER [PLACE PASSING]`: dies by SIGKILL at the given passing of the given
place. The place `stall` stops Faust's consumer instead, without an error, once so many transactions are committed.
"""

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from breachwatch.detection.correlating.routing import Router
from breachwatch.detection.correlating.sharding import ShardedCorrelator
from breachwatch.detection.detector import Detector
from breachwatch.detection.playbooks.content import load_content, read_tree
from breachwatch.engines.host import stop_on_signals
from breachwatch.engines.kafka.connection import connection
from breachwatch.engines.kafka.correlate_stage import Sharding
from breachwatch.engines.kafka.engine import KafkaEngine
from breachwatch.engines.kafka.names import Names
from breachwatch.kernel.pseudonyms import pseudonymiser
from breachwatch.notices.placeholders import PLACEHOLDERS
from breachwatch.sources.registry import load_sources

ROOT = Path(__file__).parents[2]


class Fate:
    """What becomes of the process on its way."""

    def __init__(self, place: str, passing: int) -> None:
        self._place, self._left = place, passing
        self.engine: KafkaEngine | None = None

    def __call__(self, place: str) -> None:
        wanted = "kafka:after-commit" if self._place == "stall" else self._place
        if place != wanted:
            return
        self._left -= 1
        if self._left == 0 and self._place != "stall":
            os.kill(os.getpid(), signal.SIGKILL)
        if self._left == 0 and self.engine is not None:
            self.engine.app.consumer.stop_flow()


async def main(bootstrap: str, prefix: str, worker: str, fate: Fate) -> None:
    sources = load_sources()
    content = load_content(read_tree(ROOT / "playbooks"), sources, PLACEHOLDERS)
    detector = Detector(content, sources, pseudonymiser(b"a pseudonym key of the tests"))
    engine = fate.engine = KafkaEngine(
        connection([bootstrap], tls=False),
        Names(prefix),
        detector,
        Sharding(Router(content), lambda: ShardedCorrelator(content)),
        lambda: datetime.now(UTC),
        worker=worker,
        waypoint=fate,
        patience=6.0,
    )
    stop = asyncio.Event()
    stop_on_signals(stop)
    await engine.run(stop)


if __name__ == "__main__":
    place, passing = (sys.argv[4], int(sys.argv[5])) if len(sys.argv) > 4 else ("", 0)
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], Fate(place, passing)))
