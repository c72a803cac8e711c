"""Clocks as folded from their facts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from breachwatch.clocks.facts import AwarenessSet, Cause


@dataclass(frozen=True, slots=True)
class Running:
    """Counts down. `wakes_at` is the next reminder or `due_at`; None once it was missed."""

    label: str
    article: str
    url: str
    from_at: datetime
    due_at: datetime
    reminders: tuple[datetime, ...]
    wakes_at: datetime | None
    missed: bool = False


@dataclass(frozen=True, slots=True)
class Met:
    """The duty was met at `met_at`."""

    label: str
    due_at: datetime
    met_at: datetime
    late: bool
    article: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Stopped:
    """Does not count, for `reason`; what it was when it stopped stands in `was`."""

    was: Running
    reason: str
    cause: Cause = "not_owed"


Clock = Running | Met | Stopped


@dataclass(frozen=True, slots=True)
class Clocks:
    """All clocks of one incident by name (`gdpr/notification`), and every awareness ever set, oldest first."""

    awareness: tuple[AwarenessSet, ...] = ()
    by_name: Mapping[str, Clock] = field(default_factory=dict)

    @property
    def aware_at(self) -> datetime | None:
        """The awareness that counts: the last one set."""
        return self.awareness[-1].aware_at if self.awareness else None

    @property
    def wakes_at(self) -> datetime | None:
        """When the earliest clock wants a tick, or None."""
        waking = [c.wakes_at for c in self.by_name.values() if isinstance(c, Running) and c.wakes_at]
        return min(waking, default=None)

    @property
    def due_at(self) -> datetime | None:
        """The earliest deadline still open, missed ones included, or None."""
        return min((c.due_at for c in self.by_name.values() if isinstance(c, Running)), default=None)
