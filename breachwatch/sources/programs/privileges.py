"""What sudo, su, login, pkexec and the account tools write into the authentication log."""

import re
from collections.abc import Callable

from breachwatch.sources.formats.endpoints import endpoint, put_client
from breachwatch.sources.formats.outcomes import FAILURE, SUCCESS, Fields

_SUDO = re.compile(r" *(\S.*?|) : (.*)", re.DOTALL)
_INCORRECT = re.compile(r"(\d{1,9}) incorrect password attempts?")
_SUDO_KEYS = {
    "TTY": "tty",
    "PWD": "pwd",
    "USER": "target_user",
    "GROUP": "target_group",
    "ENV": "env",
    "HOST": "sudo_host",
    "TSID": "tsid",
}
_REFUSALS = {
    "user NOT in sudoers": "not in sudoers",
    "user NOT authorized on host": "not authorised on this host",
    "command not allowed": "command not allowed",
    "a password is required": "a password is required",
}
_PKEXEC = re.compile(r"([^:]*): ([^\[]*) \[USER=([^\]]*)\] \[TTY=([^\]]*)\] \[CWD=(.*)\] \[COMMAND=(.*)\]", re.DOTALL)
_SU = (
    (re.compile(r"\(to (.*)\) (.*) on (\S+)"), True),
    (re.compile(r"Successful su for (.*) by (.*)"), True),
    (re.compile(r"\+ (?P<tty>\S+) (?P<by>.*)[:-](?P<to>[^:-]+)"), True),
    (re.compile(r"(?P<by>\S+) to (?P<to>\S+) on (?P<tty>\S+)"), True),
    (re.compile(r"FAILED [Ss][Uu] \(to (.*)\) (.*) on (\S+)"), False),
    (re.compile(r"FAILED su for (.*) by (.*)"), False),
    (re.compile(r"- (?P<tty>\S+) (?P<by>.*)[:-](?P<to>[^:-]+)"), False),
    (re.compile(r"BAD SU (?P<by>\S+) to (?P<to>\S+) on (?P<tty>\S+)"), False),
    (re.compile(r"'su (?P<to>.*)' failed for (?P<by>.*) on (?P<tty>\S+)"), False),
    (re.compile(r"'su (?P<to>.*)' succeeded for (?P<by>.*) on (?P<tty>\S+)"), True),
)
_LOGIN_FAILED = re.compile(
    r"(?:FAILED LOGIN|TOO MANY LOGIN TRIES) \(?\d+\)?(?: on '(.*?)')?(?: FROM '?(\S*?)'?)? FOR '?(.*?)'?, (.*)",
    re.DOTALL,
)
_LOGIN = re.compile(r"(ROOT )?LOGIN +(?:ON|on) '?(\S+?)'?(?: BY (.*?))?(?: FROM '?(\S+?)'?)?")
_NEW_USER = re.compile(r"new (user|group|account)(?: added)?(?:: name=| - account=)([^,]*)(?:, UID=(\d{1,10}))?.*")
_DELETED = re.compile(r"(?:delete|remov\w+) (user|group)(?: name)? '?(.*?)'?(?: by .*)?")
_MEMBER = re.compile(r"(?:add '(.*)' to (?:shadow )?group '(.*)'|members of group (\S+) set by .* to (.*))")
_PASSWORD = re.compile(
    r"(?:change user '(.*)' password|password for '?(.*?)'? changed(?: by '.*')?|.*password changed for (.*))"
)
_LOGIND = re.compile(
    r"(?:New session '?(\S+?)'? of user (.*?)\.|(?:Removed session|Session) '?(\S+?)'?(?: logged out)?\..*)"
)


