"""One of several processes has a name, keeps it while it lives, and loses it when it is heard of no more."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

TURN = timedelta(seconds=30)


def test_a_name_is_one_owners_until_it_is_given_back(store: Any, clock: Any) -> None:
    leases = store.leases
    assert leases.take("facts", "one", clock(), clock() + TURN)
    assert not leases.take("facts", "two", clock(), clock() + TURN)
    assert leases.take("people in-1", "two", clock(), clock() + TURN), "other names are free"
    leases.give_back("facts", "two")
    assert not leases.take("facts", "two", clock(), clock() + TURN), "only its owner gives it back"
    leases.give_back("facts", "one")
    assert leases.take("facts", "two", clock(), clock() + TURN)


def test_who_lives_keeps_its_name_and_who_died_loses_it_when_its_time_is_up(store: Any, clock: Any) -> None:
    leases = store.leases
    assert leases.take("facts", "one", clock(), clock() + TURN)
    clock.advance(TURN / 2)
    assert leases.take("facts", "one", clock(), clock() + TURN)
    clock.advance(TURN - timedelta(microseconds=1))
    assert not leases.take("facts", "two", clock(), clock() + TURN)
    clock.advance(timedelta(microseconds=1))
    assert leases.take("facts", "two", clock(), clock() + TURN)
    assert not leases.take("facts", "one", clock(), clock() + TURN)


def test_of_many_who_ask_at_once_one_gets_it(open_store: Callable[..., Any], clock: Any) -> None:
    stores = [open_store() for _ in range(4)]

    def ask(number: int) -> bool:
        got: bool = stores[number % 4].leases.take("facts", f"owner-{number}", clock(), clock() + TURN)
        return got

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(ask, range(16))) == 1


def test_a_case_file_somebody_is_at_is_not_waited_for(
    open_store: Callable[..., Any], write: Callable[..., Any], store_url: str
) -> None:
    one, two = open_store(busy_timeout=timedelta(seconds=1)), open_store(busy_timeout=timedelta(seconds=1))
    write(one, "in-1", "begun")
    write(one, "in-2", "begun")
    with one.ledger.begin() as held:
        assert held.claim("in-1")
        if store_url.startswith("postgresql"):
            with two.ledger.begin() as other:
                assert not other.claim("in-1")
                assert other.claim("in-2")
    with two.ledger.begin() as other:
        assert other.claim("in-1")
        assert other.claim("in-9"), "there is nothing to wait for"
