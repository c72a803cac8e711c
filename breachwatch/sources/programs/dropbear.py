"""What dropbear, the small SSH server, says: who tried what, from where.

A user name is the client's to choose; dropbear writes the address behind it, so the address is taken from the right.
"""

import re

from breachwatch.sources.formats.endpoints import endpoint_with_port, put_client
from breachwatch.sources.formats.outcomes import FAILURE, SUCCESS, Fields

_FROM = r" from <?([^\s<>]+?)>?"
_BAD = re.compile(rf"[Bb]ad (PAM )?password attempt for '(.*)'{_FROM}", re.DOTALL)
_NONEXISTENT = re.compile(rf"[Ll]ogin attempt for nonexistent user(?: ?'(.*)')?{_FROM}", re.DOTALL)
_REFUSED = re.compile(rf"(?:[Ll]ogin attempt (?:for|with) .*|root login rejected|user '(.*)' .*){_FROM}", re.DOTALL)
_ACCEPTED = re.compile(rf"(\w+) auth succeeded for '(.*)'(?: with .*)?{_FROM}", re.DOTALL)
_BEFORE = re.compile(
    r"[Ee]xit before auth(?: from <([^<>\s]+)>)?(?: \(user '(.*)', (\d{1,9}) fails?\))?: "
    r"(.*?)(?: - user '(.*)' from (\S+))?",
    re.DOTALL,
)
_EXIT = re.compile(r"[Ee]xit \((.*)\)(?: from <([^<>\s]+)>)?: (.*)")
_CHILD = re.compile(r"Child connection from (\S+)")


def understand(message: str, fields: Fields) -> bool:
    """Put what dropbear says into fields; always True, for whatever it says is an event."""
    if found := _BAD.fullmatch(message):
        _failed(fields, found[2], found[3], "wrong password")
        fields["auth_method"] = "pam" if found[1] else "password"
    elif found := _NONEXISTENT.fullmatch(message):
        _failed(fields, found[1], found[2], "unknown user")
    elif found := _ACCEPTED.fullmatch(message):
        fields |= SUCCESS
        fields["action"], fields["user"], fields["auth_method"] = "accepted", found[2], found[1].lower()
        put_client(fields, endpoint_with_port(found[3]))
    elif found := _BEFORE.fullmatch(message):
        _before(found, fields)
    elif found := _EXIT.fullmatch(message):
        fields["action"], fields["user"], fields["detail"] = "disconnected", found[1], found[3]
        fields["activity_id"] = 2
        if found[2]:
            put_client(fields, endpoint_with_port(found[2]))
    elif found := _CHILD.fullmatch(message):
        fields["action"] = "connected"
        put_client(fields, endpoint_with_port(found[1]))
    elif found := _REFUSED.fullmatch(message):
        _failed(fields, found[1], found[2], "refused")
    else:
        fields["action"] = "other"
    return True


def _failed(fields: Fields, user: str | None, client: str, detail: str) -> None:
    fields |= FAILURE
    fields["action"], fields["detail"] = "failed", detail
    if user is not None:
        fields["user"] = user
    put_client(fields, endpoint_with_port(client))


def _before(found: re.Match[str], fields: Fields) -> None:
    client, user, fails, detail, tried, named = found.groups()
    fields["action"] = "too_many_attempts" if "Max auth tries" in detail else "closed"
    fields["preauth"], fields["detail"] = True, detail
    if fails:
        fields["failures"] = int(fails)
    if user or tried:
        fields["user"] = user or tried
    if client or named:
        put_client(fields, endpoint_with_port(client or named))
