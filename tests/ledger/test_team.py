"""Who may sign in, once and for how long; nothing here could be used to sign in if it were stolen."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest

from breachwatch.kernel.errors import NotFoundError
from breachwatch.kernel.ports import Member
from breachwatch.ledger.store import Store

HOUR = timedelta(hours=1)
CAMILLE = Member("camille", "Camille Exemple", frozenset({"dpo", "analyst"}))
INES = Member("ines", "Inès", frozenset({"admin"}))


@pytest.fixture
def team(store: Store) -> Any:
    store.team.put(INES, None)
    store.team.put(CAMILLE, "$argon2id$first")
    return store.team


def test_members_are_listed_by_name(team: Any) -> None:
    assert team.members() == [CAMILLE, INES]
    assert team.password_hash("camille") == "$argon2id$first"
    assert team.password_hash("ines") is None
    assert team.password_hash("nobody") is None


def test_a_change_keeps_the_password_unless_there_is_a_new_one(team: Any) -> None:
    changed = Member("camille", "C. Exemple", frozenset({"dpo"}))
    team.put(changed, None)
    assert team.password_hash("camille") == "$argon2id$first"
    team.put(changed, "$argon2id$second")
    assert team.password_hash("camille") == "$argon2id$second"
    assert team.members()[0] == changed


def test_a_session_lives_until_its_end(team: Any, clock: Any) -> None:
    team.open_session("camille", "hash", "csrf", clock(), clock() + HOUR)

    assert team.session("hash", clock()) == (CAMILLE, "csrf")
    assert team.session("other", clock()) is None
    assert team.session("hash", clock() + HOUR) is None
    team.end_session("hash")
    assert team.session("hash", clock()) is None


def test_a_token_opens_one_session_at_most(team: Any, clock: Any) -> None:
    team.open_session("ines", "hash", "first", clock(), clock() + HOUR)
    team.open_session("camille", "hash", "second", clock(), clock() + HOUR)

    assert team.session("hash", clock()) == (CAMILLE, "second")


def test_who_leaves_is_signed_out_at_once(team: Any, clock: Any) -> None:
    team.open_session("camille", "hash", "csrf", clock(), clock() + HOUR)
    team.offer_sign_in("camille", "once", clock() + HOUR)
    gone = Member("camille", "Camille Exemple", frozenset({"dpo"}), active=False)
    team.put(gone, None)

    assert team.session("hash", clock()) is None
    assert team.use_sign_in("once", clock()) is None
    assert team.password_hash("camille") is None
    team.put(CAMILLE, None)
    assert team.session("hash", clock()) is None  # coming back does not bring old sessions back


def test_a_new_password_can_end_all_other_sessions(team: Any, clock: Any) -> None:
    for token in ("here", "there", "elsewhere"):
        team.open_session("camille", token, "csrf", clock(), clock() + HOUR)
    team.open_session("ines", "hers", "csrf", clock(), clock() + HOUR)

    team.end_sessions("camille", but="here")

    assert [token for token in ("here", "there", "elsewhere", "hers") if team.session(token, clock())] == [
        "here",
        "hers",
    ]


def test_a_one_time_sign_in_is_good_once(team: Any, clock: Any) -> None:
    team.offer_sign_in("camille", "once", clock() + HOUR)

    assert team.use_sign_in("other", clock()) is None
    assert team.use_sign_in("once", clock()) == "camille"
    assert team.use_sign_in("once", clock()) is None


def test_a_one_time_sign_in_ends_and_is_spent_by_trying(team: Any, clock: Any) -> None:
    team.offer_sign_in("camille", "once", clock() + HOUR)

    assert team.use_sign_in("once", clock() + HOUR) is None
    assert team.use_sign_in("once", clock()) is None


def test_only_the_newest_one_time_sign_in_is_good(team: Any, clock: Any) -> None:
    team.offer_sign_in("camille", "old", clock() + HOUR)
    team.offer_sign_in("camille", "new", clock() + HOUR)

    assert team.use_sign_in("old", clock()) is None
    assert team.use_sign_in("new", clock()) == "camille"


def test_many_who_use_one_sign_in_at_once_are_one(team: Any, clock: Any) -> None:
    team.offer_sign_in("camille", "once", clock() + HOUR)

    with ThreadPoolExecutor(4) as pool:
        names = list(pool.map(lambda _: team.use_sign_in("once", clock()), range(8)))

    assert (names.count("camille"), names.count(None)) == (1, 7)


def test_strangers_get_neither_session_nor_sign_in(team: Any, clock: Any) -> None:
    with pytest.raises(NotFoundError, match="no member is called 'nobody'"):
        team.open_session("nobody", "hash", "csrf", clock(), clock() + HOUR)
    with pytest.raises(NotFoundError):
        team.offer_sign_in("nobody", "once", clock() + HOUR)


def test_failures_are_counted_by_key_and_forgotten_on_success(team: Any, clock: Callable[[], datetime]) -> None:
    start = clock()
    for minutes in (0, 5, 10):
        team.note_failure("camille", start + timedelta(minutes=minutes))
    team.note_failure("192.0.2.7", start)

    assert team.failures("camille", start) == 3
    assert team.failures("camille", start + timedelta(minutes=5)) == 2
    assert team.failures("192.0.2.7", start) == 1
    team.forget_failures("camille")
    assert (team.failures("camille", start), team.failures("192.0.2.7", start)) == (0, 1)
    team.note_failure("camille", start + timedelta(days=2))
    assert team.failures("192.0.2.7", start) == 0  # a client's trace is kept for a day
