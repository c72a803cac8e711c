"""The topics as they ought to be, beside how they are: what is missing, what differs, and what may be changed.

Pure: `topic_admin.py` asks the brokers and tells them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from breachwatch.engines.kafka.names import Names
from breachwatch.engines.streams import Stream
from breachwatch.kernel.errors import ContentError, Problem
from breachwatch.kernel.shapes import did_you_mean

ADDRESS = "kafka.partitions"


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as it is, or as it ought to be. `replication`: copies of each partition. `config`: by Kafka's names."""

    name: str
    partitions: int
    replication: int
    config: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A topic as it ought to be.

    `sized_by`: the stream whose number of partitions it has: its own, or the one that it follows. `grows`: whether
    partitions may be added without values losing their place.
    """

    topic: Topic
    sized_by: str
    grows: bool


@dataclass(frozen=True, slots=True)
class Difference:
    """Where one topic is not as it ought to be.

    `what`: `topic` where it is missing as a whole, `partitions`, `replication`, or the name of a config. `refused`: why
    no command of this program changes it, and what a person may do; empty where `topics apply --change` does.
    """

    topic: str
    what: str
    found: str
    wanted: str
    refused: str = ""

    @property
    def cure(self) -> Literal["create", "change", "by hand"]:
        """What puts it right: `topics apply`, the same with `--change`, or a person."""
        if self.what == "topic":
            return "create"
        return "by hand" if self.refused else "change"


def wanted_topics(
    streams: Mapping[str, Stream], names: Names, replication: int, partitions: Mapping[str, int]
) -> tuple[Wanted, ...]:
    """Every topic as `topics/` and the operator's settings want it.

    Args:
        streams: as `load_streams` gave them.
        names: what topics are called here.
        replication: copies of each partition.
        partitions: stream to its number of partitions, where that is not what `topics/` says; a changelog follows the
            stream that it is placed by.

    Raises:
        ContentError: partitions of a stream that is none, or of a changelog other than of what it follows.
    """
    problems = _wrong(streams, partitions)
    if problems:
        raise ContentError(problems)
    return tuple(
        Wanted(
            Topic(names.topic(short), _count(streams, short, partitions), replication, _config(stream, replication)),
            _leader(streams, short),
            grows=streams[_leader(streams, short)].placed_by == "any",
        )
        for short, stream in streams.items()
    )


def _wrong(streams: Mapping[str, Stream], partitions: Mapping[str, int]) -> list[Problem]:
    problems = []
    for short, count in partitions.items():
        place = f"{ADDRESS}.{short}"
        if short not in streams:
            problems.append(Problem(place, 0, 0, f'no stream is called "{short}"', did_you_mean(short, streams.keys())))
            continue
        leader = _leader(streams, short)
        if leader != short and count != (wanted := _count(streams, short, {**partitions, short: 0})):
            message = f"{count}, but {leader} has {wanted} and {short} follows its partitions"
            problems.append(Problem(place, 0, 0, message, f"set {ADDRESS}.{leader} alone"))
    return problems


def _leader(streams: Mapping[str, Stream], short: str) -> str:
    """The stream by whose partitions this one goes: its own, unless it is placed by another's."""
    placed_by = streams[short].placed_by
    return placed_by if placed_by in streams else short


def _count(streams: Mapping[str, Stream], short: str, partitions: Mapping[str, int]) -> int:
    leader = _leader(streams, short)
    return partitions.get(leader, streams[leader].partitions)


def _config(stream: Stream, replication: int) -> dict[str, str]:
    config = {name: str(value) for name, value in stream.config().items()}
    return config | {"min.insync.replicas": str(in_sync(replication))}


def in_sync(replication: int) -> int:
    """How many copies must have a value before it is acknowledged: more than half, yet one may always be down.

    1 of 1, 1 of 2, 2 of 3, 2 of 4, 3 of 5.
    """
    return (replication + 1) // 2


def compare(wanted: Iterable[Wanted], found: Mapping[str, Topic]) -> list[Difference]:
    """Every difference, in the order of the flow; configs that nobody asked for are nobody's business."""
    return [difference for one in wanted for difference in _differences(one, found.get(one.topic.name))]


def _differences(wanted: Wanted, found: Topic | None) -> Iterable[Difference]:
    name, topic = wanted.topic.name, wanted.topic
    if found is None:
        yield Difference(name, "topic", "missing", f"{topic.partitions} partitions x {topic.replication}")
        return
    if found.partitions != topic.partitions:
        refused = _refused(wanted, found.partitions)
        yield Difference(name, "partitions", str(found.partitions), str(topic.partitions), refused)
    if found.replication != topic.replication:
        refused = "copies are moved with Kafka's own kafka-reassign-partitions"
        yield Difference(name, "replication", str(found.replication), str(topic.replication), refused)
    config = dict(topic.config)
    if "min.insync.replicas" in config:  # more than there are copies would stop every writer
        config["min.insync.replicas"] = str(in_sync(min(topic.replication, found.replication)))
    for key, value in config.items():
        has = found.config.get(key, "")
        if not same(has, value):
            yield Difference(name, key, has, value)


def _refused(wanted: Wanted, found: int) -> str:
    if found > wanted.topic.partitions:
        return f"Kafka takes no partition away; set {ADDRESS}.{wanted.sized_by} = {found} to live with them"
    if wanted.grows:
        return ""
    return (
        f"with more partitions values would lose their place: what belongs together would be in two; "
        f"set {ADDRESS}.{wanted.sized_by} = {found}, or begin anew under another kafka.prefix"
    )


def same(found: str, wanted: str) -> bool:
    """Whether two values of a config mean the same: `0.10` is `0.1`, and a list is the same in any order."""
    if found == wanted:
        return True
    try:
        return float(found) == float(wanted)
    except ValueError:
        return _listed(found) == _listed(wanted)


def _listed(value: str) -> Sequence[str]:
    return sorted(part.strip() for part in value.split(","))
