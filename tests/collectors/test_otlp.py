"""OTLP over HTTP, over real sockets: a real exporter, what agents send, and everything that goes wrong."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import orjson
import pytest
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource

from breachwatch.collectors import otlp
from breachwatch.collectors.otlp import OtlpListener
from breachwatch.collectors.otlp_records import MAX_RECORDS, Routing
from breachwatch.console.serving import WebServer, listen
from breachwatch.kernel.ids import event_id

AT = datetime(2026, 3, 27, 13, 6, 56, tzinfo=UTC)
TOKEN = {"Authorization": "Bearer secret"}
LINE = "Mar 27 13:06:56 web sshd[7]: Failed password for root from 198.51.100.7 port 4711 ssh2"
ROUTING = Routing("otlp-logs", sources={"sshd": "linux-sshd"}, json=frozenset({"otlp-logs"}))


class Reached:
    """A listener on a port of its own, and a client for it."""

    def __init__(self, listener: OtlpListener, url: str) -> None:
        self.listener, self.url = listener, url
        self.client = httpx.AsyncClient(base_url=url, headers=TOKEN, trust_env=False)

    async def post(self, body: Any, **more: Any) -> httpx.Response:
        return await self.client.post("/v1/logs", json=body, **more)


@asynccontextmanager
async def listening(store: Any, routing: Routing = ROUTING, **more: Any) -> AsyncIterator[Reached]:
    socket = listen("127.0.0.1", 0)
    place = f"127.0.0.1 port {socket.getsockname()[1]}"
    made = OtlpListener(
        place, routing, "secret", store.append, lambda: AT, lambda app: WebServer(app, socket).run, **more
    )
    stop = asyncio.Event()
    running = asyncio.create_task(made.run(stop))
    reached = Reached(made, f"http://127.0.0.1:{socket.getsockname()[1]}")
    try:
        yield reached
    finally:
        await reached.client.aclose()
        stop.set()
        await running


def body(*records: dict[str, Any], service: str = "shop") -> dict[str, Any]:
    name = {"key": "service.name", "value": {"stringValue": service}}
    return {"resourceLogs": [{"resource": {"attributes": [name]}, "scopeLogs": [{"logRecords": list(records)}]}]}


def said(text: str, **more: Any) -> dict[str, Any]:
    return {"timeUnixNano": "1774616816000000000", "body": {"stringValue": text}, **more}


async def test_what_an_sdk_exports_is_stored_before_it_is_told_so(store: Any) -> None:
    async with listening(store) as reached:

        def export() -> None:
            provider = LoggerProvider(Resource.create({"service.name": "shop"}))
            exporter = OTLPLogExporter(f"{reached.url}/v1/logs", headers=TOKEN, compression=None)
            provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
            said = LogRecord(
                timestamp=1_774_616_816_000_000_000,
                severity_number=SeverityNumber.WARN,
                body="sign-in failed",
                attributes={"user.name": "ana", "client.address": "192.0.2.7"},
            )
            provider.get_logger("shop.login").emit(said)
            provider.shutdown()

        await asyncio.to_thread(export)
        assert reached.listener.status()["stored"] == 1
    (chunk,) = store.chunks
    record = orjson.loads(chunk.records[0])
    assert chunk.source == "otlp-logs"
    assert record["message"] == "sign-in failed"
    assert record["resource.service.name"] == "shop"
    assert (record["attributes.user.name"], record["attributes.client.address"]) == ("ana", "192.0.2.7")
    assert (record["severity"], record["scope"], record["time"]) == ("WARN", "shop.login", "2026-03-27T13:06:56Z")


async def test_the_line_an_agent_read_is_the_record_and_its_service_tells_the_source(store: Any) -> None:
    async with listening(store) as reached:
        answer = await reached.post(body(said(LINE + "\n"), said(LINE), service="sshd"))
        assert (answer.status_code, answer.json()) == (200, {})
        assert answer.headers["content-type"] == "application/json"
    assert store.lines == [LINE.encode()] * 2
    assert {chunk.source for chunk in store.chunks} == {"linux-sshd"}


async def test_records_of_several_sources_in_one_request_go_each_to_its_own(store: Any) -> None:
    both = body(said(LINE), service="sshd")
    both["resourceLogs"] += body(said("hello"))["resourceLogs"]
    async with listening(store) as reached:
        assert (await reached.post(both)).status_code == 200
    assert [chunk.source for chunk in store.chunks] == ["linux-sshd", "otlp-logs"]
    assert len({event_id(chunk.origin, chunk.first_ordinal) for chunk in store.chunks}) == 2, "each is its own event"


async def test_machines_that_take_records_without_a_time_at_one_instant_take_different_ones(store: Any) -> None:
    for instance in ("web-1", "web-2", "web-1"):
        async with listening(store, instance=instance) as reached:
            await reached.post(body({"body": {"stringValue": "no time"}}))
            await reached.post(body(said("with a time")))
    origins = [chunk.origin for chunk in store.chunks]
    assert len(set(origins[::2])) == 2
    assert len(set(origins[1::2])) == 1, "a request sent again may come to another machine"


async def test_protobuf_is_answered_in_protobuf_also_when_packed(store: Any) -> None:
    request = ExportLogsServiceRequest()
    record = request.resource_logs.add().scope_logs.add().log_records.add()
    record.body.string_value, record.time_unix_nano = "hello", 1_774_616_816_000_000_000
    headers = {"Content-Type": "application/x-protobuf"}
    async with listening(store) as reached:
        plain = request.SerializeToString()
        for content, more in ((plain, {}), (gzip.compress(plain), {"Content-Encoding": "gzip"})):
            answer = await reached.client.post("/v1/logs", content=content, headers={**headers, **more})
            assert answer.status_code == 200
            assert answer.headers["content-type"] == "application/x-protobuf"
            assert ExportLogsServiceResponse.FromString(answer.content) == ExportLogsServiceResponse()
    assert [orjson.loads(line)["message"] for line in store.lines] == ["hello", "hello"]


async def test_a_request_sent_again_is_the_same_records(store: Any) -> None:
    async with listening(store) as reached:
        for _ in range(2):
            await reached.post(body(said("one")))
        await reached.post(body(said("two")))
    origins = [(chunk.origin, chunk.first_ordinal) for chunk in store.chunks]
    assert origins[0] == origins[1] != origins[2]


async def test_records_that_tell_no_time_are_not_taken_for_the_same(store: Any, monkeypatch: Any) -> None:
    moments = iter([AT, AT.replace(microsecond=1)])
    async with listening(store) as reached:
        monkeypatch.setattr(reached.listener, "_now", lambda: next(moments))
        for _ in range(2):
            await reached.post(body({"body": {"stringValue": "x"}}))
    assert len({chunk.origin for chunk in store.chunks}) == 2


async def test_a_record_that_says_nothing_is_left_out_and_told(store: Any) -> None:
    async with listening(store) as reached:
        answer = await reached.post(body(said("x"), {"timeUnixNano": "1"}, said("  ")))
    assert answer.status_code == 200
    assert answer.json()["partialSuccess"]["rejectedLogRecords"] == "2"
    assert len(store.lines) == 1


async def test_nothing_is_acknowledged_that_is_not_durable(store: Any) -> None:
    store.refusing = True
    async with listening(store) as reached:
        answer = await reached.post(body(said("x")))
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert "send them again" in answer.json()["message"]
        assert reached.listener.status()["trouble"] == "full"
        store.refusing = False
        assert (await reached.post(body(said("x")))).status_code == 200
        assert reached.listener.status()["trouble"] == ""
    assert len(store.lines) == 1


PROTOBUF = {"Content-Type": "application/x-protobuf"}


@pytest.mark.parametrize(
    ("status", "change"),
    [
        (401, {"headers": {"Authorization": "Bearer wrong"}}),
        (401, {"headers": {"Authorization": "Basic secret"}}),
        (404, {"url": "/v1/traces"}),
        (405, {"method": "GET"}),
        (415, {"headers": {"Content-Type": "text/plain"}}),
        (415, {"headers": {"Content-Encoding": "br"}}),
        (400, {"content": b"{"}),
        (400, {"content": b"[]"}),
        (400, {"content": b'{"resourceLogs": [1]}'}),
        (400, {"content": b"\xff\xff\xff", "headers": PROTOBUF}),
        (400, {"content": b"no gzip", "headers": {"Content-Encoding": "gzip"}}),
        (400, {"content": gzip.compress(b"{}")[:-9], "headers": {"Content-Encoding": "gzip"}}),
        (413, {"content": b" " * (otlp.MAX_BODY_BYTES + 1)}),
        (413, {"content": orjson.dumps(body(*[{}] * (MAX_RECORDS + 1)))}),
        (413, {"content": gzip.compress(bytes(otlp.MAX_PLAIN_BYTES + 1)), "headers": {"Content-Encoding": "gzip"}}),
    ],
)
async def test_what_cannot_be_taken_is_refused_with_its_reason(store: Any, status: int, change: dict[str, Any]) -> None:
    asked: dict[str, Any] = {"method": "POST", "url": "/v1/logs", "content": b"{}", "headers": {}, **change}
    asked["headers"] = {"Content-Type": "application/json", **asked["headers"]}
    async with listening(store) as reached:
        answer = await reached.client.request(**asked)
        assert answer.status_code == status
        assert answer.content
        assert reached.listener.refused == 1
    assert store.lines == []


async def test_the_reason_comes_in_the_encoding_of_the_request(store: Any) -> None:
    async with listening(store) as reached:
        answer = await reached.client.post("/v1/logs", content=b"\xff", headers=PROTOBUF)
    assert answer.headers["content-type"] == "application/x-protobuf"
    assert answer.content[:1] == b"\x12"
    assert b"the body is no ExportLogsServiceRequest" in answer.content


async def test_too_many_at_once_are_asked_to_come_again(store: Any) -> None:
    async with listening(store, max_under_way=0) as reached:
        answer = await reached.post(body(said("x")))
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")


async def test_who_sends_a_body_for_ever_is_sent_away(store: Any) -> None:
    async with listening(store, body_seconds=0.05) as reached:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(reached.url.rsplit(":", 1)[1]))
        head = "POST /v1/logs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer secret\r\nContent-Type: application/json\r\n"
        writer.write(f"{head}Content-Length: 100\r\n\r\n{{".encode())
        assert b" 408 " in await reader.readline()
        writer.close()


async def test_a_body_that_swells_takes_no_more_memory_than_allowed(store: Any) -> None:
    bomb = gzip.compress(bytes(7 << 20) * 8)
    async with listening(store) as reached:
        answer = await reached.client.post(
            "/v1/logs", content=bomb, headers={"Content-Type": "application/json", "Content-Encoding": "gzip"}
        )
    assert answer.status_code == 413


async def test_what_it_does_can_be_followed(store: Any) -> None:
    seen: list[str] = []
    waypoint: Callable[[str], None] = seen.append
    async with listening(store, waypoint=waypoint) as reached:
        await reached.post(body(said("x")))
        status = reached.listener.status()
    assert seen == ["otlp:before-append", "otlp:after-append"]
    assert (status["stored"], status["refused"], status["last_at"]) == (1, 0, AT)
    assert str(status["place"]).startswith("127.0.0.1 port ")
