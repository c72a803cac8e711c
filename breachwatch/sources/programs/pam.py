"""What PAM's modules write in the name of the program that asks them: who failed, who is locked, whose session began.

`pam_unix(sudo:auth): authentication failure; logname=ana uid=1000 euid=0 tty=/dev/pts/0 ruser=ana rhost=  user=ana`

The names behind `ruser=` and `user=` are chosen by whoever tries, and may be written to look like `rhost=`. The last
`rhost=` before `user=` is PAM's own.
"""

import re

from breachwatch.sources.formats.endpoints import endpoint, put_client
from breachwatch.sources.formats.outcomes import FAILURE, SUCCESS, Fields

_HEAD = re.compile(r"(?:(pam_\w+)(?:\(([^():]*)(?::(\w+))?\))?:|\((pam_\w+)\)) ?(.*)", re.DOTALL)
_MORE = re.compile(r"PAM (\d{1,9}) more (authentication failures?;.*)", re.DOTALL)
_BARE = re.compile(r"authentication failure;.* rhost=.*", re.DOTALL)
_TRIED = re.compile(
    r"(?:(\d{1,9}) more )?authentication (failures?|success); logname=(\S*) uid=(-?\d{1,10}) euid=(-?\d{1,10})"
    r" tty=(\S*) ruser=(.*?) rhost=(\S*)(?:\s+user=(.*))?\s*",
    re.DOTALL,
)
_ASKED = re.compile(r"authentication failure; rhost=(\S+) user=(.*?) msg=(.*)", re.DOTALL)
_SESSION = re.compile(
    r"session (opened|closed) for user (.*?)(?:\(uid=(\d{1,10})\))?(?: by (.*?)(?:\(uid=(\d{1,10})\))?)?"
)
_LOCKED = (
    re.compile(r"user (.*) \((\d{1,10})\) (?:has time limit|tally \d+, deny \d+).*"),
    re.compile(r"Consecutive login failures for user (.*?)() account temporarily locked.*"),
    re.compile(r"(?:account|user) (.*?)() (?:temporar\w+ |is )?locked.*"),
)
_RECEIVED = re.compile(r"received for user (.*): (\d+) \((.*)\)")
_CHANGED = re.compile(r"password changed for (.*)")
_EXPIRED = re.compile(r"(?:expired password for user|account) (.*?) (?:\(.*\)|has expired.*)")


def understand(message: str, fields: Fields) -> bool:
    """Put what a PAM module says into fields; False when the message is none of PAM's.

    Fields: `pam_module`, `pam_service`, `pam_phase`, `action` (`pam_failure`, `pam_success`, `pam_unknown_user`,
    `locked`, `session_opened`, `session_closed`, `password_changed`, `expired`, `pam_other`), `user`, `src_ip`,
    `ruser`, `tty`, `uid`, `by`.
    """
    if found := _HEAD.fullmatch(message):
        for name, value in (("pam_module", found[1] or found[4]), ("pam_service", found[2]), ("pam_phase", found[3])):
            if value:
                fields[name] = value
        message = found[5]
    elif found := _MORE.fullmatch(message):
        fields["repeated"], message = int(found[1]), found[2]
    elif not _BARE.match(message):
        return False
    _say(message, fields)
    return True


def _say(message: str, fields: Fields) -> None:
    if found := _TRIED.fullmatch(message):
        _tried(found, fields)
    elif found := _SESSION.fullmatch(message):
        fields["action"], fields["user"] = f"session_{found[1]}", found[2]
        if found[3]:
            fields["uid"] = int(found[3])
        if found[4]:
            fields["by"] = found[4]
        if found[1] == "closed":
            fields["activity_id"] = 2
    elif not _seldom(message, fields):
        fields["action"] = "pam_unknown_user" if message.startswith("check pass; user unknown") else "pam_other"


def _tried(found: re.Match[str], fields: Fields) -> None:
    more, word, logname, uid, euid, tty, ruser, rhost, user = found.groups()
    if more:
        fields["repeated"] = int(more)
    fields["uid"], fields["euid"] = int(uid), int(euid)
    for name, value in (("logname", logname), ("tty", tty), ("ruser", ruser), ("user", user or ruser)):
        if value:
            fields[name] = value
    put_client(fields, endpoint(rhost))
    if word == "success":
        fields |= SUCCESS
        fields["action"] = "pam_success"
    else:
        fields |= FAILURE
        fields["action"] = "pam_failure"


def _seldom(message: str, fields: Fields) -> bool:
    for pattern in _LOCKED:
        if found := pattern.fullmatch(message):
            fields["action"], fields["user"] = "locked", found[1]
            if found[2]:
                fields["uid"] = int(found[2])
            return True
    if found := _ASKED.fullmatch(message):
        fields |= FAILURE
        fields["action"], fields["user"], fields["detail"] = "pam_failure", found[2], found[3]
        put_client(fields, endpoint(found[1]))
    elif found := _RECEIVED.fullmatch(message):
        fields["action"], fields["user"], fields["detail"] = "pam_answer", found[1], found[3]
    elif found := _CHANGED.fullmatch(message):
        fields["action"], fields["user"] = "password_changed", found[1]
    elif found := _EXPIRED.fullmatch(message):
        fields["action"], fields["user"] = "expired", found[1]
    else:
        return False
    return True
