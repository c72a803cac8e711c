"""A process to be killed: a tail, a spool and an engine over the files of one folder, until nothing is left to do.

Called as `crash_run.py FOLDER [PLACE PASSING]`: dies by SIGKILL at the given passing of the given place. If that is one
of taking new rules in, the rules are loaded again before each chunk.
"""

import os
import signal
import sqlite3
import sys
from datetime import UTC, datetime, timedelta
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from breachwatch.collectors.file_tail import FileTail
from breachwatch.engines.embedded.engine import EmbeddedEngine
from breachwatch.engines.embedded.spool import Spool
from breachwatch.kernel.streams import Alert

HERE = Path(__file__).parent


class Killer:
    """A waypoint that ends the process without warning."""

    def __init__(self, place: str, passing: int) -> None:
        self._place, self._left = place, passing
        self.reloads = place.endswith("-swap")

    def __call__(self, place: str) -> None:
        if place == self._place:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


class Ledger:
    """Takes a revision of an alert once, in a transaction of its own."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("CREATE TABLE IF NOT EXISTS taken (id TEXT, revision INTEGER, people TEXT)")

    def take(self, alert: Alert) -> None:
        newest = self._db.execute("SELECT max(revision) FROM taken WHERE id = ?", (alert.id,)).fetchone()[0] or 0
        if alert.revision > newest:
            row = (alert.id, alert.revision, " ".join(alert.subjects))
            self._db.execute("INSERT INTO taken VALUES (?, ?, ?)", row)


def main(folder: Path, killer: Any) -> None:
    spec = spec_from_file_location("small_stages", HERE / "small_stages.py")
    assert spec is not None
    assert spec.loader is not None
    stages = module_from_spec(spec)
    sys.modules["small_stages"] = stages
    spec.loader.exec_module(stages)
    spool = Spool(folder / "spool.db", b"a key of at least 16 bytes", waypoint=killer)
    tail = FileTail(
        folder / "words.log", "words", spool.append, spool.position, lambda: datetime(2026, 3, 27, tzinfo=UTC),
        waypoint=killer, linger=timedelta(0), max_records=7,
    )  # fmt: skip
    ledger = Ledger(folder / "ledger.db")
    engine = EmbeddedEngine(spool, stages.WordDetector(), stages.CountCorrelator(), ledger.take, waypoint=killer)
    while tail.poll() or engine.step():
        if killer.reloads:
            engine.reload(stages.WordDetector(), stages.CountCorrelator())
    spool.close()


if __name__ == "__main__":
    place, passing = (sys.argv[2], int(sys.argv[3])) if len(sys.argv) > 2 else ("", 0)
    main(Path(sys.argv[1]), Killer(place, passing))
