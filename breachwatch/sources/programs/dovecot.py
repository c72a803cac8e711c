"""What Dovecot says, through syslog or in a log file of its own: logins, guesses, and how sessions ended.

`dovecot: imap-login: Disconnected (auth failed, 1 attempts): user=<ana>, method=PLAIN, rip=192.0.2.7, lip=198.51.100.1`

User names are the client's to choose and stand before the client's address, so the address is sought behind them.
"""

import re

from breachwatch.sources.formats.endpoints import put_client, unmapped
from breachwatch.sources.formats.outcomes import AUTHENTICATION, FAILURE, SUCCESS, Fields

PROGRAMS = re.compile(
    r"dovecot(?:-auth)?|auth(?:-worker)?(?:\(.*\))?(?:<.*>)?|\w+-login(?:\(.*\))?|(?:imap|pop3|lmtp|submission|managesieve)"
    r"\(.*\)(?:<.*>)*"
)
_LEVEL = re.compile(r"(?:Info|Warning|Error|Debug|Fatal|Panic): ")
_CONN = re.compile(r"conn unix:\S+ \([^()]*\): auth-worker<\d+>: ")
_SERVICE = re.compile(r"([\w-]+(?:\([^()]*\))?(?:<[^<>\s]*>)*): (.*)", re.DOTALL)
_WHO = re.compile(
    r"(.*?): (?:user=<(.*)>, )?(?:method=([^,\s]*), )?rip=([^,\s]+)(?:, lip=([^,\s]+))?(?:, (.*))?", re.DOTALL
)
_SASL = re.compile(r"auth(?:-worker)?\((.*),([^,]*),sasl:\w+\)(?:<.*>)?")
_BACKEND = re.compile(r"(\w[\w-]*)\((.*?),([0-9a-fA-F.:]*)(?:,[^()]*)?\): (.*)", re.DOTALL)
_PLAIN = re.compile(r"(\w[\w-]*): (.*)", re.DOTALL)
_WRONG = (
    ("unknown user", re.compile(r"unknown user\b|.*User not known", re.IGNORECASE)),
    (
        "wrong password",
        re.compile(r"password mismatch\b|invalid credentials\b|.*Authentication failure", re.IGNORECASE),
    ),
    ("rejected", re.compile(r"pam_authenticate\(\) failed: |.*[Pp]ermission denied|.*account .*expired")),
)
_REASONS: tuple[tuple[str, bool, re.Pattern[str]], ...] = (
    ("auth_failed", True, re.compile(r"\(auth failed, (\d+) attempts|\(proxy dest auth failed()")),
    ("auth_refused", True, re.compile(r"\(tried to use dis(?:abled|allowed) \w+ auth\)()")),
    (
        "no_attempt",
        False,
        re.compile(r"\(no auth attempts|during TLS handshake|before auth was ready|finish SASL auth()"),
    ),
)
_TRAFFIC = re.compile(r"\bin=(\d{1,18}) out=(\d{1,18})\b")
_SESSION = re.compile(r"(\w[\w-]*)\(([^()<>]*)\)(?:<.*>)*")


def understand(program: str, message: str, fields: Fields) -> None:
    """Put what Dovecot says into fields; `action` is `other` where there is nothing to say.

    Args:
        program: as syslog's header, or the beginning of a line of Dovecot's own file, tells it.
        message: what stands behind it.
        fields: gains `service`, `action`, `user`, `src_ip`, `auth_method`, `attempts`, `backend`, `bytes_in`, ...
    """
    service, rest = program, message
    while service.startswith("dovecot") and (found := _SERVICE.fullmatch(rest)):
        service, rest = found[1], found[2]
    for ahead in (_LEVEL, _CONN):
        if found := ahead.match(rest):
            rest = rest[found.end() :]
    fields["service"] = service.partition("(")[0]
    if fields["service"].endswith("-login"):
        _login(rest, fields)
    elif fields["service"] in {"auth", "auth-worker"}:
        _auth(service, rest, fields)
    else:
        _session(service, rest, fields)


def _login(rest: str, fields: Fields) -> None:
    found = _WHO.fullmatch(rest)
    if found is None:
        fields["action"] = "other"
        return
    reason, user, method, remote, local, _ = found.groups()
    put_client(fields, (unmapped(remote), None))
    for name, value in (("user", user), ("auth_method", method), ("dst_ip", local)):
        if value:
            fields[name] = value
    fields["detail"] = reason
    if reason == "Login":
        fields |= AUTHENTICATION | SUCCESS
        fields["action"] = "login"
        return
    for action, failed, pattern in _REASONS:
        if told := pattern.search(reason):
            fields["action"] = action
            if failed:
                fields |= AUTHENTICATION | FAILURE
            if told[1]:
                fields["attempts"] = int(told[1][:9])
            return
    fields["action"] = "disconnected"


def _auth(service: str, rest: str, fields: Fields) -> None:
    if named := _SASL.fullmatch(service):
        user, remote = named[1], named[2]
        told = _PLAIN.fullmatch(rest)
        backend, text = (told[1], told[2]) if told else ("", rest)
    elif found := _BACKEND.fullmatch(rest):
        backend, user, remote, text = found.groups()
    else:
        fields["action"] = "other"
        return
    if backend:
        fields["backend"] = backend
    if user:
        fields["user"] = user
    put_client(fields, (unmapped(remote), None))
    for detail, pattern in _WRONG:
        if pattern.match(text):
            fields |= AUTHENTICATION | FAILURE
            fields["action"], fields["detail"] = "auth_failed", detail
            return
    fields["action"] = "other"


def _session(service: str, rest: str, fields: Fields) -> None:
    fields["action"] = "other"
    if (found := _SESSION.fullmatch(service)) and found[2]:
        fields["user"] = found[2]
        if rest.startswith(("Disconnected", "Logged out", "Connection closed")):
            fields["action"] = "session_closed"
            if moved := _TRAFFIC.search(rest):
                fields["bytes_in"], fields["bytes_out"] = int(moved[1]), int(moved[2])
