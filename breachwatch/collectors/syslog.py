"""A syslog listener over TCP or UDP. TCP senders wait while nothing can be stored; UDP cannot, so drops are counted."""

import asyncio
import logging
import socket
import struct
from collections.abc import Iterable
from typing import Literal

from breachwatch.collectors.inlet import LINGER_SECONDS, Append, Inlet, Now
from breachwatch.collectors.lines import MAX_RECORD_BYTES, Record
from breachwatch.collectors.syslog_frames import Framer, datagram, unwrapped
from breachwatch.kernel.errors import UnavailableError
from breachwatch.kernel.ports import Waypoint, passing

log = logging.getLogger(__name__)
_BLOCK_BYTES = 64 << 10
_UDP_BUFFER_BYTES = 4 << 20
_SO_MEMINFO, _MEMINFO_WORDS, _MEMINFO_DROPS = 55, 9, 8


class SyslogListener:
    """Takes RFC 5424 and RFC 3164 messages for one source.

    The source's parser gets the whole message, header included; with `unwrap` it gets MSG alone, as a source of JSON
    or access-log lines needs. UDP and TCP know no acknowledgement: what was received but not yet stored (at most
    100 ms, or 500 messages) is lost if the machine dies.

    Args:
        host: address to listen on.
        port: 0 picks a free one; see `address`.
        protocol: `tcp` (RFC 6587, both framings, even mixed) or `udp` (RFC 5426).
        source: name of the source the messages are of.
        append: where chunks go.
        now: the wall clock.
        waypoint: as for `Inlet`.
        unwrap: hand MSG to the parser instead of the whole message.
        max_connections: more are turned away at once.
        idle_seconds: a TCP connection that says nothing for so long is closed.
        max_bytes: longer messages are cut.
    """

    def __init__(
        self,
        host: str,
        port: int,
        protocol: Literal["tcp", "udp"],
        source: str,
        append: Append,
        now: Now,
        waypoint: Waypoint = passing,
        *,
        unwrap: bool = False,
        max_connections: int = 200,
        idle_seconds: float = 3_600.0,
        max_bytes: int = MAX_RECORD_BYTES,
        linger: float = LINGER_SECONDS,
    ) -> None:
        self._wanted = (host, port)
        self._protocol = protocol
        self._unwrap = unwrap
        self._max_connections = max_connections
        self._idle_seconds = idle_seconds
        self._max_bytes = max_bytes
        self._inlet = Inlet(append, source, now, waypoint, origin=f"syslog-{protocol}:{port}", linger=linger)
        self._server: asyncio.Server | None = None
        self._datagrams: asyncio.DatagramTransport | None = None
        self._closing = asyncio.Event()
        self._serving: set[asyncio.Task[None]] = set()
        self.address: tuple[str, int] = (host, port)
        self.dropped = 0
        self.turned_away = 0
        self.idled_out = 0

    def status(self) -> dict[str, object]:
        """What an operator should see. `kernel_drops`: datagrams that the system had no room for."""
        return {
            "stored": self._inlet.stored,
            "connections": len(self._serving),
            "turned_away": self.turned_away,
            "idled_out": self.idled_out,
            "dropped": self.dropped,
            "kernel_drops": self._kernel_drops(),
            "place": f"{self._protocol} {self.address[0]}:{self.address[1]}",
            "last_at": self._inlet.last_at,
            "trouble": self._inlet.trouble,
        }

    async def start(self) -> None:
        """Begin to listen; `address` is what was bound.

        Raises:
            UnavailableError: the address is taken or not ours.
        """
        try:
            bound = await (self._start_tcp() if self._protocol == "tcp" else self._start_udp())
        except OSError as error:
            host, port = self._wanted
            raise UnavailableError(
                f"cannot listen for syslog on {self._protocol} {host} port {port}: {error.strerror}"
            ) from error
        self.address = (str(bound[0]), int(bound[1]))

    async def _start_tcp(self) -> tuple[str, int]:
        self._server = await asyncio.start_server(self._serve, *self._wanted, limit=_BLOCK_BYTES)
        name: tuple[str, int] = self._server.sockets[0].getsockname()
        return name

    async def _start_udp(self) -> tuple[str, int]:
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: _Datagrams(self), local_addr=self._wanted
        )
        self._datagrams = transport
        sock: socket.socket = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _UDP_BUFFER_BYTES)
        name: tuple[str, int] = transport.get_extra_info("sockname")
        return name

    async def run(self, stop: asyncio.Event) -> None:
        """Listen until `stop` is set; then what was received is stored, and this returns."""
        if self._server is None and self._datagrams is None:
            await self.start()
        done = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._inlet.run(done, stop))
            try:
                await stop.wait()
            finally:
                await self._close()
                done.set()

    async def _close(self) -> None:
        self._closing.set()
        if self._server is not None:
            self._server.close()
        if self._datagrams is not None:
            self._datagrams.close()
        await asyncio.gather(*self._serving, return_exceptions=True)

    # ------------------------------------------------------------------ TCP

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or len(self._serving) >= self._max_connections:
            self.turned_away += 1
            writer.close()
            return
        self._serving.add(task)
        framer = Framer(self._max_bytes)
        try:
            while data := await self._read(reader):
                await self._inlet.put(self._payloads(framer.feed(data)))
        except ConnectionError:
            log.debug("a syslog connection broke off")
        finally:
            await self._inlet.put(self._payloads(framer.flush()))
            self._serving.discard(task)
            writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> bytes:
        """The next bytes; none when the sender has gone, said nothing for too long, or this listener closes."""
        reading = asyncio.ensure_future(reader.read(_BLOCK_BYTES))
        closing = asyncio.ensure_future(self._closing.wait())
        try:
            await asyncio.wait({reading, closing}, timeout=self._idle_seconds, return_when=asyncio.FIRST_COMPLETED)
            if reading.done():
                return reading.result()
            self.idled_out += not closing.done()
            return b""
        finally:
            reading.cancel()
            closing.cancel()

    def _payloads(self, records: Iterable[Record]) -> Iterable[Record]:
        for record in records:
            payload = unwrapped(record) if self._unwrap else record
            if payload.body:
                yield payload

    # ------------------------------------------------------------------ UDP

    def take_datagram(self, data: bytes) -> None:
        """Take one datagram, or count it as dropped when there is no room."""
        record = datagram(data)
        if record is None:
            return
        for payload in self._payloads([record]):
            if not self._inlet.offer(payload):
                self._count_drop()

    def _count_drop(self) -> None:
        self.dropped += 1
        if self.dropped & (self.dropped - 1) == 0:
            log.warning("syslog over UDP: %d messages dropped so far, because nothing can be stored", self.dropped)

    def _kernel_drops(self) -> int:
        """The socket's own count of datagrams it had no room for; 0 where the system does not tell."""
        if self._datagrams is None or self._datagrams.is_closing():
            return 0
        sock: socket.socket = self._datagrams.get_extra_info("socket")
        try:
            words = struct.unpack(f"={_MEMINFO_WORDS}I", sock.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 36))
        except (OSError, struct.error):
            return 0
        return int(words[_MEMINFO_DROPS])


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, listener: SyslogListener) -> None:
        self._listener = listener

    def datagram_received(self, data: bytes, addr: tuple[str | int, ...]) -> None:
        self._listener.take_datagram(data)
