"""OTLP logs over HTTP: `POST /v1/logs`, protobuf or JSON, answered only when every record is durable.

Whatever speaks OTLP can send: an OpenTelemetry collector, Vector, Fluent Bit, an SDK. Source: OTLP specification 1.5,
OTLP/HTTP.
"""

import asyncio
import zlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any

import orjson
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse

from breachwatch.collectors.http_bodies import (
    BODY_SECONDS,
    RETRY_SECONDS,
    HttpWayIn,
    RefusalError,
    Serve,
    read_body,
)
from breachwatch.collectors.inlet import Append, Now
from breachwatch.collectors.lines import ChunkBuilder
from breachwatch.collectors.otlp_records import (
    LogRecord,
    OtlpError,
    Routing,
    TooManyError,
    from_json,
    from_protobuf,
    raw_record,
)
from breachwatch.kernel.asgi import answer, headers_of
from breachwatch.kernel.errors import UnavailableError
from breachwatch.kernel.ports import Waypoint, passing
from breachwatch.kernel.posted import shows_token

PATH = "/v1/logs"
PROTOBUF, JSON = "application/x-protobuf", "application/json"
MAX_BODY_BYTES = 8 << 20
MAX_PLAIN_BYTES = 32 << 20
"""A body, once unpacked."""
MAX_UNDER_WAY = 16
MAX_READ_AT_ONCE = 2
"""Bodies that are unpacked and read at the same time: a hundred bytes of objects can come of one byte of a body."""


class OtlpListener(HttpWayIn):
    """Takes log records over HTTP and hands each to the source that the routing says.

    The same request sent again is the same records: an exporter whose answer was lost may repeat itself, and nothing
    counts twice. Without room, with a store that takes nothing, it asks the sender to come again.

    Args:
        place: where it listens, for people: `127.0.0.1 port 4318`.
        routing: which source a record is of.
        token: what senders must show as `Authorization: Bearer`.
        append: stores a chunk; durable when it returns.
        now: the wall clock.
        serve: runs the application.
        waypoint: told of `otlp:before-append` and `otlp:after-append`.
        instance: tells machines apart that take records for one engine.
    """

    def __init__(
        self,
        place: str,
        routing: Routing,
        token: str,
        append: Append,
        now: Now,
        serve: Serve,
        waypoint: Waypoint = passing,
        *,
        instance: str = "",
        max_under_way: int = MAX_UNDER_WAY,
        body_seconds: float = BODY_SECONDS,
    ) -> None:
        super().__init__(place, serve, max_under_way, body_seconds)
        self._routing = routing
        self._token_hash = sha256(token.encode()).hexdigest()
        self._append = append
        self._now = now
        self._waypoint = waypoint
        self._instance = instance
        self._reading = asyncio.Semaphore(MAX_READ_AT_ONCE)

    # ------------------------------------------------------------------ HTTP

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """The ASGI application."""
        if scope["type"] != "http":
            return
        headers = headers_of(scope)
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        spoken = JSON if kind == JSON else PROTOBUF
        try:
            self._admit(scope, headers, kind)
            status, body, more = 200, await self._take(headers, kind, receive), {}
        except RefusalError as refusal:
            self.refused += 1
            status, body, more = refusal.status, _status(refusal.message, spoken), refusal.headers
        await answer(send, status, body, spoken, more)

    def _admit(self, scope: Any, headers: Mapping[str, str], kind: str) -> None:
        if scope["path"] != PATH:
            raise RefusalError(404, f"Logs are taken at {PATH}.")
        if scope["method"] != "POST":
            raise RefusalError(405, "Send logs by POST.", {"allow": "POST"})
        if not shows_token(headers.get("authorization", ""), self._token_hash):
            wanted = {"www-authenticate": 'Bearer realm="otlp"'}
            raise RefusalError(401, "Send the token as `Authorization: Bearer TOKEN`.", wanted)
        if kind not in (PROTOBUF, JSON):
            raise RefusalError(415, f"Send {PROTOBUF} or {JSON}.")
        if headers.get("content-encoding", "identity").strip().lower() not in ("identity", "gzip", ""):
            raise RefusalError(415, "Send the body plain or with gzip.", {"accept-encoding": "gzip"})
        self._find_room()

    async def _take(self, headers: Mapping[str, str], kind: str, receive: Any) -> bytes:
        with self._one_more():
            body = await read_body(headers, receive, MAX_BODY_BYTES, self._body_seconds)
            packed = headers.get("content-encoding", "").strip().lower() == "gzip"
            async with self._reading:
                return await asyncio.to_thread(self._store, body, kind, packed=packed)

    # ------------------------------------------------------------------ storing

    def _store(self, sent: bytes, kind: str, *, packed: bool) -> bytes:
        body = _unpacked(sent) if packed else sent
        try:
            records = from_json(body) if kind == JSON else from_protobuf(body)
        except TooManyError as error:
            raise RefusalError(413, f"Not taken: {error}; send smaller batches.") from error
        except OtlpError as error:
            raise RefusalError(400, f"Not taken: {error}.") from error
        now = self._now()
        builders, empty = self._sorted(records, _origin(body, records, now, self._instance))
        try:
            for builder in builders:
                self._store_all(builder, now)
        except UnavailableError as error:
            self._trouble = str(error)
            again = {"retry-after": str(RETRY_SECONDS)}
            raise RefusalError(503, "Records cannot be stored just now; send them again.", again) from error
        self._trouble = ""
        return _response(empty, kind)

    def _sorted(self, records: Iterable[LogRecord], origin: str) -> tuple[list["_Batches"], int]:
        batches: dict[str, _Batches] = {}
        empty = 0
        for record in records:
            source = self._routing.source_of(record)
            raw = raw_record(record, json=source in self._routing.json)
            if raw is None:
                empty += 1
                continue
            if source not in batches:
                # each counts its records from 0, and no two records may be of one place
                batches[source] = _Batches(source, f"{origin}@{source}" if batches else origin)
            batches[source].add(raw)
        return list(batches.values()), empty

    def _store_all(self, batches: "_Batches", now: datetime) -> None:
        for chunk in batches.chunks(now):
            self._waypoint("otlp:before-append")
            self._append(chunk, None)
            self._waypoint("otlp:after-append")
            self.stored += len(chunk.records)
            self._last_at = now


