"""The frame of a syslog line as it lies in a file: time, host, program, process id, and what is left to say.

RFC 3164 (`Mar 27 13:06:56 host sshd[71]: ...`), the same with an ISO 8601 time as modern rsyslog and journalctl write
it, RFC 5424 (`<38>1 2026-03-27T13:06:56Z host sshd 71 - - ...`), and multilog's TAI64N labels (`@4000...`); the
priority in front may be absent.
"""

import re
from collections.abc import Callable
from datetime import tzinfo
from typing import NamedTuple

from breachwatch.sources.event import BAD_TIME, BLANK, MAX_RECORD_BYTES, TOO_LONG, Dead, Ignored, printable
from breachwatch.sources.formats.times import SECOND_US, YearlessTimes, fraction_us, read_instant

NOT_SYSLOG = Dead("not a syslog line")
REPEAT_OF_UNKNOWN = Ignored("repeat of an unknown line")


class Line(NamedTuple):
    """A syslog line. `program` is the last part of a path; `pid` and `host` may be absent."""

    at_us: int
    host: str | None
    program: str
    pid: int | None
    message: str


_REPEATED = re.compile(r"message repeated (\d{1,9}) times: \[ ?(.*)\]", re.DOTALL)


def unrepeated(message: str) -> tuple[str, int | None]:
    """What a message says, and how many times it does: `message repeated 3 times: [ ... ]` is unwrapped."""
    if message.startswith("message repeated ") and (found := _REPEATED.fullmatch(message)):
        return found[2].rstrip(" "), int(found[1])
    return message, None


Read = Callable[[bytes, int], Line | Dead | Ignored]

_YEARLESS = re.compile(
    r"(?:<\d{1,3}>)?(([A-Z][a-z]{2}) {1,2}(\d{1,2}) (?:(\d{4}) )?(\d\d:\d\d)):([0-5]\d|60)(?:[.,](\d{1,9}))? (.*)",
    re.ASCII | re.DOTALL,
)
_SHAPE = re.compile(rb"(?:<\d{1,3}>)?(?:1 )?(?:[A-Z][a-z]{2} {1,2}\d{1,2} |\d{4}-\d\d-\d\d[T ])")
_DATED = re.compile(r"(?:<\d{1,3}>)?(1 )?(\d{4}-\d\d-\d\d[T ]\S+) (.*)", re.ASCII | re.DOTALL)
_PROGRAM = r"[^\s\[:(]+(?:\([^\s()]*\)(?:<[^\s<>]*>)*|[^\s\[:]*)"  # Dovecot's name their session: `auth(ana,::1)<x>`
_TAGGED = re.compile(
    rf"(?:([^\s\[\]]*[^\s\[\]:]) )?"
    rf"(?:({_PROGRAM})(?:\[(\d{{1,10}})\](?: [\w.-]+)?(?::|(?= \())|:)|\[([^\s\[\]:]+)\]:?)(?: (.*)|)",
    re.ASCII | re.DOTALL,
)
_STRUCTURED = re.compile(
    r'(\S+) (\S+) (\S+) \S+ (?:-|(?:\[[^"\]\\]*+(?:(?:\\.|"[^"\\]*+(?:\\.[^"\\]*+)*")[^"\]\\]*+)*\])+)(?: (.*)|)',
    re.ASCII | re.DOTALL,
)
_TAI64N = re.compile(r"@(4[0-9a-f]{15})([0-9a-f]{8}) (.*)", re.DOTALL)
_REPEAT = re.compile(r"(?:\S+ )?last message repeated \d+ times?")


def reader(zone: tzinfo) -> Read:
    """A reader of syslog lines whose times without an offset are of `zone`."""
    read_text = text_reader(zone)

    def read(raw: bytes, received_us: int) -> Line | Dead | Ignored:
        return TOO_LONG if len(raw) > MAX_RECORD_BYTES else read_text(printable(raw), received_us)

    return read


def text_reader(zone: tzinfo) -> Callable[[str, int], Line | Dead | Ignored]:
    """As `reader`, for lines that are text already."""
    times = YearlessTimes(zone)

    def read(text: str, received_us: int) -> Line | Dead | Ignored:
        found = _YEARLESS.match(text)
        if found is None:
            return _read_dated(text, zone, received_us)
        whole, month, day, year, clock, second, fraction, rest = found.groups()
        within_us = int(second) * SECOND_US + (fraction_us(fraction) if fraction else 0)
        if year is None:
            at_us = times.minute(whole, month, day, clock, received_us, within_us)
        else:
            at_us = times.minute_of(int(year), month, day, clock, received_us)
        return BAD_TIME if at_us is None else _read_tagged(at_us + within_us, rest)

    return read


def has_shape(raw: bytes) -> bool:
    """Whether a record begins as syslog lines do: cheaper than reading it, for lines that will not be needed."""
    return _SHAPE.match(raw) is not None


def _read_dated(text: str, zone: tzinfo, received_us: int) -> Line | Dead | Ignored:
    found = _DATED.match(text)
    if found is None:
        if tai := _TAI64N.match(text):
            return _read_tagged(_of_tai64n(tai[1], tai[2]), tai[3])
        return NOT_SYSLOG if text.strip() else BLANK
    version, stamp, rest = found.groups()
    at_us = read_instant(stamp, zone, received_us)
    if at_us is None:
        return BAD_TIME
    return _read_structured(at_us, rest) if version else _read_tagged(at_us, rest)


def _read_tagged(at_us: int, rest: str) -> Line | Dead | Ignored:
    found = _TAGGED.match(rest)
    if found is None:
        return REPEAT_OF_UNKNOWN if _REPEAT.fullmatch(rest) else NOT_SYSLOG
    host, program, pid, bracketed, message = found.groups()
    return Line(at_us, host, _base(program or bracketed), int(pid) if pid else None, message or "")


def _read_structured(at_us: int, rest: str) -> Line | Dead:
    found = _STRUCTURED.match(rest)
    if found is None:
        return NOT_SYSLOG
    host, program, pid, message = found.groups()
    number = int(pid) if pid.isascii() and pid.isdigit() and len(pid) <= 10 else None
    return Line(at_us, None if host == "-" else host, _base(program), number, (message or "").removeprefix("\ufeff"))


def _of_tai64n(seconds: str, nanoseconds: str) -> int:
    # The label is 2**62 plus seconds of TAI, which was 10 ahead at the epoch; multilog counts no leap second after it.
    return (int(seconds, 16) - 2**62 - 10) * SECOND_US + int(nanoseconds, 16) // 1000


def _base(program: str) -> str:
    name, bracket, rest = program.partition("(")
    return f"{name.rpartition('/')[2]}{bracket}{rest}"
