"""Ingest over HTTP: newline-delimited records in, an answer only when they are durable."""

from collections.abc import Iterator
from datetime import datetime
from hashlib import sha256

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from breachwatch.console.access import TOKEN, Page
from breachwatch.console.passwords import same, token_hash
from breachwatch.console.shell import read_body
from breachwatch.console.visits import Desk
from breachwatch.console.words import ERROR_CODES
from breachwatch.kernel.errors import UnavailableError
from breachwatch.kernel.streams import Chunk

LIMIT = 8 * 1024 * 1024
"""The largest body, in bytes."""
LONGEST_RECORD = 1024 * 1024
MAX_RECORDS, MAX_CHUNK_BYTES = 1000, 256 * 1024
CONTENT_TYPES = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl", "text/plain"})
WANTS_TOKEN = {"WWW-Authenticate": 'Bearer realm="ingest"'}


async def ingest(desk: Desk, request: Request) -> Response:
    """Take records of one source.

    Answers 202 with counts once everything is durable; 401, 404, 413 or 415 when nothing of it was taken; 503 with
    `Retry-After` when the store cannot take it now. What was sent with an `Idempotency-Key` may be sent again under
    the same key: its events keep their ids, so none counts twice.
    """
    parts = desk.parts
    if not _authorised(request, parts.ingest_token_hash):
        return _refused(401, "Send the ingest token as `Authorization: Bearer TOKEN`.", WANTS_TOKEN)
    source = request.path_params["source"]
    if parts.append is None or source not in parts.sources:
        return _refused(404, f"No source of this name takes records here; known: {', '.join(sorted(parts.sources))}.")
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() not in CONTENT_TYPES:
        return _refused(415, "Send newline-delimited records as application/x-ndjson or text/plain.")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        return _refused(415, "Send the records without compression.")
    body = await read_body(request, LIMIT)
    taken = await run_in_threadpool(_append, desk, source, body, request.headers.get("idempotency-key", ""))
    return JSONResponse(taken, 202)


def _authorised(request: Request, wanted_hash: str) -> bool:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and same(wanted_hash, token_hash(token.strip()))


def _append(desk: Desk, source: str, body: bytes, key: str) -> dict[str, int]:
    append, now = desk.parts.append, desk.parts.now()
    if append is None:
        raise HTTPException(404)
    records = [line.removesuffix(b"\r") for line in body.split(b"\n")]
    records = [line for line in records if line.strip()]
    sent = count = 0
    for chunk in chunks(records, source, origin_of(source, body, key, now), now):
        try:
            append(chunk)
        except UnavailableError as error:
            raise UnavailableError(f"{sent} of {len(records)} records were taken, the rest was not; {error}") from error
        sent, count = sent + len(chunk.records), count + 1
    return {"accepted": sent, "chunks": count, "bytes": len(body)}


def origin_of(source: str, body: bytes, key: str, now: datetime) -> str:
    """Where the records come from, by which their event ids are derived.

    With a key: the same key and body are the same records. Without: each request is new, so that two equal lines sent
    one after the other are two events, as in a file.
    """
    digest = sha256(body)
    digest.update(b"\0key\0" + key.encode("utf-8", "replace") if key else b"\0at\0" + now.isoformat().encode())
    return f"http:{source}#{digest.hexdigest()[:32]}"


def chunks(records: list[bytes], source: str, origin: str, now: datetime) -> Iterator[Chunk]:
    """The records in chunks of bounded number and size; a record beyond 1 MiB is cut and its true size kept."""
    first = 0
    while first < len(records):
        last, size = first, 0
        while last < len(records) and last - first < MAX_RECORDS and (size < MAX_CHUNK_BYTES or last == first):
            size += len(records[last])
            last += 1
        batch = records[first:last]
        oversized = tuple((at, len(line)) for at, line in enumerate(batch) if len(line) > LONGEST_RECORD)
        cut = tuple(line[:LONGEST_RECORD] for line in batch)
        yield Chunk(source, origin, first, now, cut, oversized)
        first = last


def _refused(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"error": {"code": ERROR_CODES[status], "message": message}}, status, headers)


PAGES = (Page("POST", "/ingest/{source}", TOKEN, ingest, "raw", LIMIT),)
