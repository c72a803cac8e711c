"""Many JSON records at once: which of them are events, and a few of their fields, in one pass that makes nothing else.

A glance (`json_glance.py`) costs three calls from Python for each record, which is more than the looking itself. Here
msgspec is handed a whole chunk, and gives for each record the values of the keys that are asked for, typed so strictly
that whatever is out of the ordinary is not told: its time must be RFC 3339, say, and not wrapped in another object. Of
such a record the parser's verdict is known to be an event; all others are left to the parser.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import msgspec

from breachwatch.sources.event import DAY_US, MAX_RECORD_BYTES
from breachwatch.sources.formats.json_glance import Glanced
from breachwatch.sources.formats.json_lines import MAX_DEPTH
from breachwatch.sources.formats.json_numbers import beyond_range
from breachwatch.sources.formats.lookups import made
from breachwatch.sources.source import Path, Survey

INSTANTS = frozenset({"rfc3339", "iso8601"})
"""Formats that read every RFC 3339 time as msgspec does."""

WORKED_OUT = "ocsf."
"""How native keys begin whose values are derived (`definition.derived_name`)."""

_Never = Annotated[str, msgspec.Meta(pattern="(?!)")]
_Whole = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_Instant = Annotated[datetime, msgspec.Meta(tz=True)]
_Filled = Annotated[str, msgspec.Meta(min_length=1)]
_MARGIN = timedelta(seconds=1)
_ZERO = datetime(1970, 1, 1, tzinfo=UTC)


class Surveyor:
    """Makes surveys of one source's records.

    Args:
        times: top-level or nested paths of its times, in order.
        required: paths that an event must have.
        glanced: what its normaliser does, and where.
    """

    def __init__(self, times: Sequence[Path], required: Sequence[Path], glanced: Glanced) -> None:
        self._times, self._glanced = times, glanced
        self._required = [path for path in required if path not in times]
        tops = (path[0] for path in [*times, *required] if path in times or len(path) > 1)
        self._untold = frozenset([*glanced.changed, *glanced.elsewhere, *glanced.shells, *glanced.apart, *tops])

    def __call__(self, kinds: Sequence[Path | None], fields: Collection[Path]) -> Survey | None:
        """A survey that tells these fields, where it can.

        Args:
            kinds: native paths of the fields by which events are parted into kinds; None for what no event has.
            fields: native paths of fields that rules ask.
        """
        if any(len(path) > 1 for path in self._times) or any(len(path) > 2 for path in self._required):
            return None
        if not all(path is None or self._is_told(path) for path in kinds):
            return None
        told = frozenset(path for path in fields if self._is_told(path))
        shape = _Shape(self._glanced)
        times = [shape.key(path[0], _Instant | None, None) for path in self._times]
        kind = ["None" if path is None else f"told.{shape.value(path[0], _Whole | str | None)}" for path in kinds]
        values = [f"{path[0]!r}: told.{shape.value(path[0], _Whole | str | None)}" for path in sorted(told)]
        for path in self._required:
            shape.require(path)
        return Survey(
            told,
            _look(shape.decoder(), [f"told.{name}" for name in times]),
            made("told", [f"return ({''.join(f'{each}, ' for each in kind)})"], {}),
            made("told", [f"return {{{', '.join(values)}}}"], {}),
        )

    def _is_told(self, path: Path) -> bool:
        """Whether a field stands in ordinary records as it is, under its own name and at the top."""
        key = path[0]
        return len(path) == 1 and key not in self._untold and not key.startswith(WORKED_OUT)


class _Shape:
    """The ordinary record of a source, as msgspec is told it; nothing else is decoded."""

    def __init__(self, glanced: Glanced) -> None:
        self._names: dict[str, str] = {}
        self._kinds: dict[str, Any] = {}
        self._defaults: dict[str, Any] = {}
        self._whole = frozenset(glanced.whole)
        for key in [*glanced.elsewhere, *glanced.shells, *glanced.apart]:
            self.key(key, _Never, "")
        for key in glanced.sure:
            self.key(key, msgspec.Raw, msgspec.NODEFAULT)
        for key in glanced.whole:
            self.key(key, _Whole, msgspec.NODEFAULT)

    def key(self, key: str, kind: Any, default: Any) -> str:
        """Ask for a key; the strictest kind wins where it is asked for twice."""
        if key not in self._names:
            self._names[key] = f"f{len(self._names)}"
            self._kinds[key], self._defaults[key] = kind, default
        return self._names[key]

    def value(self, key: str, kind: Any) -> str:
        """Ask for a key whose value is told, unless it is a whole number or must not be there."""
        if self._kinds.get(key) is msgspec.Raw:
            self._kinds[key] = kind
        return self.key(key, kind, None)

    def require(self, path: Path) -> None:
        """Ask for what an event must have: a text or a number, that is."""
        key, *inner = path
        if inner:
            held = msgspec.defstruct("Held", [("inner", _Filled | _Whole)], rename={"inner": inner[0]}, gc=False)
            self.key(key, held, msgspec.NODEFAULT)
            self.key(".".join(path), _Never, "")
            return
        kind = self._kinds.get(key, msgspec.Raw)
        if kind is not _Never and kind is not _Whole:
            self._kinds[key], self._defaults[key] = _Filled | _Whole, msgspec.NODEFAULT
            self._names.setdefault(key, f"f{len(self._names)}")

    def decoder(self) -> Callable[[bytes], Any]:
        """From a record to its keys; raises for what is not ordinary."""
        fields = [(self._names[key], self._kinds[key], self._defaults[key]) for key in self._names]
        struct = msgspec.defstruct(
            "Told",
            [(name, kind) if default is msgspec.NODEFAULT else (name, kind, default) for name, kind, default in fields],
            rename={name: key for key, name in self._names.items()},
            kw_only=True,
            gc=False,
        )
        return msgspec.json.Decoder(struct).decode


def _look(decode: Callable[[bytes], Any], times: Sequence[str]) -> Callable[[Sequence[bytes], int], list[Any]]:
    """The function of a survey: by record what it told, or None where the parser must be asked."""
    instants: Callable[[list[Any]], list[datetime | None]]
    instants = made("all_told", [f"return [{' or '.join(times)} for told in all_told]"], {})
    may_be_beyond = beyond_range()

    def look(records: Sequence[bytes], received_us: int) -> list[Any]:
        all_told: list[Any] = []
        decoded = map(decode, records)
        while len(all_told) < len(records):
            try:
                all_told.extend(decoded)  # what was told before a record that raises stays
            except Exception:
                all_told.append(None)
        latest = _ZERO + timedelta(microseconds=received_us + DAY_US) - _MARGIN
        usual = [told for told in all_told if told is not None] if None in all_told else all_told
        at = instants(usual)
        if None in at or (at and (min(at) < _ZERO + _MARGIN or max(at) > latest)):  # type: ignore[type-var, operator]
            _drop_untimed(all_told, usual, at, latest)
        _drop_unsure(all_told, records, may_be_beyond)
        return all_told

    return look


def _drop_untimed(all_told: list[Any], usual: list[Any], at: list[datetime | None], latest: datetime) -> None:
    timed = iter(at)
    for index, told in enumerate(all_told):
        if told is not None:
            when = next(timed)
            if when is None or not _ZERO + _MARGIN <= when <= latest:
                all_told[index] = None


def _drop_unsure(all_told: list[Any], records: Sequence[bytes], may_be_beyond: Callable[[bytes], bool]) -> None:
    """Leave to the parser what is too long, too deep, no UTF-8, or holds a number that may be beyond all range."""
    together = b"\n".join(records)
    if len(together) > MAX_RECORD_BYTES and max(map(len, records)) > MAX_RECORD_BYTES:
        _drop(all_told, [len(record) > MAX_RECORD_BYTES for record in records])
    if not together.isascii() and not _is_utf8(together):
        _drop(all_told, [not _is_utf8(record) for record in records])
    lists = b"[" in together
    sure = len(records) - all_told.count(None)  # what told anything has one brace at least
    if together.count(b"{") + (together.count(b"[") if lists else 0) - sure >= MAX_DEPTH:
        opened = [record.count(b"{") for record in records]
        if lists:
            opened = [count + record.count(b"[") for count, record in zip(opened, records, strict=True)]
        if max(opened) > MAX_DEPTH:
            _drop(all_told, [count > MAX_DEPTH for count in opened])
    if may_be_beyond(together):
        _drop(all_told, [may_be_beyond(each) for each in records])


def _drop(all_told: list[Any], are_unsure: Sequence[bool]) -> None:
    for index, is_unsure in enumerate(are_unsure):
        if is_unsure:
            all_told[index] = None


def _is_utf8(record: bytes) -> bool:
    try:
        record.decode()
    except UnicodeDecodeError:
        return False
    return True
