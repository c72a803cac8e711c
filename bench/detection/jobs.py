"""What every side of a lane is given: a folder of rules, files of events, and which logsources an event answers."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.detection.lanes import LOGSOURCES, Written


def job(rules: Path, written: Sequence[Written]) -> dict[str, Any]:
    """The job as JSON values; all sides read the same."""
    return {"rules": str(rules), "streams": [_stream(each) for each in written]}


def write_job(made: Mapping[str, Any], path: Path) -> Path:
    path.write_text(json.dumps(made, indent=1), encoding="utf-8")
    return path


def _stream(written: Written) -> dict[str, Any]:
    stream = written.stream
    told: dict[str, Any] = {
        "name": stream.name,
        "path": str(written.path),
        "events": written.events,
        "source": stream.source,
        "logsources": [dict(stream.logsource)],
    }
    if stream.logsource == {"product": "windows"}:
        told["by"] = ["Channel", "EventID"]
        told["kinds"] = [
            {"values": [channel, str(number)], "logsources": logsources}
            for (channel, number), logsources in LOGSOURCES.items()
        ]
    return told
