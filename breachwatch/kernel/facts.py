"""Facts: what was said about an incident, by whom, when; and the chain that shows none was touched since."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Literal

from pydantic import TypeAdapter

from breachwatch.kernel.errors import TamperedError
from breachwatch.kernel.ids import IncidentId
from breachwatch.kernel.time import rfc3339

Role = Literal["analyst", "dpo", "admin"]
GENESIS = "0" * 64


@dataclass(frozen=True, slots=True)
class Actor:
    """Who speaks: a member of the team by sign-in name, or a part of this program (`system`)."""

    name: str
    kind: Literal["person", "system"] = "person"
    roles: frozenset[Role] = frozenset()


SYSTEM = Actor("breachwatch", "system")


@dataclass(frozen=True, slots=True)
class Recorded:
    """A fact as the case file keeps it.

    `seq` counts from 1 without gaps in one incident. `body` is the room's frozen fact dataclass. `prev_hash` is the
    hash of `seq - 1` (64 zeros at 1), `hash` covers everything here but itself; both are lower-case hex SHA-256.
    """

    incident_id: IncidentId
    seq: int
    type: str
    at: datetime
    actor: str
    actor_kind: str
    body: Any
    prev_hash: str
    hash: str


_ADAPTERS: dict[type[Any], TypeAdapter[Any]] = {}


def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


def encode(body: object) -> str:
    """A fact's body as canonical JSON: keys sorted, no blanks, UTF-8 kept as it is."""
    plain = _adapter(type(body)).dump_python(body, mode="json")
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


class Codec:
    """Turns stored bodies back into the facts they were; made once from every fact type of every room."""

    def __init__(self, types: Iterable[type[Any]]) -> None:
        self._types: dict[str, type[Any]] = {kind.__name__: kind for kind in types}

    def decode(self, type_name: str, body: str) -> Any:
        """The fact dataclass for a stored body.

        Raises:
            TamperedError: unknown type, or a body that does not fit it.
        """
        try:
            return _adapter(self._types[type_name]).validate_json(body)
        except (KeyError, ValueError) as error:
            raise TamperedError(f"cannot read a stored {type_name}: {type(error).__name__}") from error


def seal(
    prev_hash: str, incident_id: str, seq: int, type_name: str, at: datetime, actor: str, kind: str, body: str
) -> str:
    """The hash of one fact over its predecessor's: SHA-256 of a canonical JSON array of all stored columns."""
    columns: list[str | int] = [prev_hash, incident_id, seq, type_name, rfc3339(at), actor, kind, body]
    return sha256(json.dumps(columns, separators=(",", ":"), ensure_ascii=False).encode()).hexdigest()
