"""Records from the network wait in bounded number, become durable together, and outlive a spool that takes nothing."""

import asyncio
from typing import Any

import pytest

from breachwatch.collectors.inlet import Inlet
from breachwatch.collectors.lines import Record
from breachwatch.kernel.errors import UnavailableError


def record(text: str) -> Record:
    return Record(text.encode(), len(text))


def records(count: int) -> list[Record]:
    return [record(str(n)) for n in range(count)]


@pytest.fixture
def inlet(store: Any, clock: Any) -> Inlet:
    return Inlet(store.append, "app", clock, origin="stdin", max_records=3, backlog=2, linger=0)


def test_chunks_are_cut_by_number_and_told_apart_by_the_run(inlet: Inlet, store: Any) -> None:
    for one in records(5):
        assert inlet.offer(one)
    assert inlet.flush() == 3
    assert inlet.flush() == 2
    assert [len(chunk.records) for chunk in store.chunks] == [3, 2]
    assert store.by_origin() == {"stdin#1774630800000000": [b"0", b"1", b"2", b"3", b"4"]}


def test_without_room_an_offer_is_refused(inlet: Inlet, store: Any) -> None:
    taken = [inlet.offer(one) for one in records(12)]
    assert taken == [True] * 9 + [False] * 3
    assert inlet.waiting == 9
    inlet.flush()
    assert inlet.offer(record("again"))


def test_what_cannot_be_stored_goes_on_waiting(inlet: Inlet, store: Any) -> None:
    inlet.offer(record("a"))
    store.refusing = True
    with pytest.raises(UnavailableError):
        inlet.flush()
    store.refusing = False
    assert inlet.flush() == 1


def test_places_are_passed(store: Any, clock: Any) -> None:
    places: list[str] = []

    def waypoint(place: str) -> None:
        places.append(place)

    inlet = Inlet(store.append, "app", clock, waypoint)
    inlet.offer(record("a"))
    inlet.flush()
    assert places == ["inlet:before-append", "inlet:after-append"]


async def test_everything_put_is_durable_when_the_run_ends(inlet: Inlet, store: Any) -> None:
    ended = asyncio.Event()
    running = asyncio.create_task(inlet.run(ended))
    await inlet.put(records(50))
    ended.set()
    await running
    assert store.lines == [b"%d" % n for n in range(50)]
    assert inlet.stored == 50


async def test_a_sender_waits_while_the_spool_takes_nothing(store: Any, clock: Any) -> None:
    refused = asyncio.Event()
    loop = asyncio.get_running_loop()

    def append(chunk: Any, position: Any) -> None:
        if store.refusing:
            loop.call_soon_threadsafe(refused.set)
        store.append(chunk, position)

    inlet = Inlet(append, "app", clock, max_records=3, backlog=2, linger=0)
    store.refusing = True
    ended = asyncio.Event()
    running = asyncio.create_task(inlet.run(ended, asyncio.Event()))
    sending = asyncio.create_task(inlet.put(records(40)))
    await refused.wait()
    assert not sending.done()
    store.refusing = False
    await sending
    ended.set()
    await running
    assert len(store.lines) == 40
    assert inlet.trouble == ""


async def test_stopped_while_the_spool_takes_nothing_it_says_what_was_not_stored(
    inlet: Inlet, store: Any, caplog: pytest.LogCaptureFixture
) -> None:
    store.refusing = True
    stop = asyncio.Event()
    stop.set()
    await inlet.put(records(5))
    await inlet.run(stop)
    assert "5 records received were not stored" in caplog.text
    await inlet.put(records(2))
    assert inlet.lost == 7
