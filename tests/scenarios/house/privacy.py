"""Looks for people where none may be found: in whatever a run has left, byte by byte."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape
from typing import Any
from urllib.parse import quote, quote_plus

import sqlalchemy as sa

from breachwatch.demo.people import Customer
from breachwatch.engines.embedded.spool import Spool
from breachwatch.ledger.keys import open_keys
from house.stage import Stage

Left = Iterator[tuple[str, bytes]]
WORLD_OUTSIDE = ("directory.csv", "logs")
"""What is the shop's own and not breachwatch's: its directory and its logs."""


@dataclass(frozen=True)
class Names:
    """Every identifier of some people, in any spelling a program may give it: plain, JSON, HTML, URL.

    Looking goes by what all of them have in common first, since there are thousands of spellings.
    """

    spelled: frozenset[bytes]

    def found(self, data: bytes) -> list[bytes]:
        """What is named in some bytes."""
        small = data.lower()
        return [hit for shape in (_ID, _ADDRESS, _NAME) for hit in shape.findall(small) if hit in self.spelled]


_ID = re.compile(rb"(?<![0-9a-z])c1\d{4}(?![0-9a-z])")
"""Not inside a longer word: c10031 may stand in a hexadecimal digest by chance."""
_ADDRESS = re.compile(rb"customer\d{4}(?:@|%40|&#64;|\\u0040)shop\.example")
_LETTER = rb"(?:[a-z\x80-\xff]|\\u[0-9a-f]{4}|%[89a-f][0-9a-f]|&#?\w+;)"
_NAME = re.compile(rb"(?<![a-z])(?=(" + _LETTER + rb"{2,20}(?: |\+|%20|_)" + _LETTER + rb"{2,20}))")


def names_of(people: Iterable[Customer]) -> Names:
    """Identifier, full name and address of everybody."""
    spelled: set[bytes] = set()
    for one in people:
        for text in (one.id, one.email, one.name):
            for form in (text, json.dumps(text)[1:-1], escape(text), quote(text, safe="@ "), quote_plus(text)):
                spelled |= {form.replace(" ", mark).encode().lower() for mark in (" ", "+", "%20", "_")}
    return Names(frozenset(spelled))


def found_in(left: Left, names: Names) -> list[str]:
    """Where people were found; empty is good. Says the place and how often, so that a failure tells nobody either."""
    return [f"{where}: {len(hits)} times" for where, data in left if (hits := names.found(data))]


def files(stage: Stage) -> Left:
    """Every file of the service, raw: databases with their write-ahead logs, the spool, its own output.

    To be asked for between two lives: whoever closes a file gives up the locks that SQLite holds on it (POSIX), so the
    test's own connection goes first.
    """
    stage.let_go()
    outside = [stage.folder / name for name in WORLD_OUTSIDE]
    for path in sorted(stage.folder.rglob("*")):
        if path.is_file() and not any(path.is_relative_to(one) for one in outside):
            yield str(path.relative_to(stage.folder)), path.read_bytes()


def tables(stage: Stage) -> Left:
    """Every value of every table of the ledger, as the database gives it."""
    engine = stage.store.database.engine
    schema = sa.MetaData()
    schema.reflect(engine)
    with engine.connect() as connection:
        for table in schema.sorted_tables:
            for row in connection.execute(sa.select(*(sa.type_coerce(one, sa.types.NullType()) for one in table.c))):
                yield table.name, b"\n".join(_bytes(value) for value in row)


def published(stage: Stage) -> Left:
    """The stream of facts as its subscribers read it, opened."""
    state = stage.settings.state_dir
    spool = Spool(state / "spool.sqlite", open_keys(state).derive("spool"))
    try:
        for _, envelope in spool.published(limit=100_000):
            yield "facts", _bytes(dict(envelope))
        for letter in spool.dead_letters():
            yield "dead letters", _bytes([letter.source, letter.origin, letter.reason])
        for key, value in spool.state():
            yield "windows", key.encode() + b"\n" + value
    finally:
        spool.close()


def _bytes(value: Any) -> bytes:
    if isinstance(value, bytes | memoryview):
        return bytes(value)
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass")


def answers(stage: Stage) -> Left:
    """Every URL that a walk over the desk leads to, and all that programs are told there."""
    desk = stage.sign_in()
    told = ["/api/status", "/api/alerts", "/api/incidents"]
    told += [f"/api/incidents/{one.incident_id}" for one in stage.store.ledger.summaries()]
    shown = ["/", "/status", "/register", *(path.removeprefix("/api") for path in told[3:])]
    shown += [f"{path}/{part}" for path in shown[3:] for part in ("filing", "notices")]
    for path in told:
        yield path, stage.look(desk, path).html.encode()
    for path in shown:
        stage.look(desk, path)
    yield "URLs", "\n".join(stage.urls).encode()
