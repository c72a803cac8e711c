"""What every side tells of its work: one line of JSON, with the time it took and the memory it had."""

import json
import time
from pathlib import Path
from typing import Any


def tell(**said: Any) -> None:
    print(json.dumps(said), flush=True)


def peak_mib() -> float:
    """The most memory this process ever had; Linux tells."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


class Watch:
    """Times from the end of the first batch to that of the last, so that no start is counted."""

    def __init__(self, events: int) -> None:
        self._events = events
        self._seen = 0
        self._first = (0, 0.0, 0.0)

    def took(self, count: int) -> bool:
        """Count events that are done; whether those were the last."""
        self._seen += count
        if not self._first[0]:
            self._first = (self._seen, time.perf_counter(), time.process_time())
        return self._seen >= self._events

    def ended(self) -> None:
        seen, began, cpu = self._first
        seconds = time.perf_counter() - began
        done = self._seen - seen
        tell(events=done, seconds=seconds, cpu=time.process_time() - cpu, peak_mib=peak_mib())
