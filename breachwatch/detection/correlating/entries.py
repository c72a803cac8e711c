"""Events as a window remembers them, and the pages in which they are stored."""

from dataclasses import dataclass, field
from typing import Generic, TypeVar

from breachwatch.kernel.ids import SubjectRef

Item = TypeVar("Item")


@dataclass(slots=True, eq=False)
class Entry:
    """One event in the window of one group.

    `key`: its id, with the input where inputs are told apart; an entry is taken once per key. `armed`: it counts
    towards the threshold; an inner correlation's first events do not, they only belong to the story. `marked`: it lies
    in a satisfied window and was counted into an episode. `completed`: a satisfied window ends here. `subjects`,
    `records` and `sample`, JSON, are given to the episode once marked, then let go. `arrival`: its place in the current
    feed. `row`: how it was last stored, None after a change.
    """

    at: int
    event: str
    key: str
    input: int
    counted: tuple[str, ...]
    subjects: tuple[SubjectRef, ...]
    records: int
    sample: bytes | None
    sources: tuple[str, ...]
    armed: bool = True
    marked: bool = False
    completed: bool = False
    arrival: int = 0
    page: int = -1
    row: bytes | None = None

    def order(self) -> tuple[int, int, str]:
        """The order of events: by time; at one instant by input, then id, so that it never depends on arrival."""
        return (self.at, self.input, self.event)

    def let_go(self) -> None:
        """Forget what the episode has taken over."""
        self.subjects, self.sample = (), None


@dataclass(slots=True)
class Pages(Generic[Item]):
    """A growing collection in numbered pages of at most `size`, so that only pages that changed are stored again."""

    size: int
    pages: dict[int, dict[str, Item]] = field(default_factory=dict)
    changed: set[int] = field(default_factory=set)
    next: int = 0

    def put(self, key: str, item: Item, page: int | None) -> int:
        """Add an item to a page, or to a new one if that is full or None; returns the page's number."""
        if page is None or page not in self.pages or len(self.pages[page]) >= self.size:
            if page is not None:
                self.changed.add(page)
            page, self.next = self.next, self.next + 1
            self.pages[page] = {}
        self.pages[page][key] = item
        self.changed.add(page)
        return page

    @property
    def open(self) -> int:
        """The page that items were added to last."""
        return self.next - 1

    def take_out(self, key: str, page: int) -> None:
        """Remove an item; a page left empty is dropped, any other is not worth storing again."""
        members = self.pages.get(page)
        if members is None:
            return
        members.pop(key, None)
        if not members:
            self.drop(page)

    def drop(self, page: int) -> None:
        """Remove a whole page."""
        if self.pages.pop(page, None) is not None:
            self.changed.add(page)
