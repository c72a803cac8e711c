"""A mail server that keeps what it takes, answers as told, and may kill who is talking to it in mid-sentence."""

import asyncio
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

Answer = Callable[[str], str]


@dataclass(frozen=True)
class Taken:
    """One mail this server took: in which life of the service, for whom, and the whole of it."""

    life: int
    to: str
    message_id: str
    subject: str
    content: bytes


@dataclass
class Relay:
    """Runs in a thread of its own; `taken` is what it has taken responsibility for, in order.

    `to_rcpt` gives the answer to a recipient, `life` and `pid` are those of the service that is talking.
    `kill_at` is `before-reply` or `after-reply`; it is done at the `kill_passing`-th mail from then on.
    """

    taken: list[Taken] = field(default_factory=list)
    to_rcpt: Answer = lambda address: "250 OK"
    to_data: Answer = lambda address: "250 2.0.0 kept"
    asked: list[str] = field(default_factory=list)
    life: int = 0
    pid: int = 0
    kill_at: str = ""
    kill_passing: int = 0
    port: int = 0
    answering: threading.Event = field(default_factory=threading.Event)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _server: Any = None

    def __post_init__(self) -> None:
        self.answering.set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="relay", daemon=True)
        self._thread.start()
        self.up()

    # ------------------------------------------------------------------ up and down

    def up(self) -> None:
        """Listen, on the same port as before if there was one."""
        self._server = self._do(self._listen())
        self.port = self._server.sockets[0].getsockname()[1]

    def down(self) -> None:
        """Listen no more, and drop every connection."""
        self._do(self._drop())

    def close(self) -> None:
        if self._server is not None:
            self.down()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _listen(self) -> Any:
        return await self._loop.create_server(lambda: _Talk(self), "127.0.0.1", self.port)

    async def _drop(self) -> None:
        server, self._server = self._server, None
        server.close()
        for talk in list(_Talk.open_ones.get(id(self), ())):
            talk.drop()

    def _do(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    # ------------------------------------------------------------------ talking

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.asked.append(address)
        answer = self.to_rcpt(address)
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        [to] = envelope.rcpt_tos
        while not self.answering.is_set():  # noqa: ASYNC110 - set in another thread
            await asyncio.sleep(0.01)
        answer = self.to_data(to)
        if answer.startswith("250"):
            content = envelope.content if isinstance(envelope.content, bytes) else b""
            head = message_from_bytes(content, policy=policy.default)
            self.taken.append(Taken(self.life, to, str(head["Message-ID"]), str(head["Subject"]), content))
            self._perhaps_kill("before-reply")
        return answer

    def _perhaps_kill(self, where: str) -> None:
        if self.kill_at == where:
            self.kill_passing -= 1
            if self.kill_passing == 0:
                self.kill_at = ""
                os.kill(self.pid, signal.SIGKILL)


class _Talk(SMTP):
    """One connection; it knows when the answer to DATA has left."""

    open_ones: dict[int, set["_Talk"]] = {}  # noqa: RUF012 - by server

    def __init__(self, relay: Relay) -> None:
        super().__init__(relay, hostname="relay.example", enable_SMTPUTF8=True, loop=relay._loop)
        self._relay = relay

    def drop(self) -> None:
        transport: Any = self.transport
        transport.abort()

    def connection_made(self, transport: Any) -> None:
        self.open_ones.setdefault(id(self._relay), set()).add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self.open_ones[id(self._relay)].discard(self)
        super().connection_lost(error)

    async def push(self, status: Any) -> None:
        await super().push(status)
        if status == "250 2.0.0 kept":
            self._relay._perhaps_kill("after-reply")
