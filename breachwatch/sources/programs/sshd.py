"""What sshd says, line by line: who tried what, from where, and how it ended.

User names, client banners and reasons are chosen by whoever connects, and may be written to look like another part of
the line. sshd writes the address after them, so the address is taken from the right.
"""

import re
from collections.abc import Callable
from datetime import tzinfo
from typing import Any

from breachwatch.sources.event import MAX_RECORD_BYTES, Dead, Ignored, Outcome, Parse, placed
from breachwatch.sources.formats.syslog import Line, has_shape, reader

PROGRAMS = frozenset({"sshd", "sshd-session", "sshd-auth"})
MAX_MESSAGE_CHARACTERS = 2048
NOT_SSHD = Ignored("not sshd")

Fields = dict[str, Any]

_LEVELS = ("error: ", "fatal: ", "info: ")
_PREFIX = re.compile(r"\[ID \d+ \w+\.\w+\] |kernel: ?\[ *\d+\.\d+\]:? ")  # of Solaris; of some journals
_REPEATED = re.compile(r"message repeated (\d{1,9}) times: \[ ?(.*)\]", re.DOTALL)
_WHO = r"(invalid user |illegal user )?(.*)"
_KEY = r"\S+ \S+(?: ID .* \(serial \d+\) CA \S+ \S+)?(?:, client user \".*\", client host \".*\")?"

_TRIED = re.compile(rf"(\w+) (\S+) for {_WHO} from (\S+) port (\d{{1,5}})(?: ssh\d?)?")
_TRIED_KEY = re.compile(rf"(\w+) (\S+) for {_WHO} from (\S+) port (\d{{1,5}}) ssh\d: {_KEY}")
_TRIED_MORE = re.compile(r"(\w+) (\S+) for (invalid user |illegal user )?(.*?) from (\S+) port (\d{1,5}) ssh\d: .*")
_TRIED_PORTLESS = re.compile(rf"(\w+) (\S+) for {_WHO} from (\S+)")
_INVALID = re.compile(r"\w+ user (.*) from (\S+?)(?: port (\d{1,5}))?")
_ENDED = re.compile(
    r"(?:(?:(invalid )|authenticating |)user (.*) )?(\S+?) port (\d{1,5})"
    r"(?:: ?((?:Too many authentication|Change of username)?[^:]*(?:: \(.*\))?))?"
)
_ENDED_PORTLESS = re.compile(r"(?:(?:(invalid )|authenticating |)user (.*) )?(\S+)()")
_RECEIVED = re.compile(r"Received disconnect from (\S+) port (\d{1,5}): ?\d+: ?(.*)")
_RECEIVED_PORTLESS = re.compile(r"Received disconnect from (\S+): (\d+): ?(.*)")
_PAM_FAILURE = re.compile(
    r"(?:PAM|pam_\w+\(sshd?:auth\):|pam_\w+:|\(pam_\w+\)) (?:(\d{1,9}) more )?authentication failures?;"
    r" logname=\S* uid=\d+ euid=\d+ tty=\S* ruser=(.*?) rhost=(\S*)(?:\s+user=(.*))?"
)
_PAM_ERROR = re.compile(rf"PAM: (.*) for {_WHO} from (\S+?)(?: via \S+)?")
_SESSION = re.compile(r"pam_\w+\(sshd?:session\): session (opened|closed) for user (.*?)(?:\(uid=\d+\))?(?: by .*)?")
_EXCEEDED = re.compile(rf"maximum authentication attempts exceeded for {_WHO} from (\S+) port (\d{{1,5}})(?: ssh\d)?")
_FROM_END = re.compile(r".* from (\S+?)(?: port (\d{1,5}))?")
_CONNECTION = re.compile(r"Connection from (?:user .* )?(\S+)(?: port (\d{1,5})(?: on \S+ port \d+.*|: (.*)|)|)")
_PATCHED = re.compile(r"SSH: Server;Ltype: \w+;Remote: (\S+)-(\d{1,5});(.*)")
_NO_COMMON = re.compile(r"(?:no matching \w+ found|Unable to negotiate a key exchange method).*")
_WITH = re.compile(r"Unable to negotiate with (\S+?)(?: port (\d{1,5}))?: (.*)")
_TIMEOUT = re.compile(
    r"Timeout before authentication for (?:connection from )?(\S+?)(?: port (\d{1,5})| to \S+, pid = \d+)?"
)
_MAPS = re.compile(r"Address (\S+) maps to \S+, but this does not map back.*")
_REVERSE = re.compile(r"reverse mapping checking getaddrinfo for \S+ \[(\S+)\] failed.*")
_NOT_ALLOWED = re.compile(r"User (.*?)(?: from (\S+))? not allowed because (.*)")
_ROOT = re.compile(r"ROOT LOGIN REFUSED FROM (\S+?)(?: port (\d{1,5}))?")
_REFUSED = re.compile(r"refused connect from .*\((\S+)\)")
_READ_ERROR = re.compile(r"Read error from remote host (\S+?)(?: port (\d{1,5}))?: (.*)")
_DROPPED = re.compile(r"drop connection #\d+ from \[(\S+)\]:(\d{1,5}) on \[\S+\]:\d+ ?(.*)")
_STARTING = re.compile(r"Starting session: (.*) for (.*) from (\S+) port (\d{1,5})(?: id \d+)?")


