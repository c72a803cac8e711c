"""The streams as `topics/` tells them: one file a stream, numbered in flow order; and the same as AsyncAPI 3.

An engine asks here how long to keep what and in how many partitions; other programs read `topics/asyncapi.yaml`.
After a change of `topics/*.yml` or of a value's type: `python -m breachwatch.engines.streams`.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, field_validator

from breachwatch.kernel.errors import ContentError, Problem
from breachwatch.kernel.shapes import conform, did_you_mean
from breachwatch.kernel.shipped import shipped
from breachwatch.kernel.streams import Alert, Chunk, DeadLetter, FactEnvelope, Match
from breachwatch.kernel.yaml import read

VALUES: Mapping[str, Any] = {kind.__name__: kind for kind in (Chunk, Match, Alert, FactEnvelope, DeadLetter)}
"""What may travel: every value of a stream, by the name that `value:` uses."""

Role = Literal["collectors", "match", "correlate", "cases", "others"]
_FILE = re.compile(r"(?P<order>[0-9]{2})-(?P<name>[a-z][a-z-]*)\.yml")
_CONTRACT_VERSION = "1.0.0"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PersonalData(_Strict):
    """What a stream tells of people: in what form, which data, and why it is needed. Source: GDPR Art. 5(1)(c), 30."""

    form: Literal["none", "pseudonymous", "clear"]
    what: str
    why: str


class Stream(_Strict):
    """One stream. `retention`: how long a value is kept after it was written; an engine may not keep it longer.

    `key` says what orders values: those of one key stay in order, in one partition. `partitions` is the most workers
    that may share the work; an engine of one process needs one.
    """

    name: Annotated[str, Field(pattern=r"^breachwatch\.[a-z][a-z-]*$")]
    title: str
    value: str
    written_by: tuple[Role, ...] = Field(min_length=1)
    read_by: tuple[Role, ...] = Field(min_length=1)
    purpose: str
    key: Literal["none", "group", "alert_id", "incident_id", "source"]
    key_why: str
    partitions: int = Field(ge=1, le=1_000)
    retention: timedelta = Field(gt=timedelta(0))
    cleanup: Literal["delete", "compact"]
    personal_data: PersonalData

    @field_validator("value")
    @classmethod
    def _known_value(cls, name: str) -> str:
        if name not in VALUES:
            raise ValueError(f"no value is called {name!r}; {did_you_mean(name, VALUES.keys())}")
        return name

    @property
    def short(self) -> str:
        """The name within the program: `records` for `breachwatch.records`."""
        return self.name.removeprefix("breachwatch.")

    @property
    def type(self) -> Any:
        """The Python type of its values."""
        return VALUES[self.value]


def load_streams(folder: Path) -> dict[str, Stream]:
    """Read every stream of a folder.

    Returns:
        Short name to stream, in flow order.

    Raises:
        ContentError: all problems at once: no stream, a file named against the rule, two of one number, bad content.
    """
    problems: list[Problem] = []
    streams: dict[str, Stream] = {}
    numbers: dict[str, str] = {}
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
        except ContentError as error:
            problems.extend(error.problems)
    if not streams and not problems:
        problems.append(Problem(str(folder), 0, 0, "no stream is described here"))
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


def asyncapi(streams: Iterable[Stream]) -> dict[str, Any]:
    """The streams as an AsyncAPI 3.0 document: channels, what this program does with them, and each value's schema."""
    flow = list(streams)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "breachwatch streams",
            "version": _CONTRACT_VERSION,
            "description": "What flows from a log line to the facts of a case. Made from topics/*.yml; do not edit.",
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {stream.short: _channel(stream) for stream in flow},
        "operations": {name: operation for stream in flow for name, operation in _operations(stream)},
        "components": {
            "messages": {stream.value: _message(stream) for stream in flow},
            "schemas": _schemas(flow),
        },
    }


def _channel(stream: Stream) -> dict[str, Any]:
    retention_ms = stream.retention // timedelta(milliseconds=1)
    return {
        "address": stream.name,
        "title": stream.title,
        "description": stream.purpose,
        "messages": {stream.value: {"$ref": f"#/components/messages/{stream.value}"}},
        "bindings": {
            "kafka": {
                "partitions": stream.partitions,
                "topicConfiguration": {"cleanup.policy": [stream.cleanup], "retention.ms": retention_ms},
                "bindingVersion": "0.5.0",
            }
        },
        "x-personal-data": stream.personal_data.model_dump(),
    }


def _operations(stream: Stream) -> Iterable[tuple[str, dict[str, Any]]]:
    channel = {"$ref": f"#/channels/{stream.short}"}
    for role in stream.written_by:
        yield f"{role}-write-{stream.short}", {"action": "send", "channel": channel}
    for role in stream.read_by:
        if role != "others":
            yield f"{role}-read-{stream.short}", {"action": "receive", "channel": channel}


def _message(stream: Stream) -> dict[str, Any]:
    key = {"type": "null"} if stream.key == "none" else {"type": "string"}
    return {
        "name": stream.value,
        "title": stream.title,
        "payload": {"$ref": f"#/components/schemas/{stream.value}"},
        "bindings": {
            "kafka": {
                "key": {**key, "title": stream.key, "description": stream.key_why},
                "bindingVersion": "0.5.0",
            }
        },
    }


def _schemas(streams: Iterable[Stream]) -> dict[str, Any]:
    inputs = [(stream.value, "serialization", TypeAdapter(stream.type)) for stream in streams]
    _, made = TypeAdapter.json_schemas(inputs, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
    schemas: dict[str, Any] = made["$defs"]
    return schemas


def to_yaml(document: Mapping[str, Any]) -> str:
    """The document as YAML text, keys in the order given."""
    return yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=True, width=120)


def main(folder: Path | None = None) -> None:
    """Write `asyncapi.yaml` anew beside the streams of a folder."""
    folder = folder or shipped("topics")
    text = to_yaml(asyncapi(load_streams(folder).values()))
    (folder / "asyncapi.yaml").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
