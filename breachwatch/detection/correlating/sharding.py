"""All correlations of one partition: a correlator for each family, made when something first comes for it.

What came for a partition, and how far the clocks may move, arrive apart: matches move no clock here, since those of
another partition, received before, may still be on their way.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from weakref import WeakSet

from breachwatch.detection.correlating.clocks import Clocks
from breachwatch.detection.correlating.correlator import ROOM_BYTES, Correlated, Correlator, order_of
from breachwatch.detection.correlating.families import families
from breachwatch.detection.correlating.restoring import CLOCKS, clocks_of, stored_clocks
from breachwatch.detection.correlating.signals import Heard, heard_of
from breachwatch.detection.playbooks.content import Content
from breachwatch.kernel.streams import Alert, Match

_NEVER_MORE = 1 << 62
_UNKNOWN = "matches left out, for their correlations are gone"


class HalfFedError(Exception):
    """Some families raised; the others went on, and said what must not be lost.

    Attributes:
        fed: what the others said.
        families: those that raised.
    """

    def __init__(self, fed: Correlated, families: Collection[str]) -> None:
        super().__init__(f"{len(families)} families of correlations raised")
        self.fed = fed
        self.families = families


class Room:
    """Memory that the correlators of one process share. One that is let go of gives its part back.

    Args:
        room_bytes: how much there is, about.
    """

    def __init__(self, room_bytes: int = ROOM_BYTES) -> None:
        self._room_bytes = room_bytes
        self._members: WeakSet[ShardedCorrelator] = WeakSet()

    def enter(self, correlator: "ShardedCorrelator") -> None:
        """Share with this one too."""
        self._members.add(correlator)

    def left_for(self, correlator: "ShardedCorrelator") -> int:
        """How much one may take: what the others leave, and an equal part in any case."""
        others = sum(each.size for each in self._members if each is not correlator)
        return max(self._room_bytes - others, self._room_bytes // max(len(self._members), 1))


class ShardedCorrelator:
    """Runs every family of the content over the matches that a `Router` sent to one partition.

    The sum over all partitions is one `Correlator` fed with all matches: final alerts are equal.

    Args:
        content: what `load_content` gave; the same as the router's.
        room_bytes: how much memory it may take for what it remembers, about. May be set anew at any time.
        room: shared with others; then `room_bytes` follows from what they leave.
    """

    def __init__(self, content: Content, *, room_bytes: int = ROOM_BYTES, room: Room | None = None) -> None:
        self.room_bytes = room_bytes
        self._room = room
        self._content = content
        self._families = {each.name: each for each in families(content)}
        self._clocks = Clocks()
        self._correlators: dict[str, Correlator] = {}
        self._sizes: dict[str, int] = {}
        self._size = 0
        self._changed: set[str] = set()
        self._gone: list[str] = []
        self._short: Counter[str] = Counter()
        self._refused: list[str] = []
        if room is not None:
            room.enter(self)

    # ------------------------------------------------------------------ matches in, alerts out

    def feed(
        self,
        matches: Mapping[str, Sequence[Match]],
        clocks: Mapping[str, int] | None = None,
        received_us: int | None = None,
    ) -> Correlated:
        """Take the matches of one batch, then move the clocks. Taking a match a second time changes nothing.

        Args:
            matches: family to its matches, in order of arrival, as the router divided them.
            clocks: source to the instant in microseconds that its clock may move to now, as `Reception` tells. What
                waits for it is judged, and what no timely event can concern any more is forgotten.
            received_us: until when these matches were received: an event from the future keeps its group no longer.

        Returns:
            Alerts of all families, in order of their first events. An event that is late for two families counts twice.

        Raises:
            HalfFedError: some families raised what they should not; the others were fed.
        """
        heard: dict[str, Heard] = {}
        past = self._clocks.copy()
        for family, some in matches.items():
            if family not in self._families:
                self._short[_UNKNOWN] += len(some)
            elif some:
                heard[family], newest = heard_of(some)
                for source, at in newest.items():
                    self._clocks.foresee(source, at, received_us)
        for source, at in (clocks or {}).items():
            self._clocks.move(source, at)
        if self._clocks.by_source != past.by_source:
            heard |= {name: {} for name, each in self._correlators.items() if name not in heard and each.is_due}
        found: list[Correlated] = []
        broken: dict[str, Exception] = {}
        for family, told in heard.items():
            try:
                found.append(self._correlate(family, told, past))
            except Exception as error:
                broken[family] = error
        self._make_room()
        if broken:
            raise HalfFedError(_together(found), broken.keys()) from next(iter(broken.values()))
        return _together(found)

    def finish(self) -> Correlated:
        """Judge everything that waits, for nothing will come any more."""
        return _together([self._correlate(family, {}, self._clocks, _NEVER_MORE) for family in self._correlators])

    def _correlate(self, family: str, heard: Heard, past: Clocks, limit_us: int | None = None) -> Correlated:
        correlator = self._correlator(family)
        self._changed.add(family)
        try:
            return correlator.correlate(heard, past, past, limit_us)
        finally:
            self._weigh(family)

    def _correlator(self, family: str) -> Correlator:
        found = self._correlators.get(family)
        if found is None:
            content = self._families[family].content(self._content)
            found = self._correlators[family] = Correlator(content, room_bytes=_NEVER_MORE, clocks=self._clocks)
        return found

    def _weigh(self, family: str) -> None:
        size = self._correlators[family].size
        self._size += size - self._sizes.get(family, 0)
        self._sizes[family] = size

    def _make_room(self) -> None:
        """Let the oldest quiet groups of the largest families go until all is no larger than there is room."""
        if self._room is not None:
            self.room_bytes = self._room.left_for(self)
        while self._size > self.room_bytes:
            before = self._size
            largest = max(self._sizes, key=self._sizes.__getitem__)
            self._correlators[largest].make_room(self._sizes[largest] - (self._size - self.room_bytes))
            self._changed.add(largest)
            self._weigh(largest)
            if self._size >= before:
                return

    # ------------------------------------------------------------------ what there is, and what falls short

    @property
    def size(self) -> int:
        """Bytes of memory of all that is remembered, about."""
        return self._size

    @property
    def groups(self) -> int:
        """How many groups are remembered."""
        return sum(each.groups for each in self._correlators.values())

    @property
    def clocks(self) -> Mapping[str, int]:
        """How far the clock of each source has come, in microseconds."""
        return dict(self._clocks.by_source)

    @property
    def shortfalls(self) -> Mapping[str, int]:
        """What was left out or let go for want of room, in words, and how often; empty in any ordinary life."""
        found = Counter(self._short)
        for each in self._correlators.values():
            found.update(each.shortfalls)
        return dict(found)

    @property
    def refused(self) -> Sequence[str]:
        """What of the stored state could not be read, and why: those windows start anew."""
        return (*self._refused, *(line for each in self._correlators.values() for line in each.refused))

    # ------------------------------------------------------------------ the store

    def drain_changes(self) -> list[tuple[str, bytes | None]]:
        """(key, blob) of all state changed since the last drain, None to delete: store it with the offset.

        Keys begin with their family, but for that of the clocks.
        """
        changes: list[tuple[str, bytes | None]] = [(key, None) for key in self._gone]
        for family in sorted(self._changed):
            changes.extend((f"{family}/{key}", blob) for key, blob in self._correlators[family].drain_changes())
        if self._clocks.changed:
            changes.append((CLOCKS, stored_clocks(self._clocks)))
            self._clocks.changed = False
        self._changed, self._gone = set(), []
        return changes

    def snapshot(self) -> Iterator[tuple[str, bytes]]:
        """(key, blob) of everything remembered: what `restore` needs, however much of it was drained before."""
        yield CLOCKS, stored_clocks(self._clocks)
        for family, correlator in self._correlators.items():
            for key, blob in correlator.snapshot():
                yield f"{family}/{key}", blob

    def restore(self, stored: Iterable[tuple[str, bytes]]) -> None:
        """Continue from stored state; ask it of a new one only.

        What belongs to families that are gone, or divided by another key now, is let go: it may lie in a place where
        nothing comes for it. What was damaged is let go and told in `refused`.
        """
        by_family: dict[str, list[tuple[str, bytes]]] = {}
        for key, blob in stored:
            family, slash, rest = key.partition("/")
            if slash and family in self._families:
                by_family.setdefault(family, []).append((rest, blob))
            elif key == CLOCKS:
                self._clocks, refused = clocks_of(blob)
                self._refused.extend(refused)
            else:
                self._gone.append(key)
        for family, some in by_family.items():
            self._correlator(family).restore(some)
            self._changed.add(family)
            self._weigh(family)
        self._make_room()


def _together(found: Sequence[Correlated]) -> Correlated:
    if len(found) == 1:
        return found[0]
    alerts: list[Alert] = sorted((alert for each in found for alert in each.alerts), key=order_of)
    return Correlated(alerts, sum(each.late for each in found))
