"""What one batch of the embedded engine has to tell an observer, kept until it is durable."""

from collections.abc import Callable
from datetime import datetime

from breachwatch.engines.stages import Outcome
from breachwatch.kernel.observing import Observer, Way
from breachwatch.kernel.streams import Alert, Chunk, Tally
from breachwatch.kernel.time import to_microseconds

Now = Callable[[], datetime]


class Telling:
    """Gathers while chunks are worked on; without a clock no times are told.

    Args:
        observer: told by `tell`.
        now: the clock.
    """

    def __init__(self, observer: Observer, now: Now | None) -> None:
        self._observer = observer
        self._now = now
        self._began = self._us()
        self._taken = self._matched = self._began
        self._tallies: dict[str, Tally] = {}
        self._alerts: list[tuple[Alert, Way | None]] = []
        self._matches = 0

    def chunk_taken(self) -> None:
        """The next chunk is about to be matched."""
        self._taken = self._us()

    def chunk_matched(self) -> None:
        """It was, and its matches are about to be correlated."""
        self._matched = self._us()

    def add(self, source: str, chunk: Chunk | None, outcome: Outcome) -> None:
        """What came of it; `chunk` is None where it could not be read."""
        self._tallies[source] = self._tallies.get(source, Tally()) + outcome.tally
        self._matches += outcome.matches
        way = None
        if chunk is not None and self._now is not None and outcome.alerts:
            received = min(to_microseconds(chunk.received_at), self._taken)
            way = Way(received, self._taken, self._matched)
        self._alerts += [(alert, way) for alert in outcome.alerts]

    def tell(self, committing_since: datetime | None, groups: int, broken_rules: int) -> None:
        """All of it is durable.

        Args:
            committing_since: when its transaction began.
            groups: that windows remember now.
            broken_rules: rules that are off.
        """
        for source, tally in self._tallies.items():
            self._observer.worked(source, tally)
        self._observer.matched(self._matches)
        for alert, way in self._alerts:
            self._observer.alert(alert, way)
        self._observer.window_keys(0, groups)
        self._observer.broken_rules(broken_rules)
        if self._now is not None and committing_since is not None:
            done = self._us()
            self._observer.transaction("match", (done - to_microseconds(committing_since)) / 1e6)
            self._observer.batch("match", (done - self._began) / 1e6)

    def _us(self) -> int:
        return to_microseconds(self._now()) if self._now is not None else 0
