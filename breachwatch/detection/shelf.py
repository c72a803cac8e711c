"""The windows of one correlation in order of their last touch, so that idle ones are found without a search."""

from collections.abc import Iterator

from breachwatch.detection.rules import Correlation
from breachwatch.detection.window import Frame, Window

MAX_GROUPS = 200_000
"""Groups remembered per correlation; beyond, the one idle for longest is let go (and counted in `crowded_out`)."""

Group = tuple[str, ...]


class Shelf:
    """Windows by group, on boards of those that are let go when idle for equally long.

    `crowded_out`: how many went for want of room.
    """

    def __init__(self, correlation: Correlation) -> None:
        self.correlation = correlation
        self.frame = Frame.of(correlation)
        self.windows: dict[Group, Window] = {}
        self.crowded_out = 0
        self._boards: dict[int, dict[Group, Window]] = {}
        self._places: dict[Group, int] = {}

    def window(self, group: Group) -> Window:
        """The window of a group, new if need be. `put_back` it when it has been fed."""
        window = self.windows.get(group)
        if window is None:
            window = self.windows[group] = Window(self.frame, group)
        return window

    def put_back(self, window: Window) -> None:
        """Place a window behind all that were touched before it."""
        group, idle_after = window.group, window.idle_after_us
        before = self._places.get(group)
        if before is not None:
            del self._boards[before][group]
        self._boards.setdefault(idle_after, {})[group] = window
        self._places[group] = idle_after
        self.windows[group] = window

    def take_idle(self, clock: int) -> Iterator[Window]:
        """Take down, and give out, the windows that no timely event can concern any more, and those beyond the room."""
        for idle_after, board in self._boards.items():
            while board:
                oldest = next(iter(board.values()))
                if oldest.touched + idle_after >= clock:
                    break
                yield self._take_down(oldest)
        while len(self.windows) > MAX_GROUPS:
            firsts = [next(iter(board.values())) for board in self._boards.values() if board]
            self.crowded_out += 1
            yield self._take_down(min(firsts, key=lambda each: each.touched))

    def _take_down(self, window: Window) -> Window:
        del self._boards[self._places.pop(window.group)][window.group]
        del self.windows[window.group]
        return window
