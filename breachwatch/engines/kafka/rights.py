"""Rights (ACLs) that each process needs on the brokers, as `topics/` says who reads and writes; and no more."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from breachwatch.engines.kafka.names import Names
from breachwatch.engines.streams import Stream

PROCESSES: Mapping[str, tuple[str, ...]] = {
    "collect": ("collectors",),
    "worker": ("match", "correlate"),
    "clock": ("cases",),
    "console": ("desk",),
}
"""Process to the roles of `topics/` that it has; couriers know nothing of Kafka."""


@dataclass(frozen=True, slots=True)
class Right:
    """What one process may do. `prefixed`: with everything whose name begins so."""

    process: str
    operations: tuple[str, ...]
    kind: Literal["topic", "group", "transactional-id"]
    names: tuple[str, ...]
    prefixed: bool = False

    def command(self, brokers: Sequence[str], user: str) -> str:
        """What grants it, with Kafka's own tool."""
        operations = " ".join(f"--operation {one}" for one in self.operations)
        resources = " ".join(f"--{self.kind} {name}" for name in self.names)
        pattern = " --resource-pattern-type prefixed" if self.prefixed else ""
        to = f"kafka-acls.sh --bootstrap-server {','.join(brokers)} --add --allow-principal User:{user}"
        return f"{to} {operations} {resources}{pattern}"


def rights(streams: Mapping[str, Stream], names: Names, packed: Iterable[tuple[str, str]] = ()) -> list[Right]:
    """Everything that is needed, process by process; `topics` is whoever runs `breachwatch topics`.

    Args:
        streams: as `load_streams` gave them.
        names: what things are called here.
        packed: (topic, group) of other people's topics that collectors read.
    """
    every = (f"{names.prefix}.",)
    seeing = ("Describe", "DescribeConfigs")
    found = [Right("topics", ("Create", "Alter", "AlterConfigs", *seeing), "topic", every, prefixed=True)]
    for process, roles in PROCESSES.items():
        written = _topics(streams, names, (name for name, one in streams.items() if set(roles) & set(one.written_by)))
        read = _topics(streams, names, (name for name, one in streams.items() if set(roles) & set(one.read_by)))
        if written:
            found.append(Right(process, ("Write", "Describe"), "topic", written))
        if read:
            found.append(Right(process, ("Read", "Describe"), "topic", read))
    groups = {"worker": names.detection_group, "clock": names.cases_group}
    found += [Right(process, ("Read", "Describe"), "group", (group,)) for process, group in groups.items()]
    for topic, group in packed:
        found.append(Right("collect", ("Read", "Describe"), "topic", (topic,)))
        found.append(Right("collect", ("Read", "Describe"), "group", (group,)))
    writers = tuple(names.transactional_id(stage, 0).removesuffix("0") for stage in ("match", "correlate"))
    found.append(Right("worker", ("Write", "Describe"), "transactional-id", writers, prefixed=True))
    found.append(Right("console", ("Describe",), "topic", (names.records,)))  # to tell how much waits there
    order = ("topics", *PROCESSES)
    return sorted(found, key=lambda right: order.index(right.process))


def _topics(streams: Mapping[str, Stream], names: Names, wanted: Iterable[str]) -> tuple[str, ...]:
    chosen = set(wanted)
    return tuple(names.topic(short) for short in streams if short in chosen)
