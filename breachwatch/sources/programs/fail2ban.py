"""fail2ban's own log: whom it found, banned and unbanned, and in which jail.

`2026-03-27 13:06:56,123 fail2ban.actions [71]: NOTICE [sshd] Ban 192.0.2.7`, as a file or through syslog.
"""

import re
from datetime import tzinfo

from breachwatch.sources.event import BAD_TIME, BLANK, Dead, Outcome, Parse, placed
from breachwatch.sources.formats.outcomes import Fields, guarded
from breachwatch.sources.formats.syslog import Line, text_reader
from breachwatch.sources.formats.times import read_instant
from breachwatch.sources.formats.zoned import ZonedTimes

NOT_FAIL2BAN = Dead("not a fail2ban line")

_FILE = re.compile(
    r"(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d)(?:[.,](\d{1,6}))?([+-]\d\d:?\d\d|Z)?,? +(.*)", re.ASCII | re.DOTALL
)
_COMPONENT = re.compile(
    r"(?:fail2ban\.?(\w*) *)?(?:\[(\d{1,10})\])?:? *(?:(CRITICAL|ERROR|WARNING|NOTICE|INFO|DEBUG)\s+)?(.*)", re.DOTALL
)
_DEED = re.compile(
    r"\[([^\[\]]+)\] (?:(Restore) )?"
    r"(Ban|Unban|Found|Ignore|Increase Ban|Already banned|already banned|[Ss]tarted|[Ss]topped)"
    r"(?: (\S+))?(?: (?:- (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)|by (\S+)|\((\d+) # .*\)|.*))?",
    re.DOTALL,
)
_ALREADY = re.compile(r"\[([^\[\]]+)\] (\S+) already banned.*")
_ACTIONS = {
    "Ban": "ban",
    "Increase Ban": "ban",
    "Unban": "unban",
    "Found": "found",
    "Ignore": "ignored",
    "Already banned": "already_banned",
    "already banned": "already_banned",
}


def parser(zone: tzinfo) -> Parse:
    """A parser of fail2ban's log; its times are of `zone`."""
    times = ZonedTimes(zone)
    line_of = text_reader(zone)

    def read(text: str, received_us: int) -> Outcome:
        found = _FILE.fullmatch(text)
        if found is not None and found[4].startswith("fail2ban"):
            time = f"{found[1]}.{found[2]}" if found[2] else found[1]
            at_us = times.read(time, found[3], received_us) if found[3] != "Z" else read_instant(f"{time}Z", zone, 0)
            return BAD_TIME if at_us is None else placed(at_us, received_us, _fields(found[4], {}))
        line = line_of(text, received_us)
        if not isinstance(line, Line):
            return line if text.strip() else BLANK
        if not line.program.startswith("fail2ban"):
            return NOT_FAIL2BAN
        fields: Fields = {} if line.host is None else {"host": line.host}
        name = line.program.partition(".")[2]
        return placed(line.at_us, received_us, _fields(f"fail2ban.{name} {line.message}", fields))

    return guarded(read)


def _fields(text: str, fields: Fields) -> Fields:
    found = _COMPONENT.fullmatch(text)
    component, pid, level, message = found.groups() if found else (None, None, None, text)
    for name, value in (("component", component), ("level", level)):
        if value:
            fields[name] = value
    if pid:
        fields["pid"] = int(pid)
    fields["message"] = message
    if already := _ALREADY.fullmatch(message):
        fields["jail"], fields["src_ip"], fields["action"] = already[1], already[2], "already_banned"
    elif deed := _DEED.fullmatch(message):
        jail, restored, what, address, seen_at, _, times = deed.groups()
        fields["jail"], fields["action"] = jail, _ACTIONS.get(what, what.lower())
        if address and what in _ACTIONS:
            fields["src_ip"] = address
        if restored:
            fields["restored"] = True
        if seen_at:
            fields["seen_at"] = seen_at
        if times:
            fields["times"] = int(times[:9])
    else:
        fields["action"] = "other"
    return fields
