"""OSSEC's rule tests, by meaning: does the event say what the title of the case says?

A case has lines that its rule must match (`pass`) and lines that it must not (`fail`). Its title is asked of the event
(`MEANS`); a case whose rule only groups or decodes asks no more than to be read, as an event of the right source.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from bench.conformance.cases import Case, data, read
from breachwatch.sources.event import Dead, Event

Fields = dict[str, Any]
Ask = Callable[[Fields], bool]

SOURCES = {
    "apache": "apache",
    "dropbear": "linux-auth",
    "modsecurity": "apache",
    "mysql_log": "mysql",
    "nginx": "nginx",
    "pam": "linux-auth",
    "postfix": "mail-server",
    "postgresql_log": "postgresql",
    "sshd": "linux-sshd",
    "su": "linux-auth",
    "sudo": "linux-auth",
    "systemd": "linux-auth",
    "web_appsec": "web-access",
    "web_rules": "web-access",
}
"""By file of OSSEC's tests: the source here. Files of other systems are no sources."""


def action(*names: str) -> Ask:
    return lambda fields: fields.get("action") in names


def failed(fields: Fields) -> bool:
    return fields.get("status") == "Failure"


def says(field: str, pattern: str) -> Ask:
    seek = re.compile(pattern).search
    return lambda fields: seek(str(fields.get(field, ""))) is not None


def either(*asks: Ask) -> Ask:
    return lambda fields: any(ask(fields) for ask in asks)


def both(*asks: Ask) -> Ask:
    return lambda fields: all(ask(fields) for ask in asks)


def anything(_fields: Fields) -> bool:
    return True


_posted = says("cs-method", r"^POST$")

MEANS: dict[str, Ask] = {
    # apache, modsecurity
    "Attempt to access forbidden directory index.": action("denied"),
    "Code Red attack": action("bad_request"),
    "Attempt to access an non-existent file": action("not_found", "script_not_found"),
    "Attempt to access forbidden file or directory": action("denied"),
    "PHP Notices in Apache 2.4 errorlog": action("php"),
    "auth fail": failed,
    "script 404": action("script_not_found"),
    "permission denied": action("denied"),
    "ModSecurity Warning messages grouped": action("modsec_warned"),
    "ModSecurity Audit log messages grouped": action("modsec_other"),
    "ModSecurity rejected a query": action("modsec_denied"),
    # pam
    "User login failed.": both(failed, action("pam_failure")),
    "Attempt to login with an invalid user.": action("pam_unknown_user"),
    "Login session opened.": action("session_opened"),
    "Login session closed.": action("session_closed"),
    "User missed the password more than one time": both(action("pam_failure"), lambda fields: fields["repeated"] > 1),
    # sudo, su
    "Successful sudo to ROOT executed": both(action("sudo"), says("target_user", "^root$")),
    "First time user executed sudo.": action("sudo"),
    "Failed attempt to run sudo": failed,
    "Three failed attempts to run sudo": failed,
    "User successfully changed UID to root.": action("su"),
    "User missed the password to change UID to root.": failed,
    # sshd
    "ssh unable to negotiate": action("negotiation_failed"),
    "ssh no matching key exchange": action("negotiation_failed"),
    "ssh connection reset by peer": action("reset"),
    "invalid user": lambda fields: fields.get("invalid_user") is True and fields["action"] != "pam_error",
    "login failed": action("failed", "probed"),
    "bad dns": action("reverse_mapping"),
    "max auth attempts": both(action("too_many_attempts"), lambda fields: not fields.get("invalid_user")),
    "bad protocol": action("no_identification"),
    "blocked by tcpwrapper": action("refused"),
    "ssh bad client public DH value": action("disconnecting"),
    # web
    "WordPress Comment Spam (coming from a fake search engine UA).": both(
        _posted, says("cs-uri-stem", "wp-comments-post"), says("cs-user-agent", "^(?:Googlebot|msnbot|BingBot)/")
    ),
    "TimThumb vulnerability exploit attempt.": says("cs-uri", r"thumb\.php\?src="),
    "osCommerce login.php bypass attempt.": says("cs-uri", r"\.php/login\.php\?cPath="),
    "osCommerce file manager login.php bypass attempt.": says("cs-uri", r"/admin/\S+\.php/login\.php"),
    "TimThumb backdoor access attempt.": says("cs-uri-stem", r"/cache/external\w*\.php"),
    "Cart.php directory transversal attempt.": says("cs-uri", r"cart\.php\?\S*templatefile=\.\./"),
    "Blacklisted user agent (known malicious user agent).": says(
        "cs-user-agent", r"(?i)ZmEu|libwww-perl|the beast|Morfeus|Nikto|w3af|MJ12bot|muhstik"
    ),
    "CMS (WordPress or Joomla) login attempt.": both(_posted, says("cs-uri-stem", r"wp-login\.php|/administrator")),
    "Blacklisted user agent (wget).": says("cs-user-agent", r"^Wget/"),
    "Uploadify vulnerability exploit attempt.": says("cs-uri", r"uploadify\.php\?src=http://"),
    "BBS delete.php exploit attempt.": says("cs-uri", r"delete\.php\?board_skin_path=http://"),
    "Simple shell.php command execution.": says("cs-uri", r"shell\.php\?cmd="),
    "PHPMyAdmin scans (looking for setup.php).": both(
        says("cs-uri-stem", r"/scripts/setup\.php$"), lambda fields: fields["sc-status"] == 404
    ),
    "Suspicious URL access.": says("cs-uri", r"\.(?:php\.(?:swp|bak)|htaccess|ssh|history)$|/server-status"),
    "POST request received.": both(_posted, lambda fields: not re.search("/(?:wp-)?admin", fields["cs-uri"])),
    "Ignoring often post requests inside /wp-admin and /admin.": both(
        _posted, lambda fields: not re.search("/(?:wp-)?admin", fields["cs-uri"])
    ),
}