DERIVED = frozenset(
    {"action", "activity_id", "auth_method", "detail", "invalid_user", "preauth", "repeated", "status", "status_id"}
)
"""Fields whose text need not stand in the line."""


def parser(zone: tzinfo) -> Parse:
    """A parser of sshd's lines; times without an offset are of `zone`."""
    return _parser(zone, fields_of)


def glance(zone: tzinfo) -> Parse:
    """As `parser`, but its events have no fields: what is said is not looked into."""
    return _parser(zone, lambda _line: {})


def _parser(zone: tzinfo, look: Callable[[Line], Fields]) -> Parse:
    read = reader(zone)

    def parse(raw: bytes, received_us: int) -> Outcome:
        try:
            if b"sshd" not in raw and has_shape(raw) and len(raw) <= MAX_RECORD_BYTES:
                return NOT_SSHD
            line = read(raw, received_us)
            if not isinstance(line, Line):
                return line
            if line.program not in PROGRAMS and line.program != "sshd(pam_unix)":
                return NOT_SSHD
            return placed(line.at_us, received_us, look(line))
        except Exception as error:
            return Dead(f"not read: {type(error).__name__}")

    return parse


def _of_old_pam(line: Line) -> Line:
    """PAM before 2006 put itself into the program's name; the same line as PAM writes it since."""
    phase = "session" if line.message.startswith("session ") else "auth"
    return line._replace(program="sshd", message=f"pam_unix(sshd:{phase}): {line.message}")


def fields_of(line: Line) -> Fields:
    """What a syslog line of sshd says, under the names of `linux-sshd`."""
    said = line.message
    if line.program == "sshd(pam_unix)":
        line = _of_old_pam(line)
    _, host, program, pid, message = line
    fields: Fields = {"program": program, "message": said}
    if host is not None:
        fields["host"] = host
    if pid is not None:
        fields["pid"] = pid
    if len(message) > MAX_MESSAGE_CHARACTERS:  # longer than sshd ever writes
        fields["action"] = "other"
        return fields
    if message.endswith(" [preauth]"):
        fields["preauth"], message = True, message[:-10]
    understand = _BY_WORD.get(message.partition(" ")[0])
    if understand is None:
        message = _unwrapped(message, fields)
        word = message.partition(" ")[0]
        understand = _BY_WORD.get(word) or (_pam if word.startswith(("pam_", "(pam_")) else None)
    if understand is None or not understand(message.rstrip(" "), fields):
        fields["action"] = "other"
    return fields


