"""The streams as `topics/` tells them: one file a stream, numbered in flow order.

An engine asks here how long to keep what and in how many partitions; `asyncapi.py` tells other programs the same.
"""

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ByteSize, ConfigDict, Field, WithJsonSchema, field_validator, model_validator

from breachwatch.kernel.errors import ContentError, Problem
from breachwatch.kernel.shapes import conform, did_you_mean
from breachwatch.kernel.streams import Alert, Chunk, DeadLetter, FactEnvelope, MatchBatch, Progress
from breachwatch.kernel.yaml import read

_WindowState = Annotated[
    bytes,
    WithJsonSchema(
        {
            "type": "string",
            "format": "binary",
            "title": "WindowState",
            "description": "The state of one window in a form of this program's own. A null value: the window is over.",
        }
    ),
]
_TYPES = (Chunk, MatchBatch, Progress, Alert, FactEnvelope, DeadLetter)
VALUES: Mapping[str, Any] = {kind.__name__: kind for kind in _TYPES} | {"WindowState": _WindowState}
"""What may travel: every value of a stream, by the name that `value:` uses."""

Role = Literal["collectors", "match", "correlate", "cases", "desk", "others"]
Config = Mapping[str, str | int | float]
_FILE = re.compile(r"(?P<order>[0-9]{2})-(?P<name>[a-z][a-z-]*)\.yml")
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_MILLISECOND = timedelta(milliseconds=1)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PersonalData(_Strict):
    """What a stream tells of people: in what form, which data, and why it is needed. Source: GDPR Art. 5(1)(c), 30."""

    form: Literal["none", "pseudonymous", "clear"]
    what: str
    why: str


class Stream(_Strict):
    """One stream. `retention`: how long a value is kept after it was written; an engine may not keep it longer.

    One that is cleaned by `compact` keeps the newest value of each key and has no retention. `key` says what orders
    values: those of one key stay in order, in one partition. `placed_by` says which partition that is: `any`; that of
    the `key`; that of the `group` a correlation counts; or the same number as that of the `records` or `matches` it
    tells of. `partitions` is the most workers that may share the work; an engine of one process needs one.
    `stamped_by`: whose clock dates values. `largest`: of one value in bytes.
    """

    name: Annotated[str, Field(pattern=r"^breachwatch\.[a-z][a-z-]*$")]
    title: str
    value: str
    written_by: tuple[Role, ...] = Field(min_length=1)
    read_by: tuple[Role, ...] = Field(min_length=1)
    purpose: str
    key: Literal["none", "group", "partition", "window", "alert_id", "incident_id", "source"]
    key_why: str
    placed_by: Literal["any", "key", "group", "records", "matches"] = "key"
    partitions: int = Field(ge=1, le=1_000)
    stamped_by: Literal["writer", "broker"] = "writer"
    largest: ByteSize = Field(default=ByteSize(1 << 20), ge=1 << 10, le=1 << 26)
    retention: timedelta | None = Field(default=None, gt=timedelta(0))
    cleanup: Literal["delete", "compact"]
    personal_data: PersonalData

    @field_validator("value")
    @classmethod
    def _known_value(cls, name: str) -> str:
        if name not in VALUES:
            raise ValueError(f"no value is called {name!r}; {did_you_mean(name, VALUES.keys())}")
        return name

    @model_validator(mode="after")
    def _ends_somewhere(self) -> "Stream":
        if self.cleanup == "delete" and self.retention is None:
            raise ValueError("retention is missing: how long is a value kept?")
        if self.cleanup == "compact" and (self.retention is not None or self.key == "none"):
            raise ValueError("to compact is to keep the newest of each key: it needs a key and knows no retention")
        return self

    @property
    def short(self) -> str:
        """The name within the program: `records` for `breachwatch.records`."""
        return self.name.removeprefix("breachwatch.")

    @property
    def type(self) -> Any:
        """The Python type of its values."""
        return VALUES[self.value]

    def config(self) -> Config:
        """How a broker is to keep it, by the names that Kafka has for it.

        Values are gone in whole segments: those are closed after a twenty-fourth of the retention (an hour at least, a
        day at most), so that nothing outlives its retention by more. A changelog closes its segments soon and small, so
        that it is compacted soon and reading it all, which a restore does, stays quick; what was removed stays told for
        an hour, so that no reader misses it.

        Source: Apache Kafka 4.1, "Topic-level configs".
        """
        common: Config = {
            "cleanup.policy": self.cleanup,
            "max.message.bytes": int(self.largest),
            "message.timestamp.type": "LogAppendTime" if self.stamped_by == "broker" else "CreateTime",
            "compression.type": "producer",
            "unclean.leader.election.enable": "false",
        }
        if self.retention is None:
            return {
                **common,
                "segment.ms": 600_000,
                "segment.bytes": 4 * int(self.largest),
                "max.compaction.lag.ms": 600_000,
                "min.cleanable.dirty.ratio": 0.1,
                "delete.retention.ms": 3_600_000,
            }
        return {
            **common,
            "retention.ms": self.retention // _MILLISECOND,
            "retention.bytes": -1,
            "segment.ms": min(max(self.retention / 24, _HOUR), _DAY) // _MILLISECOND,
        }


def load_streams(folder: Path) -> dict[str, Stream]:
    """Read every stream of a folder.

    Returns:
        Short name to stream, in flow order.

    Raises:
        ContentError: all problems at once: no stream, a file named against the rule, two of one number, bad content,
            or partitions that do not fit together.
    """
    problems: list[Problem] = []
    streams: dict[str, Stream] = {}
    numbers: dict[str, str] = {}
    files: dict[str, Path] = {}
    for path in sorted(folder.glob("*.yml")):
        named = _FILE.fullmatch(path.name)
        if named is None:
            problems.append(Problem(str(path), 0, 0, "not named like a stream", "call it like 10-matches.yml"))
            continue
        if named["order"] in numbers:
            problems.append(Problem(str(path), 0, 0, f"number {named['order']} is taken by {numbers[named['order']]}"))
        numbers.setdefault(named["order"], path.name)
        try:
            streams[named["name"]] = _read_stream(path, named["name"])
            files[named["name"]] = path
        except ContentError as error:
            problems.extend(error.problems)
    if not streams and not problems:
        problems.append(Problem(str(folder), 0, 0, "no stream is described here"))
    problems.extend(_uneven(streams, files))
    if problems:
        raise ContentError(problems)
    return streams


def _read_stream(path: Path, short: str) -> Stream:
    try:
        text = path.read_bytes()
    except OSError as error:
        raise ContentError([Problem(str(path), 0, 0, f"cannot be read: {error.strerror}")]) from error
    node = read(text, str(path))
    stream = conform(Stream, node)
    if stream.short != short:
        hint = f"the file's name asks for breachwatch.{short}"
        raise ContentError([node.problem(("name",), f'"{stream.name}" stands in the wrong file', hint)])
    return stream


def _uneven(streams: Mapping[str, Stream], files: Mapping[str, Path]) -> list[Problem]:
    """Streams that go by another's partitions but have not as many."""
    problems = []
    for short, stream in streams.items():
        other = streams.get(stream.placed_by)
        if other is not None and other.partitions != stream.partitions:
            message = (
                f"partitions: {stream.partitions}, but it is placed by {other.short}, which has {other.partitions}"
            )
            problems.append(Problem(str(files[short]), 0, 0, message))
    return problems
