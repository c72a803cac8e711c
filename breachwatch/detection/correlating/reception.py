"""How far the clock of each source may move where matches of several partitions of records come together.

Each partition of records reports up to when everything it received was matched and sent here, its *reception mark*, and
the newest event times among that. A clock moves to the newest event time among all that was received until the earliest
of these marks, and no further: whatever else was received by then is here already. So an event is late if it was late
when it was received, and never because whoever was to match it had died.
"""

from collections.abc import Mapping

import orjson

MOST_STEPS = 512
"""Steps that may wait for one source; of more, neighbours become one, so that its clock moves somewhat later."""
_VERSION = 1

_Step = tuple[int, int]
"""(when received, newest event time until then), in microseconds; both grow from step to step."""


class Reception:
    """What one target partition knows of the partitions of records.

    `partitions`: the most that any of them said there are. `until_us`: until when everything that was received is here;
    None as long as a partition was never heard of.
    """

    def __init__(self) -> None:
        self.partitions = 0
        self._marks: dict[int, int] = {}
        self._waiting: dict[str, list[_Step]] = {}

    @property
    def until_us(self) -> int | None:
        """The earliest reception mark of all partitions, in microseconds; None if one was never heard of."""
        if not self.partitions or len(self._marks) < self.partitions:
            return None
        return min(self._marks.values())

    def report(self, partition: int, partitions: int, received_us: int, clocks: Mapping[str, int]) -> dict[str, int]:
        """Take what one partition of records says. Taking it a second time changes nothing.

        Args:
            partition: of `partitions`, from 0; there may be more than there were, never fewer.
            partitions: how many there are.
            received_us: its reception mark: everything received until then was matched and sent here.
            clocks: source to the newest event time among what it received since its last report.

        Returns:
            Source to the instant that its clock may move to now; only sources that may move.
        """
        self.partitions = max(self.partitions, partitions, partition + 1)
        self._marks[partition] = max(received_us, self._marks.get(partition, received_us))
        for source, at in clocks.items():
            _put(self._waiting.setdefault(source, []), (received_us, at))
        until = self.until_us
        if until is None:
            return {}
        moved: dict[str, int] = {}
        for source in list(self._waiting):
            steps = self._waiting[source]
            passed = 0
            while passed < len(steps) and steps[passed][0] <= until:
                moved[source] = steps[passed][1]
                passed += 1
            del steps[:passed]
            if not steps:
                del self._waiting[source]
        return moved

    def dump(self) -> bytes:
        """All it knows, as JSON."""
        return orjson.dumps(
            {
                "v": _VERSION,
                "partitions": self.partitions,
                "marks": list(self._marks.items()),
                "waiting": self._waiting,
            }
        )

    def load(self, blob: bytes) -> None:
        """Know what was dumped, and nothing else.

        Raises:
            ValueError: it is no dump, or one of a version that cannot be read; nothing has changed then.
        """
        try:
            said = orjson.loads(blob)
            if said["v"] != _VERSION:
                raise ValueError(f"version {said['v']} cannot be read")
            partitions = int(said["partitions"])
            marks = {int(partition): int(mark) for partition, mark in said["marks"]}
            waiting = {str(name): [(int(when), int(at)) for when, at in some] for name, some in said["waiting"].items()}
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"no dump of a reception: {type(error).__name__}") from None
        self.partitions, self._marks, self._waiting = partitions, marks, waiting


def _put(steps: list[_Step], step: _Step) -> None:
    """Add a step where it belongs; what it makes needless goes."""
    received, at = step
    place = len(steps)
    while place and steps[place - 1][0] > received:
        place -= 1
    if place and steps[place - 1][1] >= at:
        return
    begin = place - 1 if place and steps[place - 1][0] == received else place
    end = place
    while end < len(steps) and steps[end][1] <= at:
        end += 1
    steps[begin:end] = [step]
    if len(steps) > MOST_STEPS:
        # Of several in one slice of the time the last stays: what it says is true by then.
        width = (steps[-1][0] - steps[0][0]) // (MOST_STEPS // 2) + 1
        steps[:] = {received // width: (received, at) for received, at in steps}.values()
