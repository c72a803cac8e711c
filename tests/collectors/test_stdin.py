"""A pipe into the service: every line to its end, the last one too."""

import asyncio
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from breachwatch.collectors.stdin import StdinInlet


def write_all(descriptor: int, data: bytes) -> None:
    with os.fdopen(descriptor, "wb") as pipe:
        pipe.write(data)


async def test_a_pipe_is_read_to_its_end(store: Any, clock: Any) -> None:
    reading, writing = os.pipe()
    data = b"".join(b"line %d\n" % n for n in range(20_000)) + b"last"
    writer = threading.Thread(target=write_all, args=(writing, data))
    writer.start()
    inlet = StdinInlet("app", store.append, clock, descriptor=reading)
    await inlet.run(asyncio.Event())
    writer.join()
    os.close(reading)
    assert store.lines == data.split(b"\n")
    assert inlet.status() == {"stored": 20_001, "ended": True, "last_at": clock.at, "trouble": ""}


async def test_a_file_as_input(store: Any, clock: Any, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"1\n2\n")
    with (tmp_path / "in").open("rb") as file:
        await StdinInlet("app", store.append, clock, descriptor=file.fileno()).run(asyncio.Event())
    assert store.lines == [b"1", b"2"]


async def test_it_stops_when_told_and_keeps_what_it_read(store: Any, clock: Any) -> None:
    reading, writing = os.pipe()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def append(chunk: Any, position: Any) -> None:
        store.append(chunk, position)
        loop.call_soon_threadsafe(stop.set)

    inlet = StdinInlet("app", append, clock, descriptor=reading)
    os.write(writing, b"1\n")
    await inlet.run(stop)
    os.close(writing)
    os.close(reading)
    assert store.lines == [b"1"]
    assert inlet.ended is False


@pytest.mark.parametrize("lines", [0, 1])
async def test_an_empty_input_ends_at_once(store: Any, clock: Any, lines: int) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"\n" * lines)
    os.close(writing)
    await StdinInlet("app", store.append, clock, descriptor=reading).run(asyncio.Event())
    os.close(reading)
    assert store.lines == [b""] * lines