def _sudo(message: str, fields: Fields) -> bool:
    found = _SUDO.fullmatch(message)
    if found is None:
        return False
    fields["user"] = found[1]
    told, command, what = found[2].partition("COMMAND=")
    if command:
        fields["command"] = what
    reason = ""
    for part in told.split(" ; "):
        key, equals, value = part.strip(" ;").partition("=")
        if equals and key in _SUDO_KEYS:
            fields[_SUDO_KEYS[key]] = value
        elif part.strip(" ;") and not reason:
            reason = part.strip(" ;")
    if not reason and command:
        fields["action"] = "sudo"
        fields |= SUCCESS
    elif found := _INCORRECT.match(reason):
        fields |= FAILURE
        fields["action"], fields["failures"], fields["detail"] = "sudo_failed", int(found[1]), "wrong password"
    else:
        fields |= FAILURE
        fields["action"], fields["detail"] = "sudo_refused", _REFUSALS.get(reason, reason)
    return True


def _su(message: str, fields: Fields) -> bool:
    for pattern, succeeded in _SU:
        if found := pattern.fullmatch(message):
            named = found.groupdict()
            to, by = (named["to"], named["by"]) if named else (found[1], found[2])
            tty = named.get("tty") or (found[3] if not named and pattern.groups > 2 else None)
            fields["user"], fields["target_user"] = by, to
            if tty:
                fields["tty"] = tty
            fields |= SUCCESS if succeeded else FAILURE
            fields["action"] = "su" if succeeded else "su_failed"
            return True
    return False


def _login(message: str, fields: Fields) -> bool:
    if found := _LOGIN_FAILED.fullmatch(message):
        fields |= FAILURE
        fields["action"], fields["user"], fields["detail"] = "login_failed", found[3], found[4]
        if found[1]:
            fields["tty"] = found[1]
        put_client(fields, endpoint(found[2] or ""))
        return True
    if found := _LOGIN.fullmatch(message):
        fields |= SUCCESS
        fields["action"], fields["tty"] = "login", found[2]
        fields["user"] = "root" if found[1] else found[3] or ""
        put_client(fields, endpoint(found[4] or ""))
        return True
    return False


def _pkexec(message: str, fields: Fields) -> bool:
    found = _PKEXEC.fullmatch(message)
    if found is None:
        return False
    fields["user"], fields["detail"], fields["target_user"] = found[1], found[2], found[3]
    fields["tty"], fields["pwd"], fields["command"] = found[4], found[5], found[6]
    if found[2] == "Executing command":
        fields |= SUCCESS
    fields["action"] = "pkexec"
    return True


def _account(message: str, fields: Fields) -> bool:
    if found := _NEW_USER.fullmatch(message):
        fields["action"] = f"{'group' if found[1] == 'group' else 'user'}_added"
        fields["target_user"] = found[2]
        if found[3]:
            fields["uid"] = int(found[3])
    elif found := _MEMBER.fullmatch(message):
        fields["action"], fields["target_user"] = "member_added", found[1] or found[4]
        fields["target_group"] = found[2] or found[3]
    elif found := _PASSWORD.fullmatch(message):
        fields["action"], fields["target_user"] = "password_changed", found[1] or found[2] or found[3]
    elif found := _DELETED.fullmatch(message):
        fields["action"], fields["target_user"] = f"{found[1]}_removed", found[2]
    else:
        return False
    return True


def _logind(message: str, fields: Fields) -> bool:
    found = _LOGIND.fullmatch(message)
    if found is None:
        return False
    fields["session"] = found[1] or found[3]
    if found[2] is not None:
        fields["user"] = found[2]
    else:
        fields["activity_id"] = 2
    fields["action"] = "session_opened" if found[2] is not None else "session_closed"
    return True


UNDERSTAND: dict[str, Callable[[str, Fields], bool]] = {
    "sudo": _sudo,
    "su": _su,
    "login": _login,
    "pkexec": _pkexec,
    "systemd-logind": _logind,
    **dict.fromkeys(
        ("useradd", "userdel", "usermod", "groupadd", "groupdel", "gpasswd", "passwd", "chpasswd", "adduser"), _account
    ),
}
"""By program: a function that puts what it says into fields, and tells whether it understood."""
