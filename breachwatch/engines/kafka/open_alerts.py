"""Alerts that were read and not yet taken by the case plane, and up to where a partition is done because of that."""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from breachwatch.engines.kafka.correlate_stage import PART
from breachwatch.engines.kafka.effects import Taken
from breachwatch.engines.merging import Revisions
from breachwatch.engines.pacing import Pacing
from breachwatch.engines.wire import unpack_alert
from breachwatch.kernel.ids import AlertId
from breachwatch.kernel.streams import Alert

_RETRIES = (timedelta(seconds=1), timedelta(seconds=5), timedelta(seconds=30), timedelta(seconds=60))


@dataclass(slots=True)
class _Open:
    """One alert: its revisions that were not taken, and the offsets that they came with."""

    partition: int
    revisions: Revisions = field(default_factory=Revisions)
    offsets: list[int] = field(default_factory=list)
    failures: int = 0
    not_before: datetime | None = None


@dataclass(slots=True)
class _Partition:
    """`undone`: offsets in order, some of which may be done. `next`: the offset after the newest one read."""

    next: int = 0
    undone: deque[int] = field(default_factory=deque)
    done: set[int] = field(default_factory=set)
    parts: dict[AlertId, list[tuple[int, Alert]]] = field(default_factory=dict)


class OpenAlerts:
    """Knows what is open. Time arrives as an argument; used by one task at a time."""

    def __init__(self) -> None:
        self._open: dict[AlertId, _Open] = {}
        self._partitions: dict[int, _Partition] = {}
        self._pacing = Pacing()

    def __len__(self) -> int:
        return sum(len(each.offsets) for each in self._open.values())

    @property
    def alerts(self) -> int:
        """How many alerts are open, each with however many revisions."""
        return len(self._open)

    @property
    def failing(self) -> bool:
        """Whether the case plane failed on something that is open."""
        return any(each.failures for each in self._open.values())

    def read(self, partition: int, taken: Taken) -> None:
        """An alert, or a part of one, was read.

        Raises:
            ValueError: it is none; it counts as done.
        """
        place = self._partitions.setdefault(partition, _Partition())
        place.next = taken.offset + 1
        alert = unpack_alert(taken.value)
        place.undone.append(taken.offset)
        number, _, count = dict(taken.headers).get(PART, b"").partition(b"/")
        if not (number.isdigit() and count.isdigit()):
            self._add(partition, [(taken.offset, alert)])
            return
        parts = place.parts.setdefault(alert.id, [])
        if number == b"1":
            self._done(partition, [offset for offset, _ in parts])
            parts.clear()
        parts.append((taken.offset, alert))
        if number == count:
            self._add(partition, place.parts.pop(alert.id))

    def _add(self, partition: int, parts: list[tuple[int, Alert]]) -> None:
        alert = parts[-1][1]
        self._pacing.found(alert)
        known = self._open.setdefault(alert.id, _Open(partition))
        for offset, part in parts:
            known.revisions.add(part)
            known.offsets.append(offset)

    def due(self, now: datetime, *, all_of_them: bool = False) -> list[Alert]:
        """What may be offered to the case plane now, longest open first; several revisions of one alert as one."""
        held = {} if all_of_them else self._pacing.held(now)
        return [
            each.revisions.merged()[0]
            for name, each in self._open.items()
            if name not in held and (all_of_them or each.not_before is None or each.not_before <= now)
        ]

    def took(self, alert: Alert, now: datetime) -> None:
        """The case plane took this, as it was given by `due`."""
        known = self._open.pop(alert.id, None)
        if known is not None:
            self._pacing.took(alert, now)
            self._done(known.partition, known.offsets)

    def failed(self, alert: Alert, now: datetime) -> None:
        """The case plane failed on this; it stays open, and is offered again later and later."""
        known = self._open.get(alert.id)
        if known is not None:
            known.not_before = now + _RETRIES[min(known.failures, len(_RETRIES) - 1)]
            known.failures += 1

    def _done(self, partition: int, offsets: list[int]) -> None:
        place = self._partitions.get(partition)
        if place is None:
            return
        place.done.update(offsets)
        while place.undone and place.undone[0] in place.done:
            place.done.discard(place.undone.popleft())

    def committable(self) -> dict[int, int]:
        """Partition to the offset below which everything is done."""
        return {name: place.undone[0] if place.undone else place.next for name, place in self._partitions.items()}

    def forget(self, partitions: set[int]) -> None:
        """Others have these now; what is open of them will be read there again."""
        for partition in partitions:
            self._partitions.pop(partition, None)
        self._open = {name: each for name, each in self._open.items() if each.partition not in partitions}
