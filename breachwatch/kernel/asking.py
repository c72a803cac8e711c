"""What every room asks of a command: who may ask, words where a reason is owed, instants that have passed."""

from datetime import datetime

from breachwatch.kernel.errors import RefusedError
from breachwatch.kernel.facts import Actor, Role
from breachwatch.kernel.time import require_utc

_CALLED: dict[Role, str] = {"analyst": "an analyst", "dpo": "a DPO", "admin": "an admin"}
_FIRST_YEAR = 1900
"""No record, duty or typing error is meant to be older; and every instant since can be told in every time zone."""


def require_role(actor: Actor, deed: str, *roles: Role) -> None:
    """Let only people with one of these roles pass. `deed` completes "Only a DPO may ...".

    Raises:
        RefusedError: a part of this program asks, or somebody without such a role.
    Source: GDPR Art. 22: what weighs on people is decided by a person.
    """
    if actor.kind != "person" or actor.roles.isdisjoint(roles):
        raise RefusedError(f"only {' or '.join(_CALLED[role] for role in roles)} may {deed}")


def require_text(text: str, ask: str) -> str:
    """The text without outer blanks.

    Raises:
        RefusedError: with the sentence `ask`, when nothing is left.
    """
    words = text.strip()
    if not words:
        raise RefusedError(ask)
    return words


def require_past(instant: datetime, at: datetime, what: str) -> datetime:
    """The instant in UTC, if it is not after `at`.

    Raises:
        RefusedError: no time zone, before 1900, or still to come.
    """
    try:
        known = require_utc(instant)
    except (ValueError, OverflowError):
        raise RefusedError(f"{what} needs a time zone, such as 2026-03-27T18:00:00+01:00") from None
    if known.year < _FIRST_YEAR:
        raise RefusedError(f"{what} lies before the year {_FIRST_YEAR}; look at the year again")
    if known > at:
        raise RefusedError(f"{what} lies in the future; give an instant that has passed")
    return known