class _Batches:
    """The records of one request that are of one source."""

    def __init__(self, source: str, origin: str) -> None:
        self._builder = ChunkBuilder(source, origin)
        self._records: list[Any] = []

    def add(self, record: Any) -> None:
        self._records.append(record)

    def chunks(self, now: datetime) -> Iterable[Any]:
        yield from self._builder.chunks(self._records, now)
        last = self._builder.take(now)
        if last is not None:
            yield last


def _origin(body: bytes, records: Iterable[LogRecord], now: datetime, instance: str) -> str:
    """Where records come from, by which the ids of their events are derived: the same for a request sent again.

    Records that tell no time at all could truly be two equal ones; they are told apart by when, and by which machine,
    they were received.
    """
    digest = sha256(body)
    if not all(record.time_ns or record.observed_ns for record in records):
        digest.update(b"\0at\0" + now.isoformat().encode() + (b"\0on\0" + instance.encode() if instance else b""))
    return f"otlp#{digest.hexdigest()[:32]}"


def _unpacked(body: bytes) -> bytes:
    unit = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        plain = unit.decompress(body, MAX_PLAIN_BYTES)
    except zlib.error as error:
        raise RefusalError(400, "The body is no gzip.") from error
    if unit.unconsumed_tail:
        raise RefusalError(413, f"More than {MAX_PLAIN_BYTES >> 20} MiB once unpacked; send smaller batches.")
    if not unit.eof:
        raise RefusalError(400, "The body is no whole gzip.")
    return plain


def _response(empty: int, kind: str) -> bytes:
    """`ExportLogsServiceResponse`: empty when all went well, `partial_success` when something was left out."""
    message = "records without body and attributes were left out"
    if kind == JSON:
        told = {"partialSuccess": {"rejectedLogRecords": str(empty), "errorMessage": message}} if empty else {}
        return orjson.dumps(told)
    response = ExportLogsServiceResponse()
    if empty:
        response.partial_success.rejected_log_records = empty
        response.partial_success.error_message = message
    return bytes(response.SerializeToString())


def _status(message: str, kind: str) -> bytes:
    """`google.rpc.Status`, which has its text in field 2. Source: OTLP/HTTP, "Failures"."""
    if kind == JSON:
        return orjson.dumps({"message": message})
    text = message.encode()
    size = bytes([len(text)]) if len(text) < 0x80 else bytes([len(text) & 0x7F | 0x80, len(text) >> 7])
    return b"\x12" + size + text
