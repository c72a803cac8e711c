"""What the HTTP ways in share: how they run and are told of, a body of bounded size and time, a refusal."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

BODY_SECONDS = 30.0
RETRY_SECONDS = 5
"""After so long a sender may come again who was told that nothing can be stored."""

Run = Callable[[asyncio.Event], Awaitable[object]]
Serve = Callable[[Any], Run]
"""`(ASGI application) -> what runs it until an event is set`: a web server is none of this module's business."""


class RefusalError(Exception):
    """Nothing of a request is taken: which status says so, in which words, with which headers."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.headers = status, message, dict(headers or {})


async def read_body(headers: Mapping[str, str], receive: Any, limit: int, seconds: float = BODY_SECONDS) -> bytes:
    """The whole body.

    Args:
        headers: of the request.
        receive: of ASGI.
        limit: its largest size in bytes.
        seconds: how long it may take to arrive.

    Raises:
        RefusalError: 413 larger, 408 slower, 400 cut off.
    """
    too_large = RefusalError(413, f"More than {limit >> 20} MiB; send smaller batches.")
    said = headers.get("content-length", "0")
    if said.isdigit() and int(said) > limit:
        raise too_large
    held = bytearray()
    try:
        async with asyncio.timeout(seconds):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise RefusalError(400, "The body ended early.")
                held += message.get("body", b"")
                if len(held) > limit:
                    raise too_large
                if not message.get("more_body"):
                    break
    except TimeoutError as error:
        raise RefusalError(408, "The body took too long.") from error
    return bytes(held)


class HttpWayIn:
    """What every way in over HTTP has: a place, a server, and a bound on the requests that it takes at once.

    Args:
        place: where it listens, for people: `127.0.0.1 port 4318`.
        serve: runs the application, which a subclass is by its `__call__`.
        max_under_way: requests at once; more are asked to come again.
        body_seconds: how long a body may take to arrive.
    """

    def __init__(self, place: str, serve: Serve, max_under_way: int, body_seconds: float) -> None:
        self._place = place
        self._serve = serve
        self._max_under_way = max_under_way
        self._body_seconds = body_seconds
        self._under_way = 0
        self._last_at: datetime | None = None
        self._trouble = ""
        self.stored = 0
        self.refused = 0

    def status(self) -> dict[str, object]:
        """What an operator should see. `refused`: requests of which nothing was taken."""
        return {
            "place": self._place,
            "stored": self.stored,
            "refused": self.refused,
            "last_at": self._last_at,
            "trouble": self._trouble,
        }

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set."""
        await self._serve(self)(stop)

    def _find_room(self) -> None:
        if self._under_way >= self._max_under_way:
            raise RefusalError(429, "Too many requests at once.", {"retry-after": "1"})

    @contextmanager
    def _one_more(self) -> Iterator[None]:
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1
