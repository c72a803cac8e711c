"""Requests and answers of the small HTTP servers, as ASGI has them. Source: ASGI HTTP specification 2.5."""

from collections.abc import Mapping
from typing import Any


def headers_of(scope: Any) -> dict[str, str]:
    """The headers of a request, names in lower case."""
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


async def answer(send: Any, status: int, body: bytes, content_type: str, headers: Mapping[str, str]) -> None:
    """Send a whole response; its length may be said otherwise by `headers`, as for `HEAD`."""
    told = {"content-type": content_type, "content-length": str(len(body)), **headers}
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in told.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