class Line(NamedTuple):
    """A line of a case: must the rule of `title` match it?"""

    at: str
    title: str
    decoder: str
    wanted: bool
    text: str


def lines(name: str) -> Iterator[Line]:
    waiting: list[tuple[int, bool, str]] = []
    title = ""
    path = data("ossec-tests", f"{name}.ini")
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="surrogateescape").split("\n"), 1):
        if line.startswith((";", "#")):
            continue
        if found := re.fullmatch(r"\[(.*)\]\s*", line):
            title = found[1]
        elif found := re.match(r"log \d+ (pass|fail) ?= ?(.*)", line):
            waiting.append((number, found[1] == "pass", found[2]))
        elif found := re.match(r"decoder ?= ?(.*)", line):
            yield from (Line(f"{name}.ini:{at}", title, found[1], wanted, text) for at, wanted, text in waiting)
            waiting = []


def cases() -> list[Case]:
    """Every line of every file that is of a source here."""
    names = [path.stem for path in sorted(data("ossec-tests").glob("*.ini")) if path.stem in SOURCES]
    return [_case(name, line) for name in names for line in lines(name)]


def others() -> dict[str, int]:
    """Files of systems that are no source here, with their numbers of lines."""
    names = [path.stem for path in sorted(data("ossec-tests").glob("*.ini")) if path.stem not in SOURCES]
    return {name: sum(1 for _ in lines(name)) for name in names}


def _case(name: str, line: Line) -> Case:
    outcome = read(SOURCES[name], line.text)
    ask = MEANS.get(line.title, anything)
    if not isinstance(outcome, Event):
        miss = f"not read: {outcome.reason}" if line.wanted or isinstance(outcome, Dead) else ""
        return Case(name, line.at, miss, "no-time" if "no time" in miss else "")
    if ask is anything:
        return Case(name, line.at)
    if ask(outcome.fields) == line.wanted:
        return Case(name, line.at)
    return Case(name, line.at, "not meant" if line.wanted else "meant")


WHY = {
    "no-time": "The line begins at the level, without any time: what has no time is no event here. OSSEC takes the time"
    " of reading.",
}
