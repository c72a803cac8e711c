"""The ledger alone, and what single commands do with it."""

from datetime import datetime, timedelta
from pathlib import Path

from breachwatch.console.passwords import one_time_code, token_hash
from breachwatch.kernel.errors import NotFoundError
from breachwatch.kernel.facts import Role
from breachwatch.kernel.ports import Member, Team, Waypoint, passing
from breachwatch.ledger.keys import MASTER_FILE, PSEUDONYM_FILE, MasterKey, open_keys
from breachwatch.ledger.store import Store, open_ledger
from breachwatch.pipeline.case import codec, derived
from breachwatch.settings import Settings, read_secret


def open_store(settings: Settings, *, must_exist: bool = False) -> Store:
    """The ledger alone.

    Raises:
        NotFoundError: `must_exist`, and nothing was ever stored, or a key is gone; nothing is made then.
        UnavailableError: it cannot be opened now.
    """
    return store_with(settings, open_keys(settings.state_dir, must_exist=must_exist), must_exist=must_exist)


def store_with(settings: Settings, keys: MasterKey, *, must_exist: bool = False, waypoint: Waypoint = passing) -> Store:
    """The ledger, under keys that are open already."""
    section = settings.ledger
    url = read_secret(section.url_file) if section.url_file else section.url
    url = url or f"sqlite:///{settings.state_dir / 'ledger.sqlite'}"
    return open_ledger(url, keys, codec(), derived, must_exist=must_exist, waypoint=waypoint)


def make_keys(settings: Settings) -> list[tuple[Path, str]]:
    """Both keys, made where they are not there yet: the file of each, and who needs it.

    Raises:
        ContentError: one is missing while its sibling is there, or is no key.
        UnavailableError: the state folder cannot be written.
    """
    open_keys(settings.state_dir)
    return [
        (settings.state_dir / MASTER_FILE, "clock, courier, console"),
        (settings.state_dir / PSEUDONYM_FILE, "worker, clock"),
    ]


def add_member(
    settings: Settings, name: str, display_name: str, roles: frozenset[Role], at: datetime, good_for: timedelta
) -> str:
    """Add a member or change one, and offer a one-time sign-in; returns its code, which is stored only hashed."""
    store = open_store(settings)
    try:
        store.team.put(Member(name, display_name, roles), None)
        return offer(store.team, name, at, good_for)
    finally:
        store.close()


def offer_sign_in(settings: Settings, name: str, at: datetime, good_for: timedelta) -> str:
    """A new one-time sign-in for an active member.

    Raises:
        NotFoundError: nobody active has this name, or nothing was ever stored.
    """
    store = open_store(settings, must_exist=True)
    try:
        if not any(one.name == name and one.active for one in store.team.members()):
            raise NotFoundError(f"nobody active is called {name!r}; see `breachwatch member list`")
        return offer(store.team, name, at, good_for)
    finally:
        store.close()


def offer(team: Team, name: str, at: datetime, good_for: timedelta) -> str:
    """A one-time sign-in for a member; returns its code, which is stored only hashed."""
    code = one_time_code()
    team.offer_sign_in(name, token_hash(code), at + good_for)
    return code
