"""What a stage takes from one partition, and what it wants written because of it: plain values, no broker."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

Told = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Taken:
    """One Kafka record. `timestamp_us`: when the broker took it, in microseconds since the epoch."""

    offset: int
    timestamp_us: int
    key: bytes | None
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Output:
    """One Kafka record to be written. Without `partition` its key decides; a `value` of None deletes the key."""

    topic: str
    key: bytes | None
    value: bytes | None
    partition: int | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(slots=True)
class Effects:
    """What a batch caused. It becomes durable at once, or not at all.

    `outputs`: for other streams. `changes`: state key to blob, None for gone; later ones replace earlier ones.
    `urgent`: somebody waits for it; without that it may be written with what comes next. `told`: to be called once it
    is durable, for the observer.
    """

    outputs: list[Output] = field(default_factory=list)
    changes: dict[str, bytes | None] = field(default_factory=dict)
    urgent: bool = False
    told: list[Told] = field(default_factory=list)

    def add(self, later: "Effects") -> None:
        """Take in what was caused after this."""
        self.outputs += later.outputs
        self.changes.update(later.changes)
        self.urgent |= later.urgent
        self.told += later.told

    @property
    def size(self) -> int:
        """Bytes to be written, about."""
        return sum(len(one.value or b"") for one in self.outputs) + sum(
            len(one or b"") for one in self.changes.values()
        )


class PartitionStage(Protocol):
    """One stage over one partition, with its memory. Used by one thread at a time, and dropped when a write failed."""

    def restore(self, stored: Mapping[str, bytes]) -> int:
        """Begin with what was stored; returns the next offset to take, 0 where nothing was stored."""

    def work(self, taken: Sequence[Taken]) -> Effects:
        """Take records, in order; the changes include how far the partition is taken now. Never raises."""

    def idle(self, until_us: int) -> Effects | None:
        """Nothing waits that the broker took until then; what follows from that, if anything."""

    def swap(self, *stages: Any) -> Effects | None:
        """Go on with stages made of other content."""

    def status(self) -> Mapping[str, Any]:
        """What an operator should see."""