def _unwrapped(message: str, fields: Fields) -> str:
    """A message without what may stand around it: blanks, a prefix of the system, a count of repeats, a level."""
    message = message.strip(" ")
    if found := _PREFIX.match(message):
        message = message[found.end() :]
    if message.startswith("message repeated ") and (found := _REPEATED.fullmatch(message)):
        fields["repeated"], message = int(found[1]), found[2].rstrip(" ")
        if message.endswith(" [preauth]"):
            fields["preauth"], message = True, message[:-10]
    for level in _LEVELS:
        message = message.removeprefix(level)
    return message


def _from(fields: Fields, address: str | None, port: str | None = None) -> None:
    if address:
        mapped = address[:7].lower() == "::ffff:" and "." in address
        fields["src_ip"] = address[7:] if mapped else address
    if port:
        fields["src_port"] = int(port)


def _named(fields: Fields, invalid: str | None, user: str | None) -> None:
    if user == "<invalid username>":
        fields["invalid_user"] = True
        return
    if user is not None:
        fields["user"] = user
        fields["invalid_user"] = bool(invalid)


_SUCCESS: Fields = {"action": "accepted", "activity_id": 1, "status": "Success", "status_id": 1}
_FAILURE: Fields = {"action": "failed", "activity_id": 1, "status": "Failure", "status_id": 2}


def _tried(message: str, fields: Fields) -> bool:
    found = (
        _TRIED.fullmatch(message)
        or _TRIED_KEY.fullmatch(message)
        or _TRIED_MORE.fullmatch(message)
        or _TRIED_PORTLESS.fullmatch(message)
    )
    if found is None:
        return False
    verb, method, invalid, user, address, port = (*found.groups(), None)[:6]
    fields["auth_method"] = method
    _named(fields, invalid, user)
    _from(fields, address, port)
    if verb == "Accepted":
        fields |= _SUCCESS
    elif verb == "Failed" and method != "none":
        fields |= _FAILURE
        fields["detail"] = "unknown user" if fields.get("invalid_user") else f"{method} rejected"
    else:
        fields["action"] = "probed" if verb == "Failed" else str(verb).lower()
    return True


def _invalid(message: str, fields: Fields) -> bool:
    found = _INVALID.fullmatch(message)
    if found is None:
        return False
    fields["action"] = "invalid_user"
    _named(fields, "invalid", found[1])
    _from(fields, found[2], found[3])
    return True


def _ended(message: str, fields: Fields) -> bool:
    for opening, action in _ENDINGS:
        if message.startswith(opening):
            return _ending(message[len(opening) :], action, fields)
    if found := _CONNECTION.fullmatch(message):
        _from(fields, found[1], found[2])
        return _done(fields, "connected", found[3])
    return False


_ENDINGS = (
    ("Connection closed by ", "closed"),
    ("Connection reset by ", "reset"),
    ("Disconnected from ", "disconnected"),
    ("Disconnecting ", "disconnecting"),
    ("Disconnecting: ", "disconnecting"),
)


def _ending(rest: str, action: str, fields: Fields) -> bool:
    found = _ENDED.fullmatch(rest) or (None if action == "disconnecting" else _ENDED_PORTLESS.fullmatch(rest))
    if found is not None:
        invalid, user, address, port = found.group(1, 2, 3, 4)
        _named(fields, invalid, user)
        _from(fields, address, port)
    elif action != "disconnecting":
        return False
    detail = rest if found is None else found[5] if found.re is _ENDED else None
    if detail and detail.startswith("Too many authentication failures"):
        action = "too_many_attempts"
    return _done(fields, action, detail)


def _done(fields: Fields, action: str, detail: str | None = None) -> bool:
    fields["action"] = action
    if detail:
        fields["detail"] = detail
    return True


def _received(message: str, fields: Fields) -> bool:
    if found := _RECEIVED.fullmatch(message):
        _from(fields, found[1], found[2])
    elif found := _RECEIVED_PORTLESS.fullmatch(message):
        _from(fields, found[1])
    return found is not None and _done(fields, "disconnect_received", found[3])


