"""HTTP ingest by itself, without the desk: `POST /ingest/SOURCE`, answered with 202 only when every record is durable.

The same route, token and rules as the desk's, so that a sender needs no change. `GET /healthz` is for load balancers.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from hashlib import sha256
from typing import Any
from urllib.parse import unquote

import orjson

from breachwatch.collectors.http_bodies import (
    BODY_SECONDS,
    RETRY_SECONDS,
    HttpWayIn,
    RefusalError,
    Serve,
    read_body,
)
from breachwatch.collectors.inlet import Append, Now
from breachwatch.kernel.asgi import answer, headers_of
from breachwatch.kernel.errors import UnavailableError
from breachwatch.kernel.posted import LIMIT, NO_TOKEN, WANTS_TOKEN, error_body, origin_of, refusal, shows_token, store
from breachwatch.kernel.streams import Chunk

PATH, HEALTH = "/ingest/", "/healthz"
MAX_UNDER_WAY = 32


class HttpIngest(HttpWayIn):
    """Takes newline-delimited records over HTTP.

    Args:
        place: where it listens, for people: `127.0.0.1 port 8421`.
        sources: whose records are taken.
        token: what senders must show as `Authorization: Bearer`.
        append: stores a chunk; durable when it returns.
        now: the wall clock.
        serve: runs the application.
        full: why nothing can be stored just now; empty when it can.
        instance: tells machines apart that take records for one engine.
    """

    def __init__(
        self,
        place: str,
        sources: Collection[str],
        token: str,
        append: Append,
        now: Now,
        serve: Serve,
        full: Callable[[], str] = lambda: "",
        *,
        instance: str = "",
        max_under_way: int = MAX_UNDER_WAY,
        body_seconds: float = BODY_SECONDS,
    ) -> None:
        super().__init__(place, serve, max_under_way, body_seconds)
        self._sources = sources
        self._token_hash = sha256(token.encode()).hexdigest()
        self._append = append
        self._now = now
        self._full = full
        self._instance = instance

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """The ASGI application."""
        if scope["type"] != "http":
            return
        if scope["path"] == HEALTH and scope["method"] in ("GET", "HEAD"):
            await self._health(send)
            return
        more: Mapping[str, str] = {}
        try:
            taken = await self._take(scope, headers_of(scope), receive)
            status, body = 202, orjson.dumps(taken)
        except RefusalError as refused:
            self.refused += 1
            status, body, more = (
                refused.status,
                orjson.dumps(error_body(refused.status, refused.message)),
                refused.headers,
            )
        await answer(send, status, body, "application/json", more)

    async def _health(self, send: Any) -> None:
        full = await asyncio.to_thread(self._full)
        if full:
            await answer(send, 503, f"{full}\n".encode(), "text/plain", {"retry-after": str(RETRY_SECONDS)})
        else:
            await answer(send, 200, b"ok\n", "text/plain", {})

    async def _take(self, scope: Any, headers: Mapping[str, str], receive: Any) -> dict[str, int]:
        source = self._admit(scope, headers)
        with self._one_more():
            body = await read_body(headers, receive, LIMIT, self._body_seconds)
            return await asyncio.to_thread(self._store, source, body, headers.get("idempotency-key", ""))

    def _admit(self, scope: Any, headers: Mapping[str, str]) -> str:
        """The source of a request that is taken."""
        if not scope["path"].startswith(PATH):
            raise RefusalError(404, f"Records are taken at {PATH}SOURCE.")
        if scope["method"] != "POST":
            raise RefusalError(405, "Send records by POST.", {"allow": "POST"})
        if not shows_token(headers.get("authorization", ""), self._token_hash):
            raise RefusalError(401, NO_TOKEN, WANTS_TOKEN)
        source = unquote(scope["path"].removeprefix(PATH))
        kind, encoding = headers.get("content-type", ""), headers.get("content-encoding", "")
        refused = refusal(source, self._sources, kind, encoding)
        if refused is not None:
            raise RefusalError(*refused)
        self._find_room()
        return source

    def _store(self, source: str, body: bytes, key: str) -> dict[str, int]:
        now = self._now()
        try:
            taken = store(self._keep, source, body, origin_of(source, body, key, now, self._instance), now)
        except UnavailableError as error:
            self._trouble = str(error)
            raise RefusalError(503, str(error), {"retry-after": str(RETRY_SECONDS)}) from error
        self._trouble = ""
        return taken

    def _keep(self, chunk: Chunk) -> None:
        self._append(chunk, None)
        self.stored += len(chunk.records)
        self._last_at = chunk.received_at
