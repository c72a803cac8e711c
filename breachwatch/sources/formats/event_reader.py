"""Fields with names of any kind to an event: where its time is, what it must have, what is worked out beside."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from breachwatch.sources.event import BAD_TIME, NO_TIME, Dead, Event, Outcome, Parse, placed
from breachwatch.sources.formats.lookups import look_up, made, under
from breachwatch.sources.formats.times import ReadTime
from breachwatch.sources.source import Path

NESTED = (dict, list)

EventOf = Callable[..., Outcome]
"""`(fields, received_at in microseconds[, time of the carrier's header in microseconds]) -> Outcome`.

The header's time is that of a record whose fields tell none that can be read.
"""


@dataclass(frozen=True, slots=True)
class Derived:
    """An attribute that is worked out when a record is read, and kept under the native name `key`.

    The first of `paths` that has a value; `values` (its keys in lower case) translates its text. What `values` does not
    list stays as it is, or is `otherwise`; `absent` is the value where no path has one.
    """

    key: str
    paths: tuple[Path, ...]
    values: Mapping[str, Any] = field(default_factory=dict)
    otherwise: Any = None
    absent: Any = None


def event_reader(
    time_paths: Sequence[Path],
    readers: Sequence[ReadTime],
    required: Sequence[Path],
    derived: Sequence[Derived],
    *,
    time_required: bool = True,
) -> EventOf:
    """A function from fields to an event, or to why they are none.

    Args:
        time_paths: where the event time may be, in order; the first that can be read wins.
        readers: formats of the event time, the first that can read it wins.
        required: paths without which a record is dead.
        derived: what is worked out beside the fields as they came.
        time_required: without any time a record is dead; else it is taken to have happened when it was received.
    """
    known: dict[str, Any] = {"NESTED": NESTED, "BAD_TIME": BAD_TIME, "placed": placed, "no_time": _no_time(time_paths)}
    known |= {f"read_{number}": read for number, read in enumerate(readers)}
    lines = []
    if len(time_paths) == 1 and time_required:
        lines += [
            *look_up(time_paths[0], "stamp"),
            *under("if stamp is None and header_us is None:", ["return no_time"]),
        ]
    lines += _required(required, known)
    lines += _derivations(derived, known)
    lines += ["at_us = None", "told = False", *_time_of(time_paths, len(readers))]
    untimed = "return no_time" if time_required else "at_us = received_us"
    lines += under("if at_us is None:", ["at_us = header_us", *under("if at_us is None and not told:", [untimed])])
    lines += ["return BAD_TIME if at_us is None else placed(at_us, received_us, fields)"]
    reader: EventOf = made("fields, received_us, header_us=None", lines, known)
    return reader


def _time_of(paths: Sequence[Path], readers: int) -> list[str]:
    """Statements for the time at the first of some places where there is one that can be read."""
    path, *others = paths
    reads = ["told = True", "at_us = read_0(stamp, received_us)"]
    for number in range(1, readers):
        reads += under("if at_us is None:", [f"at_us = read_{number}(stamp, received_us)"])
    lines = [*look_up(path, "stamp"), *under("if stamp is not None:", reads)]
    return lines + under("if at_us is None:", _time_of(others, readers)) if others else lines


def with_derived(parse: Parse, derived: Sequence[Derived]) -> Parse:
    """A parser whose events have what is worked out beside the fields that they came with."""
    if not derived:
        return parse
    known: dict[str, Any] = {"NESTED": NESTED}
    add = made("fields", [*_derivations(derived, known), "return None"], known)

    def parse_more(raw: bytes, received_us: int) -> Outcome:
        outcome = parse(raw, received_us)
        if type(outcome) is Event:
            add(outcome.fields)
        return outcome

    return parse_more


def _no_time(paths: Sequence[Path]) -> Dead:
    return NO_TIME if tuple(paths) == (("time",),) else Dead(f"no time in {' or '.join(map('.'.join, paths))}")


def _required(required: Sequence[Path], known: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    for number, path in enumerate(required):
        known[f"lacking_{number}"] = Dead(f"no {'.'.join(path)}")
        lines += look_up(path, "value")
        lines += under("if value is None or value == '' or type(value) in NESTED:", [f"return lacking_{number}"])
    return lines


def _derivations(derived: Sequence[Derived], known: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    for number, each in enumerate(derived):
        known[f"meanings_{number}"] = dict(each.values)
        known[f"absent_{number}"] = each.absent
        known[f"otherwise_{number}"] = each.otherwise
        lines += _derivation(each, number)
    return lines


def _derivation(derived: Derived, number: int) -> list[str]:
    first, *others = derived.paths
    lines = look_up(first, "value")
    for path in others:
        lines += under("if value is None:", look_up(path, "value"))
    meanings = f"meanings_{number}"
    if derived.values or derived.otherwise is not None:
        rest = "value" if derived.otherwise is None else f"otherwise_{number}"
        text = f"value = {meanings}.get(value) or {meanings}.get(value.lower(), {rest})"
        other = f"value = {meanings}.get(str(value).lower(), {rest})"
        lines += under("if type(value) is str:", [text])
        lines += under("elif value is not None and type(value) not in NESTED:", [other])
    lines += under("if value is not None:", [f"fields[{derived.key!r}] = value"])
    if derived.absent is not None:
        return lines + under("else:", [f"fields[{derived.key!r}] = absent_{number}"])
    return lines + under(f"elif {derived.key!r} in fields:", [f"del fields[{derived.key!r}]"])
