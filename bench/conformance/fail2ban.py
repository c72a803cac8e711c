"""fail2ban's annotated lines: match or not, address, user and time, for every service that is a source here.

A filter of fail2ban says one thing of a line: ban for it, or not. Here it is a question to the event, such as a rule
would put it: `QUESTIONS`. Modes (`normal`, `ddos`, `extra`, `aggressive`) widen the question. A line is right when it
is answered as fail2ban does in each mode that its test names, and then address, user and time are the same.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bench.conformance.cases import ARRIVED, Case, data, read, told_time
from breachwatch.sources.event import Event

ZONE = "Europe/Zurich"  # of fail2ban's test suite
YEARLESS = datetime(2005, 8, 14, 12, tzinfo=UTC)  # it completes years as of this day
HEAD = "Aug 14 11:00:00 "  # what the journal would tell beside lines that fail2ban gets without a time

Fields = dict[str, Any]
Ask = Callable[[Fields, str], bool]


def failed(fields: Fields, _mode: str) -> bool:
    return fields.get("status") == "Failure"


def action(*names: str) -> Ask:
    return lambda fields, _mode: fields.get("action") in names


def status(code: int) -> Ask:
    return lambda fields, _mode: fields.get("sc-status") == code


def sshd(fields: Fields, mode: str) -> bool:
    what, detail, known = fields["action"], fields.get("detail", ""), "src_ip" in fields
    early, lacking = fields.get("preauth", False), "authentication methods available" in detail
    asked = (
        (what == "failed" and (fields["auth_method"] != "publickey" or fields.get("invalid_user", False)))
        or what in {"invalid_user", "pam_error", "root_refused", "refused"}
        or (what == "not_allowed" and known)
        or (what == "too_many_attempts" and known and not detail)
        or (what == "disconnecting" and detail.startswith("Change of username"))
        or (what == "disconnect_received" and (early or "Auth fail" in detail) and not lacking)
    )
    if mode in {"ddos", "aggressive"}:
        asked |= (
            (what in {"closed", "reset"} and early)
            or (what in {"no_identification", "broken", "timeout"} and known)
            or (what == "disconnected" and early and "user" not in fields)
        )
    if mode in {"extra", "aggressive"}:
        asked |= (
            (what == "negotiation_failed" and known)
            or (what == "disconnect_received" and lacking)
            or (what == "disconnected" and early)
        )
    return asked


def apache_auth(fields: Fields, mode: str) -> bool:
    wider = {"denied", "sni_mismatch", *(["limited"] if mode == "aggressive" else [])}
    return failed(fields, mode) or fields.get("action") in wider


def nginx_auth(fields: Fields, mode: str) -> bool:
    tls = mode in {"fallback", "aggressive"} and fields.get("action") == "tls_failed"
    return tls or (failed(fields, mode) and mode != "fallback")


def traefik(fields: Fields, mode: str) -> bool:
    named = "cs-username" in fields
    wanted = {"normal": named, "ddos": not named}.get(mode, True)
    return fields.get("sc-status") == 401 and wanted


def dovecot(fields: Fields, mode: str) -> bool:
    return failed(fields, mode) or (mode == "aggressive" and fields.get("action") == "no_attempt")


def postfix(fields: Fields, mode: str) -> bool:
    wide = {"rejected", "abuse"} if mode in {"normal", "more", "extra", "aggressive", "rbl"} else set()
    harsh = {"lost", "timeout", "limited"} if mode in {"ddos", "aggressive", "errors"} else set()
    return (failed(fields, mode) and mode in {"auth", "aggressive", "more"}) or fields.get("action") in wide | harsh


def says(field: str, pattern: str) -> Ask:
    seek = re.compile(pattern).search
    return lambda fields, _mode: seek(str(fields.get(field, ""))) is not None


def knocked(fields: Fields, _mode: str) -> bool:
    return fields.get("sc-status") == 200 and "cs-username" in fields


def botsearch(fields: Fields, _mode: str) -> bool:
    return fields.get("sc-status") == 404 or fields.get("action") in {"not_found", "script_not_found"}


QUESTIONS: dict[str, tuple[str, Ask]] = {
    "apache-auth": ("apache", apache_auth),
    "apache-botsearch": ("apache", botsearch),
    "apache-fakegooglebot": ("apache", says("cs-user-agent", r"Googlebot")),
    "apache-modsecurity": ("apache", action("modsec_denied")),
    "apache-nohome": ("apache", says("path", r"/~")),
    "apache-noscript": ("apache", action("script_not_found")),
    "apache-overflows": ("apache", action("bad_request")),
    "apache-pass": ("apache", knocked),
    "apache-shellshock": ("apache", action("shellshock")),
    "dovecot": ("mail-server", dovecot),
    "dropbear": ("linux-auth", lambda fields, _mode: fields["action"] in {"failed", "too_many_attempts"}),
    "exim": ("mail-server", lambda fields, mode: failed(fields, mode) or fields["action"] == "rejected"),
    "exim-spam": ("mail-server", action("rejected")),
    "haproxy-http-auth": ("haproxy", status(401)),
    "mongodb-auth": ("mongodb", lambda fields, mode: failed(fields, mode) and "src_ip" in fields),
    "mssql-auth": ("mssql", failed),
    "mysqld-auth": ("mysql", failed),
    "nginx-bad-request": ("nginx", status(400)),
    "nginx-botsearch": ("nginx", botsearch),
    "nginx-forbidden": ("nginx", action("denied")),
    "nginx-http-auth": ("nginx", nginx_auth),
    "nginx-limit-req": ("nginx", action("limited")),
    "pam-generic": ("linux-auth", action("pam_failure")),
    "php-url-fopen": ("web-access", says("cs-uri-query", r"=(?:https?|ftps?|php)(?:://|%3A)")),
    "postfix": ("mail-server", postfix),
    "proxmox": ("linux-auth", failed),
    "recidive": ("fail2ban", action("ban")),
    "selinux-ssh": ("linux-auditd", failed),
    "sendmail-auth": ("mail-server", failed),
    "sshd": ("linux-sshd", sshd),
    "sshd-journal": ("linux-sshd", sshd),
    "traefik-auth": ("traefik", traefik),
}
"""By file of fail2ban's tests: the source here, and the question."""


