"""A glance at a JSON record: whether it is an event, and when, without making Python values of all that it holds.

Most records meet no rule; all that is asked of them is their verdict and their time. msgspec checks the whole record
but decodes only the few keys that these depend on: half the time of decoding it all. Whatever is out of the ordinary is
left to the real parser, so the verdict is the same.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from breachwatch.sources.event import MAX_RECORD_BYTES, Event, Outcome, Parse
from breachwatch.sources.formats.event_reader import NESTED, EventOf
from breachwatch.sources.formats.json_lines import MAX_DEPTH, Prepare, nested
from breachwatch.sources.formats.json_numbers import beyond_range
from breachwatch.sources.formats.lookups import made, under
from breachwatch.sources.source import Path

_UNSET = msgspec.UNSET


@dataclass(frozen=True, slots=True)
class Shell:
    """The time of a record that wraps its event: at `path` within the object under a top-level key, known as `name`."""

    path: Path
    name: str


@dataclass(frozen=True, slots=True)
class Glanced:
    """What a normaliser's verdict and time depend on.

    `kept`: top-level keys, beside those of the times themselves. `elsewhere`: keys that send a record to the real
    parser, unless it has the other key as well (empty: always). `shells`: keys of wrapped events whose time lies in one
    place. For surveys of many records (`json_survey.py`): `sure`: keys that ordinary records have; `whole`: those that
    must hold whole numbers; `apart`: keys that ordinary ones have not. Then the normaliser changes nothing but
    `changed`.
    """

    kept: Collection[str] = ()
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    shells: Mapping[str, Shell] = field(default_factory=dict)
    sure: Collection[str] = ()
    whole: Collection[str] = ()
    apart: Collection[str] = ()
    changed: frozenset[str] = frozenset()


def json_glance(
    parse: Parse, time_of: EventOf, paths: Sequence[Path], glanced: Glanced, prepare: Prepare | None = None
) -> Parse:
    """A function with the verdict and the time of `parse`, whose events have no fields to speak of.

    Args:
        parse: the real parser, for all that is not ordinary.
        time_of: from the kept fields to an event at its time; the same as the parser's, but working nothing out.
        paths: where times and required fields may be.
        glanced: what else the verdict depends on.
        prepare: the normaliser, which is given the kept fields alone.
    """
    kept = list(dict.fromkeys([*(path[0] for path in paths), *(".".join(path) for path in paths), *glanced.kept]))
    kept = [key for key in kept if key not in glanced.elsewhere and key not in glanced.shells]
    fields_of, may_be_beyond = _fields_of(kept, glanced), beyond_range()

    def glance(raw: bytes, received_us: int) -> Outcome:
        try:
            if len(raw) > MAX_RECORD_BYTES or (nested(raw) and raw.count(b"{") + raw.count(b"[") > MAX_DEPTH):
                return parse(raw, received_us)
            if not raw.isascii():
                raw.decode()
            fields: object = fields_of(raw)
            if prepare is not None and type(fields) is dict:
                fields = prepare(fields)
            if type(fields) is dict:
                outcome = time_of(fields, received_us)
                if type(outcome) is Event and not _may_hold_nul(fields, raw) and not may_be_beyond(raw):
                    return outcome
        except Exception:  # noqa: S110 - whatever it was, the parser tells
            pass
        return parse(raw, received_us)

    return glance


def _may_hold_nul(fields: dict[str, Any], raw: bytes) -> bool:
    # Python reads `2026-03-27T13:06:56\0Z` as a time; the parser has replaced what is no text before.
    for value in fields.values():
        if type(value) is str:
            if "\0" in value:
                return True
        elif type(value) in NESTED and b"\\u0000" in raw:
            return True
    return False


def _fields_of(kept: Sequence[str], glanced: Glanced) -> Callable[[bytes], dict[str, Any] | None]:
    """From a record to its kept fields, or to the time within a shell; None for what the parser must read.

    Raises:
        Exception: the record is none that can be glanced at.
    """
    keys = [*dict.fromkeys([*kept, *filter(None, glanced.elsewhere.values())]), *glanced.elsewhere, *glanced.shells]
    names = [f"f{number}" for number in range(len(keys))]
    kinds: list[Any] = [Any] * (len(keys) - len(glanced.elsewhere) - len(glanced.shells))
    kinds += [msgspec.Raw] * len(glanced.elsewhere)
    kinds += [_nested(shell.path) for shell in glanced.shells.values()]
    struct = msgspec.defstruct(
        "Glanced",
        [(name, kind | msgspec.UnsetType, _UNSET) for name, kind in zip(names, kinds, strict=True)],
        rename=dict(zip(names, keys, strict=True)),
        gc=False,
    )
    called = dict(zip(keys, names, strict=True))
    lines = ["told = decode(raw)"]
    for key, unless in glanced.elsewhere.items():
        but = f" and told.{called[unless]} is UNSET" if unless else ""
        lines += under(f"if told.{called[key]} is not UNSET{but}:", ["return None"])
    lines += ["fields = {}"]
    for key in kept:
        lines += under(f"if told.{called[key]} is not UNSET:", [f"fields[{key!r}] = told.{called[key]}"])
    for key, shell in glanced.shells.items():
        inner = f"told.{called[key]}" + ".inner" * len(shell.path)
        lines += under(f"if told.{called[key]} is not UNSET:", [f"fields[{shell.name!r}] = {inner}"])
    lines += ["return fields"]
    known = {"decode": msgspec.json.Decoder(struct).decode, "UNSET": _UNSET}
    made_of_it: Callable[[bytes], dict[str, Any] | None] = made("raw", lines, known)
    return made_of_it


def _nested(path: Path) -> Any:
    kind: Any = Any
    for key in reversed(path):
        kind = msgspec.defstruct(
            "Shell", [("inner", kind | msgspec.UnsetType, _UNSET)], rename={"inner": key}, gc=False
        )
    return kind
