"""The streams for other programs: `topics/` as an AsyncAPI 3.0 document.

After a change of `topics/*.yml` or of a value's type: `python -m breachwatch.engines.asyncapi`.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter

from breachwatch.engines.streams import VALUES, Stream, load_streams
from breachwatch.kernel.shipped import shipped

CONTRACT_VERSION = "1.1.0"
"""Of the values together: the first number grows when a reader of old must change, the second with a new field."""

_CLOUD_EVENT = {
    "content-type": {"type": "string", "const": "application/cloudevents+json"},
    "ce_specversion": {"type": "string", "const": "1.0"},
    "ce_id": {"type": "string", "description": "As `id` of the envelope; the same id is the same fact."},
    "ce_source": {"type": "string", "description": "As `source` of the envelope."},
    "ce_type": {"type": "string", "description": "As `type` of the envelope, to filter by without reading the value."},
    "ce_time": {"type": "string", "format": "date-time"},
    "ce_subject": {"type": "string", "description": "As `subject` of the envelope: the incident."},
    "ce_sequence": {"type": "string", "description": "As `sequence` of the envelope: which fact of the case it is."},
    "ce_facthash": {"type": "string", "description": "As `facthash` of the envelope."},
    "traceparent": {"type": "string", "description": "The trace of its incident: W3C Trace Context, 3.2."},
}
_HEADERS: Mapping[str, Mapping[str, Any]] = {
    "FactEnvelope": {
        **_CLOUD_EVENT,
        "traceparent": {"type": "string", "description": "The trace of the incident: W3C Trace Context, 3.2."},
    },
    "Alert": {
        "traceparent": {
            "type": "string",
            "description": "The trace of this alert, from the record to the mail: W3C Trace Context, 3.2.",
        },
        "breachwatch-part": {
            "type": "string",
            "pattern": "^[0-9]+/[0-9]+$",
            "description": "`2/3`: the second of three values that are one revision together, each with some of the "
            "references that are new in it. Absent where one value holds it all.",
        },
    },
    "MatchBatch": {
        "breachwatch-sequence": {
            "type": "string",
            "description": "The how-manieth batch from this partition of records to this partition of matches, from 1.",
        },
        "breachwatch-way": {
            "type": "string",
            "description": "When it was received, taken and matched: microseconds since the epoch, dashes between.",
        },
    },
}
"""By value. Those of CloudEvents are always there, others where they say something."""

_CONTENT_TYPES = {
    "Chunk": "application/vnd.breachwatch.chunk+zstd",
    "FactEnvelope": "application/cloudevents+json",
    "WindowState": "application/octet-stream",
}
"""Of those that are not plain JSON."""


def asyncapi(streams: Iterable[Stream]) -> dict[str, Any]:
    """The streams as an AsyncAPI 3.0 document: channels, what this program does with them, and each value's schema."""
    flow = list(streams)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "breachwatch streams",
            "version": CONTRACT_VERSION,
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
    return {
        "address": stream.name,
        "title": stream.title,
        "description": stream.purpose,
        "messages": {stream.value: {"$ref": f"#/components/messages/{stream.value}"}},
        "bindings": {
            "kafka": {
                "partitions": stream.partitions,
                "topicConfiguration": {**stream.config(), "cleanup.policy": [stream.cleanup]},
                "bindingVersion": "0.5.0",
            }
        },
        "x-placed-by": stream.placed_by,
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
        "contentType": _CONTENT_TYPES.get(stream.value, "application/json"),
        "headers": _headers(stream),
        "payload": {"$ref": f"#/components/schemas/{stream.value}"},
        "bindings": {
            "kafka": {
                "key": {**key, "title": stream.key, "description": stream.key_why},
                "bindingVersion": "0.5.0",
            }
        },
    }


def _headers(stream: Stream) -> dict[str, Any]:
    properties = dict(_HEADERS.get(stream.value, {}))
    required = {"required": list(_CLOUD_EVENT)} if stream.value == "FactEnvelope" else {}
    return {"type": "object", **required, "properties": properties}


def _schemas(streams: Iterable[Stream]) -> dict[str, Any]:
    """The schema of every value; one that is no object of named fields stands under its stream's name for it."""
    flow = list(streams)
    inputs = [(stream.value, "serialization", TypeAdapter(stream.type)) for stream in flow]
    made, shared = TypeAdapter.json_schemas(inputs, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
    schemas: dict[str, Any] = dict(shared["$defs"])
    for stream in flow:
        schemas.setdefault(stream.value, made[stream.value, "serialization"])
    return {name: schemas[name] for name in sorted(schemas, key=lambda name: (name not in VALUES, name))}


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
