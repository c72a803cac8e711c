"""One process of the cluster, as its command makes it, with handles for faults that cannot be made from outside.

Called as `role.py ROLE SETTINGS NUMBER`. Files in the folder of the settings are the handles: `stall-NUMBER` lets the
worker's consumer fall silent, `slow-NUMBER` makes each batch take so many seconds, `clock-NUMBER` sets its wall clock
so many seconds off.
"""

import asyncio
import ctypes
import signal
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from breachwatch.engines.kafka import app, engine, hub
from breachwatch.kernel.errors import BreachwatchError
from breachwatch.settings import read_settings
from breachwatch.wiring import clocking, courier, worker
from breachwatch.wiring.clock import now

_PATIENCE = 6.0
_SESSION, _HEARTBEAT = 3.0, 0.75  # half of what is usual: whoever dies is missed sooner
_END_WITH_PARENT = 1  # prctl(PR_SET_PDEATHSIG, ...)


def main(role: str, settings_file: Path, number: str) -> int:
    ctypes.CDLL(None).prctl(_END_WITH_PARENT, signal.SIGKILL)
    settings = read_settings(settings_file)
    build: Any = {"worker": worker.build_worker, "clock": clocking.build_clock, "courier": courier.build_courier}[role]
    handles = Handles(settings_file.parent, number)
    app.SESSION_SECONDS, app.HEARTBEAT_SECONDS = _SESSION, _HEARTBEAT
    worker.now = handles.now  # type: ignore[assignment]
    hub.Hub.hand = handles.handing(hub.Hub.hand)  # type: ignore[method-assign]
    (engine.KafkaEngine.__init__.__kwdefaults__ or {})["patience"] = _PATIENCE
    try:
        asyncio.run(build(settings, waypoint=handles.waypoint).run_until_signal())
    except BreachwatchError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


class Handles:
    """Looks at the files that a test writes."""

    def __init__(self, folder: Path, number: str) -> None:
        self._stall, self._slow, self._clock = (folder / f"{kind}-{number}" for kind in ("stall", "slow", "clock"))
        self._silent = False

    def now(self) -> datetime:
        off = float(self._clock.read_text()) if self._clock.exists() else 0.0
        return now() + timedelta(seconds=off)

    def waypoint(self, place: str) -> None:
        if place == "kafka:after-read" and self._slow.exists():
            time.sleep(float(self._slow.read_text()))

    def handing(self, hand: Any) -> Any:
        async def handed(hub: Any, event: Any) -> None:
            if self._stall.exists() or self._silent:
                self._silent = True
                await asyncio.Event().wait()
            await hand(hub, event)

        return handed


if __name__ == "__main__":
    import logging

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3]))