@dataclass(frozen=True, slots=True)
class Annotated:
    """A line of fail2ban's tests with what is said above it, and the modes it is tested in."""

    number: int
    line: str
    expected: dict[str, Any]
    modes: tuple[str, ...]


def annotated(name: str) -> Iterator[Annotated]:
    modes: tuple[str, ...] = ("normal",)
    expected: dict[str, Any] = {}
    for number, line in enumerate(data("fail2ban-logs", name).read_text(encoding="utf-8").split("\n"), 1):
        if found := re.match(r"# ?(filterOptions|failJSON): (.*)", line):
            told = json.loads(found[2])
            if found[1] == "failJSON":
                expected = told
            else:
                options = told if isinstance(told, list) else [told]
                modes = tuple(option.get("mode", "normal") for option in options)
        elif line and not line.startswith("#"):
            yield Annotated(number, line, expected, tuple(mode for mode in modes if _applies(expected, mode)))


def _applies(expected: dict[str, Any], mode: str) -> bool:
    told = re.fullmatch(r"opts\.get\('mode'\) (==|!=) '(\w+)'", str(expected.get("constraint", "")))
    return told is None or (told[1] == "==") == (mode == told[2])


def cases() -> list[Case]:
    """Every annotated line of every file that is of a source here."""
    files = [path.name for path in sorted(data("fail2ban-logs").iterdir()) if path.name in QUESTIONS]
    return [_case(name, *QUESTIONS[name], each) for name in files for each in annotated(name)]


def others() -> dict[str, int]:
    """Files of services that are no source here, with their numbers of lines."""
    names = [path.name for path in sorted(data("fail2ban-logs").iterdir()) if path.is_file()]
    left = (name for name in names if name not in QUESTIONS and name not in {"LICENSE", "SOURCE.md"})
    return {name: sum(1 for _ in annotated(name)) for name in left}


def _case(name: str, source: str, ask: Ask, each: Annotated) -> Case:
    at = f"{name}:{each.number}"
    miss = _miss(source, ask, each)
    return Case(name, at, miss, explanation(name, each, miss) if miss else "")


def _miss(source: str, ask: Ask, each: Annotated) -> str:
    expected, line = each.expected, each.line
    written = _year_of(line)
    carried = "time" not in expected and not re.match(r"(?:<\d|\[|@4|type=|\{|[A-Z][a-z]{2} +\d|\d{1,4}[-/.:])", line)
    outcome = read(source, HEAD + line if carried else line, ARRIVED if written else YEARLESS, ZONE)
    if not isinstance(outcome, Event):
        return f"not read: {outcome.reason}" if expected["match"] else ""
    answers = {ask(outcome.fields, mode) for mode in each.modes}
    if answers and answers != {bool(expected["match"])}:
        return "not matched" if expected["match"] else "matched"
    return _differences(outcome, expected, yearless=not written) if expected["match"] else ""


def _year_of(line: str) -> bool:
    return re.match(r"[A-Z][a-z]{2} +\d{1,2} \d\d:", line) is None or re.search(r"\b20[0-2]\d\b", line) is not None


def _differences(outcome: Event, expected: dict[str, Any], *, yearless: bool) -> str:
    fields, found = outcome.fields, []
    host = expected.get("host", expected.get("ip4", expected.get("ip6")))
    address = fields.get("src_ip", fields.get("c-ip"))
    if host is not None and address != host:
        found.append("address")
    user = fields.get("user", fields.get("cs-username", ""))
    if "user" in expected and user != expected["user"]:
        found.append("user")
    if "time" in expected:
        told = told_time(outcome, ZONE).strftime("%Y-%m-%dT%H:%M:%S")
        if told != expected["time"] and (
            yearless or told[5:] != expected["time"][5:] or expected["time"][:4] != "2004"
        ):
            found.append("time")
    return ", ".join(f"other {what}" for what in found)


def explanation(name: str, each: Annotated, miss: str) -> str:
    """The name of the reason (of `WHY`) for which a line is seen otherwise here."""
    line = each.line
    if line.startswith("@4") and miss == "other time":
        return "tai"
    if name == "mongodb-auth" and "end connection" in line:
        return "joined"
    if name.startswith("sshd"):
        return "left" if "from 10.10.1.2" in line and miss == "other address" else "joined"
    return "old-pam" if name == "pam-generic" and "(pam_unix)[" in line else ""


WHY = {
    "joined": "fail2ban joins the lines of one process: the address, or the failure, was told by an earlier line. A"
    " record is read alone here; rules correlate events by `pid`.",
    "left": "The user name is written to look like the end of the line. OpenSSH writes the client's address last, so"
    " the one on the right is believed here.",
    "tai": "A TAI64N label is 10 seconds ahead of UTC, and is read so; fail2ban reads it as if it were not.",
    "old-pam": "The form that PAM wrote before 2006 is read here; fail2ban no longer matches it.",
}
