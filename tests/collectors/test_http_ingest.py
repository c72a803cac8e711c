"""HTTP ingest without the desk, over real sockets: as the desk takes records, so does this."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from breachwatch.collectors.http_ingest import HttpIngest
from breachwatch.console.serving import WebServer, listen
from breachwatch.kernel.ids import event_id
from breachwatch.kernel.posted import LIMIT

AT = datetime(2026, 3, 27, 13, 6, 56, tzinfo=UTC)
TOKEN = {"Authorization": "Bearer secret", "Content-Type": "application/x-ndjson"}
SOURCES = ("app-audit", "web-access")


class Reached:
    """An ingest on a port of its own, and a client for it."""

    def __init__(self, ingest: HttpIngest, url: str) -> None:
        self.ingest = ingest
        self.client = httpx.AsyncClient(base_url=url, headers=TOKEN, trust_env=False)

    async def post(self, content: Any, source: str = "app-audit", **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.post(f"/ingest/{source}", content=content, headers=named)


@asynccontextmanager
async def listening(store: Any, **more: Any) -> AsyncIterator[Reached]:
    socket = listen("127.0.0.1", 0)
    port = socket.getsockname()[1]
    made = HttpIngest(
        f"127.0.0.1 port {port}", SOURCES, "secret", store.append, lambda: AT,
        lambda app: WebServer(app, socket).run, **more,
    )  # fmt: skip
    stop = asyncio.Event()
    running = asyncio.create_task(made.run(stop))
    reached = Reached(made, f"http://127.0.0.1:{port}")
    try:
        yield reached
    finally:
        await reached.client.aclose()
        stop.set()
        await running


def ids(store: Any) -> list[str]:
    return [event_id(one.origin, one.first_ordinal + n) for one in store.chunks for n in range(len(one.records))]


async def test_records_are_answered_when_they_are_durable(store: Any) -> None:
    async with listening(store) as reached:
        taken = await reached.post(b'{"a":1}\r\n\n{"a":2}\n')
        assert (taken.status_code, taken.json()) == (202, {"accepted": 2, "chunks": 1, "bytes": 18})
        assert store.lines == [b'{"a":1}', b'{"a":2}']
        status = reached.ingest.status()
        assert (status["stored"], status["refused"], status["last_at"], status["trouble"]) == (2, 0, AT, "")


async def test_a_spool_that_is_full_is_a_503_that_says_when_to_come_back_and_is_seen_by_who_shares_the_load(
    store: Any,
) -> None:
    why = ""
    async with listening(store, full=lambda: why) as reached:
        assert (await reached.client.get("/healthz")).text == "ok\n"
        store.refusing, why = True, "the spool is full"
        refused = await reached.post(b"{}\n")
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) > 0
        assert refused.json()["error"]["code"] == "service_unavailable"
        health = await reached.client.get("/healthz")
        assert (health.status_code, health.text) == (503, "the spool is full\n")
        assert reached.ingest.status()["trouble"]
        store.refusing, why = False, ""
        assert (await reached.post(b"{}\n")).status_code == 202
        assert reached.ingest.status()["trouble"] == ""


@pytest.mark.parametrize("shown", ["", "Bearer", "Bearer wrong", "Basic secret", "Bearer s\xe9cret"])
async def test_without_the_token_nothing_is_taken_or_told(store: Any, shown: str) -> None:
    async with listening(store) as reached:
        refused = await reached.post(b"{}\n", Authorization=shown.encode("latin-1"))  # type: ignore[arg-type]
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"].startswith("Bearer")
    assert "secret" not in refused.text
    assert store.chunks == []


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "code"),
    [
        ("POST", "/ingest/app-audits", {}, 404, "not_found"),
        ("POST", "/ingest/", {}, 404, "not_found"),
        ("GET", "/", {}, 404, "not_found"),
        ("POST", "/healthz", {}, 404, "not_found"),
        ("GET", "/ingest/app-audit", {}, 405, "method_not_allowed"),
        ("POST", "/ingest/app-audit", {"Content-Type": "application/json"}, 415, "unsupported_media_type"),
        ("POST", "/ingest/app-audit", {"Content-Encoding": "gzip"}, 415, "unsupported_media_type"),
    ],
)
async def test_what_is_not_taken_is_told_as_the_desk_tells_it(
    store: Any, method: str, path: str, headers: dict[str, str], status: int, code: str
) -> None:
    async with listening(store) as reached:
        refused = await reached.client.request(method, path, content=b"{}\n", headers=headers)
    assert (refused.status_code, refused.json()["error"]["code"]) == (status, code)
    assert store.chunks == []


async def test_too_large_a_body_is_given_up_while_it_comes(store: Any) -> None:
    async def stream() -> AsyncIterator[bytes]:
        for _ in range(LIMIT // 65_536 + 2):
            yield b"x" * 65_536

    async with listening(store) as reached:
        assert (await reached.post(stream())).status_code == 413
    assert store.chunks == []


@pytest.mark.parametrize(("length", "status"), [(100, b" 408 "), (LIMIT + 1, b" 413 ")])
async def test_who_sends_for_ever_or_says_it_will_is_sent_away(store: Any, length: int, status: bytes) -> None:
    async with listening(store, body_seconds=0.05) as reached:
        reader, writer = await asyncio.open_connection("127.0.0.1", reached.client.base_url.port)
        head = (
            "POST /ingest/app-audit HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer secret\r\nContent-Type: text/plain\r\n"
        )
        writer.write(f"{head}Content-Length: {length}\r\n\r\n{{".encode())
        assert status in await reader.readline()
        writer.close()
    assert store.chunks == []


async def test_more_requests_at_once_than_there_is_room_for_are_asked_to_come_again(store: Any) -> None:
    async with listening(store, max_under_way=0) as reached:
        refused = await reached.post(b"{}\n")
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")


async def test_under_its_key_a_batch_is_the_same_on_every_machine_and_without_one_it_is_not(store: Any) -> None:
    for instance in ("web-1", "web-2"):
        async with listening(store, instance=instance) as reached:
            await reached.post(b"{}\n", Idempotency_Key="batch-7")
            await reached.post(b"{}\n")
    with_key, without, again, without_there = ids(store)
    assert with_key == again
    assert without != without_there
