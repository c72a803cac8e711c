"""What the HTTP ways in share: a body of bounded size and time, a refusal with its status, an answer over ASGI."""

import asyncio
from collections.abc import Mapping
from typing import Any

BODY_SECONDS = 30.0


class RefusalError(Exception):
    """Nothing of a request is taken: which status says so, in which words, with which headers."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.headers = status, message, dict(headers or {})


def headers_of(scope: Any) -> dict[str, str]:
    """The headers of a request, names in lower case."""
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


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


async def answer(send: Any, status: int, body: bytes, content_type: str, headers: Mapping[str, str]) -> None:
    """Send a whole response."""
    told = {"content-type": content_type, "content-length": str(len(body)), **headers}
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in told.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
