"""Syslog on real sockets."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from breachwatch.collectors.syslog import SyslogListener
from breachwatch.kernel.errors import UnavailableError

HEAD = b"<34>Mar 27 13:00:00 web-1 sshd[2001]: "
Listening = Callable[..., Any]


class Watched:
    """A store that tells the loop of each append."""

    def __init__(self, store: Any) -> None:
        self.store = store
        self.loop = asyncio.get_running_loop()
        self.changed = asyncio.Event()

    def append(self, chunk: Any, position: Any) -> None:
        try:
            self.store.append(chunk, position)
        finally:
            self.loop.call_soon_threadsafe(self.changed.set)

    async def until(self, count: int) -> list[bytes]:
        while len(self.store.lines) < count:
            await self.changed.wait()
            self.changed.clear()
        lines: list[bytes] = self.store.lines
        return lines


@pytest.fixture
async def watched(store: Any) -> Watched:
    return Watched(store)


@pytest.fixture
def listening(watched: Watched, clock: Any) -> Listening:
    @asynccontextmanager
    async def listen(protocol: Any = "tcp", **more: Any) -> AsyncIterator[SyslogListener]:
        listener = SyslogListener("127.0.0.1", 0, protocol, "app", watched.append, clock, linger=0, **more)
        await listener.start()
        stop = asyncio.Event()
        running = asyncio.create_task(listener.run(stop))
        yield listener
        stop.set()
        await running

    return listen


async def send(listener: SyslogListener, data: bytes) -> asyncio.StreamWriter:
    _, writer = await asyncio.open_connection(*listener.address)
    writer.write(data)
    await writer.drain()
    return writer


async def test_tcp_takes_both_framings_from_many_senders(listening: Listening, watched: Watched) -> None:
    async with listening() as listener:
        one = await send(listener, HEAD + b"a\n" + b"%d %s" % (len(HEAD) + 1, HEAD + b"b"))
        two = await send(listener, HEAD + b"c")
        two.close()
        assert sorted(await watched.until(3)) == [HEAD + b"a", HEAD + b"b", HEAD + b"c"]
        one.close()


async def test_what_was_received_before_the_stop_is_stored(listening: Listening, watched: Watched) -> None:
    async with listening() as listener:
        writer = await send(listener, HEAD + b"begin\n" + HEAD + b"cut")
        await watched.until(1)
    assert watched.store.lines == [HEAD + b"begin", HEAD + b"cut"]
    writer.close()


async def test_json_sources_get_the_message_alone(listening: Listening, watched: Watched) -> None:
    async with listening(unwrap=True) as listener:
        writer = await send(listener, b'<34>1 - - - - - - {"action": "read"}\n<34>1 - - - - - -\n' + HEAD + b"{}\n")
        assert await watched.until(2) == [b'{"action": "read"}', b"{}"]
        writer.close()


async def test_a_long_message_is_cut(listening: Listening, watched: Watched) -> None:
    async with listening(max_bytes=100) as listener:
        writer = await send(listener, HEAD + b"x" * 5_000 + b"\nnext\n")
        await watched.until(2)
        assert watched.store.chunks[0].oversized == ((0, len(HEAD) + 5_000),)
        writer.close()


async def test_a_sender_waits_while_nothing_can_be_stored_and_nothing_is_lost(
    listening: Listening, watched: Watched
) -> None:
    watched.store.refusing = True
    async with listening() as listener:
        message = HEAD + b"y" * 2_000 + b"\n"
        _, writer = await asyncio.open_connection(*listener.address)
        writer.transport.set_write_buffer_limits(high=0)
        for _ in range(8_000):
            writer.write(message)
        draining = asyncio.create_task(writer.drain())
        await watched.changed.wait()
        assert not draining.done(), "16 MB do not fit between a sender and a spool that takes nothing"
        watched.store.refusing = False
        await draining
        assert len(await watched.until(8_000)) == 8_000
        writer.close()


async def test_too_many_connections_are_turned_away(listening: Listening, watched: Watched) -> None:
    async with listening(max_connections=1) as listener:
        first = await send(listener, HEAD + b"a\n")
        await watched.until(1)
        reader, second = await asyncio.open_connection(*listener.address)
        assert await reader.read() == b""
        assert listener.status()["turned_away"] == 1
        first.close()
        second.close()


async def test_a_silent_connection_is_closed_and_its_beginning_kept(listening: Listening, watched: Watched) -> None:
    async with listening(idle_seconds=0.01) as listener:
        reader, writer = await asyncio.open_connection(*listener.address)
        writer.write(HEAD + b"cut")
        assert await reader.read() == b""
        assert await watched.until(1) == [HEAD + b"cut"]
        assert listener.status()["idled_out"] == 1
        writer.close()


async def test_udp_takes_a_message_a_datagram(listening: Listening, watched: Watched) -> None:
    async with listening("udp") as listener:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for text in (b"a", b"b\n", b""):
                sender.sendto(HEAD + text if text else text, listener.address)
        assert await watched.until(2) == [HEAD + b"a", HEAD + b"b"]
        assert listener.status()["kernel_drops"] == 0


async def test_udp_counts_what_it_has_no_room_for(
    listening: Listening, watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    watched.store.refusing = True
    async with listening("udp") as listener:
        for _ in range(10_000):
            listener.take_datagram(HEAD)
        dropped = listener.status()["dropped"]
        assert 0 < dropped < 10_000
        assert "dropped" in caplog.text
        watched.store.refusing = False
        assert len(await watched.until(10_000 - dropped)) == 10_000 - dropped


async def test_an_address_that_is_taken_is_said(store: Any, clock: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        listener = SyslogListener("127.0.0.1", taken.getsockname()[1], "tcp", "app", store.append, clock)
        with pytest.raises(UnavailableError, match="cannot listen for syslog on tcp"):
            await listener.start()
