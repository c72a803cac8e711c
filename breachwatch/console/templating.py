"""The templates' environment: autoescape always, filters from `text`, words from `words`, hashed asset addresses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from breachwatch.console import words
from breachwatch.console.access import ADMIN, CASEWORK, DPO, MEMBERS
from breachwatch.console.pages.incident import kind_of, proposal_mark
from breachwatch.console.text import ago, flat, lines, local_input, number, short_time, shown, time_tag
from breachwatch.kernel.ids import reference
from breachwatch.kernel.time import from_microseconds, parse_rfc3339, rfc3339

_HERE = Path(__file__).parent
_KINDS = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
NAVIGATION = (
    ("/", "Inbox", CASEWORK),
    ("/raise", "Raise by hand", CASEWORK),
    ("/register", "Register", DPO),
    ("/status", "Status", MEMBERS),
    ("/team", "Team", ADMIN),
)

Assets = Mapping[str, tuple[bytes, str, str]]


@dataclass(frozen=True, slots=True)
class SampleTable:
    """Samples as columns and rows; a cell is empty where a sample lacks the column."""

    columns: list[str]
    rows: list[list[str]]


def read_assets() -> Assets:
    """File name to (content, media type, digest) of everything in `static/`, read once."""
    found = {}
    for path in sorted((_HERE / "static").iterdir()):
        if path.suffix in _KINDS:
            content = path.read_bytes()
            found[path.name] = (content, _KINDS[path.suffix], sha256(content).hexdigest()[:12])
    return found


def environment(assets: Assets) -> Environment:
    """Jinja2 with everything the templates use; an unknown name is an error, not an empty text."""
    env = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters.update(
        shown=shown,
        lines=lines,
        at=time_tag,
        short=short_time,
        machine=rfc3339,
        moment=_moment,
        local=local_input,
        local_text=_local_text,
        number=number,
        ago=ago,
        ref=reference,
        kind=kind_of,
        mark=proposal_mark,
        sample_table=sample_table,
    )
    env.globals.update(
        asset=partial(_asset, assets),
        navigation=NAVIGATION,
        role_names=words.ROLES,
        levels=words.LEVELS,
        level_meanings=words.LEVEL_MEANINGS,
        duties=words.DUTIES,
        statuses=words.STATUSES,
        languages=words.LANGUAGES,
        outbox_states=words.OUTBOX_STATES,
        done_words=words.DONE,
    )
    return env


def _asset(assets: Assets, name: str) -> str:
    return f"/static/{name}?v={assets[name][2]}"


def _moment(text: str, zone: ZoneInfo) -> Markup:
    """An RFC 3339 text as `at` shows instants; a dash for none."""
    return time_tag(parse_rfc3339(text) if text else None, zone)


def _local_text(text: str, zone: ZoneInfo) -> str:
    """An RFC 3339 text as the value of a `datetime-local` field."""
    try:
        instant: datetime | None = parse_rfc3339(text) if text else None
    except ValueError:
        instant = None
    return local_input(instant, zone)


def _readable(row: dict[str, str]) -> dict[str, str]:
    """The row with its time, milliseconds since the epoch in OCSF, as RFC 3339, and in front."""
    time = row.get("time", "")
    if not time.isascii() or not time.isdigit() or len(time) > 14:
        return row
    return {"time": rfc3339(from_microseconds(int(time) * 1000)), **{k: v for k, v in row.items() if k != "time"}}


def sample_table(samples: Sequence[Mapping[str, Any]], limit: int = 30) -> SampleTable:
    """The first samples as a table over all their flattened paths; OCSF's `time` is written as an instant."""
    flats = [_readable(dict(flat(sample))) for sample in list(samples)[:limit]]
    columns = list(dict.fromkeys(path for row in flats for path in row))
    return SampleTable(columns, [[row.get(path, "") for path in columns] for row in flats])
