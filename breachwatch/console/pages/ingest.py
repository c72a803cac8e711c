"""Ingest over HTTP: newline-delimited records in, an answer only when they are durable."""

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from breachwatch.console.access import TOKEN, Page
from breachwatch.console.shell import read_body
from breachwatch.console.visits import Desk
from breachwatch.kernel.posted import LIMIT, NO_TOKEN, WANTS_TOKEN, error_body, origin_of, refusal, shows_token, store


async def ingest(desk: Desk, request: Request) -> Response:
    """Take records of one source.

    Answers 202 with counts once everything is durable; 401, 404, 413 or 415 when nothing of it was taken; 503 with
    `Retry-After` when the store cannot take it now. What was sent with an `Idempotency-Key` may be sent again under
    the same key: its events keep their ids, so none counts twice.
    """
    parts, headers = desk.parts, request.headers
    if not shows_token(headers.get("authorization", ""), parts.ingest_token_hash):
        return JSONResponse(error_body(401, NO_TOKEN), 401, WANTS_TOKEN)
    source = request.path_params["source"]
    known = parts.sources if parts.append is not None else ()
    refused = refusal(source, known, headers.get("content-type", ""), headers.get("content-encoding", ""))
    if refused is not None:
        status, message = refused
        return JSONResponse(error_body(status, message), status)
    body = await read_body(request, LIMIT)
    taken = await run_in_threadpool(_append, desk, source, body, headers.get("idempotency-key", ""))
    return JSONResponse(taken, 202)


def _append(desk: Desk, source: str, body: bytes, key: str) -> dict[str, int]:
    append, now = desk.parts.append, desk.parts.now()
    if append is None:
        raise HTTPException(404)
    return store(append, source, body, origin_of(source, body, key, now), now)


PAGES = (Page("POST", "/ingest/{source}", TOKEN, ingest, "raw", LIMIT),)
