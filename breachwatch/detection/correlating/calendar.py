"""Names by when they are due, in slices of time: what is past is found without looking at what is not."""

from collections import deque
from collections.abc import Hashable, Iterator
from heapq import heappop, heappush
from typing import Generic, TypeVar

Name = TypeVar("Name", bound=Hashable)


class Calendar(Generic[Name]):
    """Names in slices of `width_us` microseconds.

    A name that becomes due at another time is put again, and the old entry stays until its slice is past: whoever takes
    names out must ask whether the slice is still theirs.
    """

    def __init__(self, width_us: int) -> None:
        self._width = max(width_us, 1)
        self._slices: dict[int, deque[Name]] = {}
        self._order: list[int] = []

    def slice_of(self, due_us: int) -> int:
        """The slice that an instant lies in."""
        return due_us // self._width

    def begin_of(self, number: int) -> int:
        """The instant at which a slice begins."""
        return number * self._width

    def put(self, name: Name, number: int) -> None:
        """Enter a name in a slice."""
        self.names_in(number).append(name)

    def names_in(self, number: int) -> deque[Name]:
        """The names of a slice, to which more may be added until the slice is past."""
        names = self._slices.get(number)
        if names is None:
            names = self._slices[number] = deque()
            heappush(self._order, number)
        return names

    def is_past(self, clock_us: int) -> bool:
        """Whether any slice ended before an instant."""
        return bool(self._order) and (self._order[0] + 1) * self._width <= clock_us

    def past(self, clock_us: int) -> Iterator[tuple[int, Name]]:
        """Take out (slice, name) of every slice that ended before an instant; costs nothing when none did."""
        while self.is_past(clock_us):
            number = heappop(self._order)
            for name in self._slices.pop(number):
                yield number, name

    def soonest(self) -> Iterator[tuple[int, Name]]:
        """Take out (slice, name), what is due first first, for as long as it is asked."""
        while self._order:
            number = self._order[0]
            names = self._slices[number]
            while names:
                yield number, names.popleft()
            del self._slices[number]
            heappop(self._order)
