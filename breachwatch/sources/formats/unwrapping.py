"""What is done to a record's fields before they are read: out of what carries them, lists of pairs into objects."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from breachwatch.sources.event import Dead, Ignored
from breachwatch.sources.formats.json_lines import TOO_DEEP, Prepare, too_deep, without_nul
from breachwatch.sources.services.normalisers import Normalise
from breachwatch.sources.source import Path, pick

Prepared = dict[str, Any] | Ignored | Dead

SEVERAL = Dead("an envelope of several records, which only whole files may hold")
EMPTY = Ignored("an envelope of no record")
BAD_ENVELOPE = Dead("not an envelope of records")
BAD_COLUMN = Dead("no JSON object in the column")


@dataclass(frozen=True, slots=True)
class Pairs:
    """A list of objects at `path`, each a name under `key` and a value under one of `values`: one object at `into`."""

    path: Path
    key: str
    values: tuple[str, ...]
    into: Path


def preparation(
    *,
    envelope: Path = (),
    column: Path = (),
    within: Path = (),
    texts: Sequence[Path] = (),
    pairs: Sequence[Pairs] = (),
    normalise: Normalise | None = None,
) -> Prepare | None:
    """The steps that a definition asks for, in the order of the arguments; None when it asks for none."""
    steps: list[Prepare] = []
    if envelope:
        steps.append(lambda fields: _from_envelope(fields, envelope))
    if column:
        steps.append(lambda fields: _from_column(fields, column))
    if within:
        steps.append(lambda fields: _from_within(fields, within))
    if texts:
        steps.append(lambda fields: _texts_read(fields, texts))
    if pairs:
        steps.append(lambda fields: _pairs_joined(fields, pairs))
    if normalise is not None:
        steps.append(normalise)
    if len(steps) < 2:
        return steps[0] if steps else None

    def prepare(fields: dict[str, Any]) -> Prepared:
        for step in steps:
            prepared = step(fields)
            if type(prepared) is not dict:
                return prepared
            fields = prepared
        return fields

    return prepare


def json_object(text: object) -> dict[str, Any] | Dead | None:
    """The object that a JSON text is; None when it is no such text, dead when it is nested too deep."""
    if not isinstance(text, str) or not text.lstrip().startswith("{"):
        return None
    try:
        raw = text.encode()
        value = orjson.loads(raw)
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        return None
    if type(value) is not dict:
        return None
    if too_deep(raw, value):
        return TOO_DEEP
    return without_nul(value) if b"\\u0000" in raw else value


def put(fields: dict[str, Any], path: Path, value: Any) -> bool:
    """Put a value at a path, making the objects on the way; False when something else is in the way."""
    *parents, leaf = path
    place: Any = fields
    for parent in parents:
        place = place.setdefault(parent, {})
        if type(place) is not dict:
            return False
    place[leaf] = value
    return True


def _from_envelope(fields: dict[str, Any], envelope: Path) -> Prepared:
    records = pick(fields, envelope)
    if records is None:
        return fields
    if type(records) is not list:
        return BAD_ENVELOPE
    if len(records) != 1:
        return SEVERAL if records else EMPTY
    return records[0] if type(records[0]) is dict else BAD_ENVELOPE


def _from_column(fields: dict[str, Any], column: Path) -> Prepared:
    value = pick(fields, column)
    if value is None:
        return fields
    if type(value) is dict:
        return value
    found = json_object(value)
    return BAD_COLUMN if found is None else found


def _from_within(fields: dict[str, Any], within: Path) -> Prepared:
    value = pick(fields, within)
    return value if type(value) is dict else fields


def _texts_read(fields: dict[str, Any], texts: Sequence[Path]) -> Prepared:
    for path in texts:
        found = json_object(pick(fields, path))
        if type(found) is Dead:
            return found
        if found is not None:
            _replace(fields, path, found)
    return fields


def _replace(fields: dict[str, Any], path: Path, value: Any) -> None:
    literal = ".".join(path)
    if literal in fields:
        fields[literal] = value
    else:
        put(fields, path, value)


def _pairs_joined(fields: dict[str, Any], pairs: Sequence[Pairs]) -> Prepared:
    for each in pairs:
        listed = pick(fields, each.path)
        if type(listed) is list and (joined := _joined(listed, each)):
            put(fields, each.into, joined)
    return fields


def _joined(listed: Sequence[Any], pairs: Pairs) -> Mapping[str, Any]:
    joined: dict[str, Any] = {}
    for member in listed:
        name = member.get(pairs.key) if type(member) is dict else None
        if not isinstance(name, str) or not name:
            continue
        value = next((member[key] for key in pairs.values if member.get(key) is not None), None)
        if value is None:
            continue
        if name not in joined:
            joined[name] = value
        elif type(joined[name]) is list:
            joined[name] = [*joined[name], value]
        else:
            joined[name] = [joined[name], value]
    return joined
