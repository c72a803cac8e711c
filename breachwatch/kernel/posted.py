"""Records that programs post over HTTP: what is taken, and how a body becomes chunks, at the desk and elsewhere.

Documented in `docs/reference/http-api.md`.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime
from hashlib import sha256
from hmac import compare_digest

from breachwatch.kernel.errors import UnavailableError
from breachwatch.kernel.streams import Chunk

LIMIT = 8 * 1024 * 1024
"""The largest body, in bytes."""
LONGEST_RECORD = 1024 * 1024
MAX_RECORDS, MAX_CHUNK_BYTES = 1000, 256 * 1024
CONTENT_TYPES = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl", "text/plain"})
WANTS_TOKEN = {"WWW-Authenticate": 'Bearer realm="ingest"'}
NO_TOKEN = "Send the ingest token as `Authorization: Bearer TOKEN`."  # noqa: S105 (what is said where there is none)

ERROR_CODES: Mapping[int, str] = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    409: "conflict",
    413: "content_too_large",
    415: "unsupported_media_type",
    422: "unprocessable_content",
    429: "too_many_requests",
    500: "internal_server_error",
    503: "service_unavailable",
}
"""What programs are told in place of a sentence: the names of RFC 9110, whatever Python calls them."""


def error_body(status: int, message: str) -> dict[str, dict[str, str]]:
    """What a program gets with an error, as a value to be written as JSON."""
    return {"error": {"code": ERROR_CODES[status], "message": message}}


def shows_token(authorization: str, wanted_hash: str) -> bool:
    """Whether an `Authorization` header shows the token of this SHA-256 (hex); an empty one is never shown.

    The header is decoded as Latin-1, as by every server here, which gives back its bytes whole.
    """
    scheme, _, token = authorization.partition(" ")
    try:
        shown = sha256(token.strip().encode("latin-1")).hexdigest()
    except UnicodeEncodeError:
        return False
    return scheme.lower() == "bearer" and bool(wanted_hash) and compare_digest(shown, wanted_hash)


def refusal(source: str, sources: Collection[str], content_type: str, encoding: str) -> tuple[int, str] | None:
    """(status, why) for records that are not taken, whatever they say; None for those that are."""
    if source not in sources:
        return 404, f"No source of this name takes records here; known: {', '.join(sorted(sources))}."
    if content_type.partition(";")[0].strip().lower() not in CONTENT_TYPES:
        return 415, "Send newline-delimited records as application/x-ndjson or text/plain."
    if encoding.lower() not in ("identity", ""):
        return 415, "Send the records without compression."
    return None


def store(append: Callable[[Chunk], object], source: str, body: bytes, origin: str, now: datetime) -> dict[str, int]:
    """Append every record of a body; returns what the sender is told: `accepted`, `chunks`, `bytes`.

    Raises:
        UnavailableError: some were not taken; the text says how many were.
    """
    records = [line.removesuffix(b"\r") for line in body.split(b"\n")]
    records = [line for line in records if line.strip()]
    sent = count = 0
    for chunk in chunks(records, source, origin, now):
        try:
            append(chunk)
        except UnavailableError as error:
            raise UnavailableError(f"{sent} of {len(records)} records were taken, the rest was not; {error}") from error
        sent, count = sent + len(chunk.records), count + 1
    return {"accepted": sent, "chunks": count, "bytes": len(body)}


def origin_of(source: str, body: bytes, key: str, now: datetime, instance: str = "") -> str:
    """Where the records come from, by which their event ids are derived.

    With a key: the same key and body are the same records, whichever machine they are sent to. Without: each request is
    new, so that two equal lines sent one after the other are two events, as in a file. `instance` tells machines apart
    that take requests for one engine.
    """
    digest = sha256(body)
    if key:
        digest.update(b"\0key\0" + key.encode("utf-8", "replace"))
    else:
        digest.update(b"\0at\0" + now.isoformat().encode() + (b"\0on\0" + instance.encode() if instance else b""))
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
