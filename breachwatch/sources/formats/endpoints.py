"""Addresses and ports as text logs write them: `192.0.2.7:4711`, `[2001:db8::7]:4711`, `2001:db8::7`, or a name."""

import re
from functools import lru_cache
from ipaddress import IPv6Address
from typing import Any

_BRACKETED = re.compile(r"\[([^\[\]]*)\](?::(\d{1,5}))?", re.ASCII)
_WITH_PORT = re.compile(r"([^:\[\]]*):(\d{1,5})", re.ASCII)


def unmapped(address: str) -> str:
    """An address without the IPv6 wrapping of an IPv4 one: `::ffff:192.0.2.7` is `192.0.2.7`."""
    return address[7:] if address[:7].lower() == "::ffff:" and "." in address else address


def endpoint(text: str) -> tuple[str, int | None]:
    """Address and port; the port of a bare IPv6 address is never guessed."""
    if found := _BRACKETED.fullmatch(text) or _WITH_PORT.fullmatch(text):
        return unmapped(found[1]), int(found[2]) if found[2] else None
    if text[:7].lower() == "::ffff:" and (found := _WITH_PORT.fullmatch(text[7:])) and "." in found[1]:
        return found[1], int(found[2])
    return unmapped(text), None


@lru_cache(4096)
def endpoint_with_port(text: str) -> tuple[str, int | None]:
    """As `endpoint`, where a port is written behind every address, even behind a bare IPv6 one (`::1:37752`)."""
    address, port = endpoint(text)
    if port is not None or ":" not in address:
        return address, port
    before, _, last = address.rpartition(":")
    if last.isascii() and last.isdigit() and len(last) <= 5 and _is_v6(before):
        return unmapped(before), int(last)
    return address, None


def _is_v6(text: str) -> bool:
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True


def put_client(fields: dict[str, Any], client: tuple[str, int | None]) -> None:
    """Put a client into fields, under the names that `sshd` gives them."""
    address, port = client
    if address:
        fields["src_ip"] = address
    if port is not None:
        fields["src_port"] = port