def _pam(message: str, fields: Fields) -> bool:
    if found := _PAM_FAILURE.fullmatch(message):
        if found[1]:
            fields["repeated"] = int(found[1])
        if user := found[4] or found[2]:
            fields["user"] = user
        _from(fields, found[3])
        return _done(fields, "pam_failure")
    if found := _SESSION.fullmatch(message):
        fields["user"] = found[2]
        if found[1] == "closed":
            fields["activity_id"] = 2
        return _done(fields, f"session_{found[1]}")
    if found := _PAM_ERROR.fullmatch(message):
        _named(fields, found[2], found[3])
        _from(fields, found[4])
        return _done(fields, "pam_error", found[1])
    return False


def _user(message: str, fields: Fields) -> bool:
    found = _NOT_ALLOWED.fullmatch(message)
    if found is None:
        return False
    fields["user"] = found[1]
    _from(fields, found[2])
    return _done(fields, "not_allowed", found[3])


def _starting(message: str, fields: Fields) -> bool:
    found = _STARTING.fullmatch(message)
    if found is None:
        return False
    fields["user"] = found[2]
    _from(fields, found[3], found[4])
    return _done(fields, "session_started", found[1])


def _exceeded(message: str, fields: Fields) -> bool:
    found = _EXCEEDED.fullmatch(message)
    if found is None:
        return False
    _named(fields, found[1], found[2])
    _from(fields, found[3], found[4])
    return _done(fields, "too_many_attempts")


def _client(pattern: re.Pattern[str], action: str) -> Callable[[str, Fields], bool]:
    """For lines that name only a client: groups 1 and 2 are address and port, 3 is the reason, where there are any."""

    def understand(message: str, fields: Fields) -> bool:
        found = pattern.fullmatch(message)
        if found is None:
            return False
        groups = (*found.groups(), None, None)
        _from(fields, groups[0], groups[1])
        return _done(fields, action, groups[2])

    return understand


def _read_error(message: str, fields: Fields) -> bool:
    if found := _READ_ERROR.fullmatch(message):
        _from(fields, found[1], found[2])
    return _done(fields, "reset", found[3] if found else message)


def _unable(message: str, fields: Fields) -> bool:
    if found := _WITH.fullmatch(message):
        _from(fields, found[1], found[2])
        return _done(fields, "negotiation_failed", found[3])
    return _NO_COMMON.fullmatch(message) is not None and _done(fields, "negotiation_failed", message)


def _exchange(message: str, fields: Fields) -> bool:
    opening, _, rest = message.partition(": ")
    if found := _CONNECTION.fullmatch(rest):
        _from(fields, found[1], found[2])
    return _done(
        fields, "no_identification" if opening != "ssh_dispatch_run_fatal" else "broken", found[3] if found else rest
    )


_BY_WORD: dict[str, Callable[[str, Fields], bool]] = {
    **dict.fromkeys(("Accepted", "Failed", "Postponed", "Partial"), _tried),
    **dict.fromkeys(("Invalid", "Illegal"), _invalid),
    **dict.fromkeys(("Connection", "Disconnected", "Disconnecting", "Disconnecting:"), _ended),
    **dict.fromkeys(("PAM", "PAM:"), _pam),
    **dict.fromkeys(("banner", "kex_exchange_identification:", "ssh_dispatch_run_fatal:"), _exchange),
    **dict.fromkeys(("Did", "Bad"), _client(_FROM_END, "no_identification")),
    "Received": _received,
    "User": _user,
    "Starting": _starting,
    "maximum": _exceeded,
    "Unable": _unable,
    "no": _unable,
    "SSH:": _client(_PATCHED, "connected"),
    "Timeout": _client(_TIMEOUT, "timeout"),
    "Address": _client(_MAPS, "reverse_mapping"),
    "reverse": _client(_REVERSE, "reverse_mapping"),
    "ROOT": _client(_ROOT, "root_refused"),
    "refused": _client(_REFUSED, "refused"),
    "Read": _read_error,
    "drop": _client(_DROPPED, "dropped"),
}
