"""Signing in and staying so: random tokens in a cookie, their hashes in the team's store, throttled attempts.

A token reads `<how>.<since>.<random>`: `how` is `p` (password) or `c` (one-time code) and `since` the second of the
sign-in. Only the hash of the whole is stored, so neither can be changed by whoever holds the cookie; that is how a
session knows its age and whether a password may be set without the old one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from breachwatch.console.passwords import new_token, same, token_hash, typed_code, verify_password
from breachwatch.kernel.errors import UnavailableError
from breachwatch.kernel.ids import derive
from breachwatch.kernel.ports import Member, Team

How = Literal["p", "c"]
IDLE = timedelta(minutes=30)
"""A session nobody uses ends; pages that refresh themselves do not count as use."""
ABSOLUTE = timedelta(hours=12)
"""No session lives longer than a working day, used or not."""
WINDOW = timedelta(minutes=15)
MEMBER_FAILURES, CLIENT_FAILURES = 8, 40
"""Failed attempts within the window after which a member, or a client, has to wait."""


class ThrottledError(Exception):
    """Too many failed attempts; nothing was checked."""


@dataclass(frozen=True, slots=True)
class Session:
    """Who is here, what their forms must carry, and how they came in."""

    member: Member
    csrf: str
    token: str
    how: How
    since: datetime


class Sessions:
    """The door of the desk. `now` tells the time."""

    def __init__(self, team: Team, now: Callable[[], datetime]) -> None:
        self._team = team
        self._now = now
        self._awake: dict[str, datetime] = {}

    def sign_in(self, name: str, password: str, client: str) -> str | None:
        """A new session's token for a name and password; None when they do not fit.

        Raises:
            ThrottledError: this member or this client failed too often of late.
        """
        keys = self._attempt(client, name)
        if not verify_password(self._team.password_hash(name), password):
            return None
        return self._let_in(name, "p", keys)

    def sign_in_once(self, code: str, client: str) -> str | None:
        """A new session's token for a one-time code; None when it is unknown, used or too old.

        Raises:
            ThrottledError: this client failed too often of late.
        """
        keys = self._attempt(client)
        name = self._team.use_sign_in(token_hash(typed_code(code)), self._now())
        return None if name is None else self._let_in(name, "c", keys)

    def find(self, token: str, *, using: bool = True) -> Session | None:
        """The live session of a token. `using` says that a person is at work, which keeps it from running idle."""
        how, since = _read(token)
        if how is None or since is None:
            return None
        now = self._now()
        found = self._team.session(token_hash(token), now)
        if found is None:
            return None
        member, csrf = found
        if now - since > ABSOLUTE:
            self._team.end_session(token_hash(token))
            return None
        if using:
            self._keep_awake(token_hash(token), now, since)
        return Session(member, csrf, token, how, since)

    def renew(self, session: Session) -> str:
        """A new session in place of all that this member has: after the password was changed."""
        self._team.end_sessions(session.member.name)
        return self._open(session.member.name, "p")

    def note_wrong_password(self, name: str, client: str) -> None:
        """Count a wrong current password like a failed sign-in.

        Raises:
            ThrottledError: there were too many.
        """
        self._attempt(client, name)

    def end(self, token: str) -> None:
        """Sign out."""
        self._team.end_session(token_hash(token))

    def _keep_awake(self, key: str, now: datetime, since: datetime) -> None:
        """Move the idle end on, at most once a minute; a store that only reads just now ends nobody's work."""
        last = self._awake.get(key)
        if last is not None and now - last < timedelta(minutes=1):
            return
        try:
            self._team.extend_session(key, _until(now, since))
        except UnavailableError:
            return
        if len(self._awake) > 1000:
            self._awake.clear()
        self._awake[key] = now

    def _attempt(self, client: str, name: str = "") -> list[str]:
        """Count an attempt as failed before it is checked, so that many at once cannot slip through."""
        now = self._now()
        bounds = {derive("throttle", "client", client): CLIENT_FAILURES}
        if name:
            bounds[derive("throttle", "member", name.casefold())] = MEMBER_FAILURES
        if any(self._team.failures(key, now - WINDOW) >= bound for key, bound in bounds.items()):
            raise ThrottledError
        for key in bounds:
            self._team.note_failure(key, now)
        return list(bounds)

    def _let_in(self, name: str, how: How, keys: list[str]) -> str:
        for key in keys:
            self._team.forget_failures(key)
        return self._open(name, how)

    def _open(self, name: str, how: How) -> str:
        now = self._now()
        token = f"{how}.{int(now.timestamp())}.{new_token()}"
        self._team.open_session(name, token_hash(token), new_token(), now, _until(now, now))
        return token


def csrf_fits(session: Session, sent: str) -> bool:
    """Whether a form came from a page of this session."""
    return same(session.csrf, sent)


def _until(now: datetime, since: datetime) -> datetime:
    return min(now + IDLE, since + ABSOLUTE)


def _read(token: str) -> tuple[How | None, datetime | None]:
    how, _, rest = token.partition(".")
    second, _, secret = rest.partition(".")
    if how not in ("p", "c") or not second.isascii() or not second.isdigit() or len(second) > 11 or not secret:
        return None, None
    return ("p" if how == "p" else "c"), datetime.fromtimestamp(int(second), UTC)
