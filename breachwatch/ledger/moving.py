"""A ledger out of a file into PostgreSQL: all of it in one transaction, proven on both sides, or nothing."""

from collections.abc import Callable, Iterator, Mapping

import sqlalchemy as sa

from breachwatch.kernel.errors import RefusedError, TamperedError
from breachwatch.kernel.facts import Codec
from breachwatch.kernel.ports import Derive
from breachwatch.ledger.chain import Seals
from breachwatch.ledger.database import Database
from breachwatch.ledger.proof import broken_places
from breachwatch.ledger.schema import leases, metadata, totals

Told = Callable[[str, int], object]
"""Told of each table, and how many rows of it were copied."""

_PORTION = 500
_SHOWN = 3


def _bare(table: sa.Table) -> sa.Table:
    """A table without types of ours: what lies there goes over as it is, to the byte."""
    columns = [
        sa.Column(column.name, column.type.impl_instance if isinstance(column.type, sa.TypeDecorator) else column.type)
        for column in table.columns
    ]
    return sa.Table(table.name, sa.MetaData(), *columns)


TABLES = tuple(_bare(table) for table in metadata.sorted_tables if table is not leases)
"""In an order that foreign keys allow. Leases belong to processes that must not run meanwhile."""


def move(
    source: Database,
    target: Database,
    seals: Seals,
    codec: Codec,
    derive: Derive,
    told: Told = lambda _table, _rows: None,
) -> Mapping[str, int]:
    """Copy everything; nobody can write to the source meanwhile, and nobody sees the target before it is whole.

    Killed at any line, the target is as empty as before, or whole; then moving again only finds that out.

    Args:
        source: a ledger in SQLite.
        target: a ledger in PostgreSQL that holds nothing, under the same master key.
        seals: made from that key.
        codec: reads facts.
        derive: says what must lie beside a case file.
        told: how far it has come.

    Returns:
        Table to number of rows.

    Raises:
        RefusedError: one of them is in the wrong kind of database, or the target is in use.
        TamperedError: a chain is not what was written, before or after.
        UnavailableError: a database is away or locked.
    """
    if not source.is_sqlite or target.is_sqlite:
        raise RefusedError("a ledger is moved from a file into PostgreSQL; from one server to another go dumps")
    with source.writing() as old, target.writing() as new:
        target.lock_name(new, "move")
        _prove(old, seals, codec, derive, "nothing was moved")
        wanted = _counts(old)
        found = _counts(new)
        if found == wanted and _seal(old) == _seal(new):
            return wanted
        if any(count for name, count in found.items() if name != totals.name):
            raise RefusedError(f"{target.name} is in use already: it holds {_summed(found)}; name an empty database")
        new.execute(sa.delete(totals))
        for table in TABLES:
            told(table.name, _copy(old, new, table))
        _go_on_counting(new)
        copied = _counts(new)
        if copied != wanted:
            raise TamperedError(
                f"nothing was moved: {_summed(wanted)} were to be copied, and {_summed(copied)} arrived"
            )
        _prove(new, seals, codec, derive, "the copy is not whole; nothing was moved")
    return copied


def _copy(old: sa.Connection, new: sa.Connection, table: sa.Table) -> int:
    rows = 0
    for portion in _portions(old, table):
        new.execute(sa.insert(table), portion)
        rows += len(portion)
    return rows


def _portions(old: sa.Connection, table: sa.Table) -> Iterator[list[dict[str, object]]]:
    result = old.execute(sa.select(table).execution_options(yield_per=_PORTION))
    for rows in result.mappings().partitions():
        yield [dict(row) for row in rows]


def _go_on_counting(new: sa.Connection) -> None:
    """Rows that are numbered by the database go on after the highest number that there is."""
    for table in metadata.sorted_tables:
        number = table.columns.get("number")
        if number is not None and number.primary_key:
            sequence = sa.func.pg_get_serial_sequence(table.name, number.name)
            highest = sa.select(sa.func.coalesce(sa.func.max(number), 0) + 1).scalar_subquery()
            new.execute(sa.select(sa.func.setval(sequence, highest, sa.false())))


def _counts(connection: sa.Connection) -> dict[str, int]:
    return {table.name: int(connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0) for table in TABLES}


def _seal(connection: sa.Connection) -> tuple[object, ...] | None:
    found = connection.execute(sa.select(totals.c.incidents, totals.c.facts, totals.c.sum, totals.c.mac)).first()
    return tuple(found) if found else None


def _summed(counts: Mapping[str, int]) -> str:
    held = [f"{count:,} {name}" for name, count in counts.items() if count and name != totals.name]
    return ", ".join(held) or "nothing"


def _prove(connection: sa.Connection, seals: Seals, codec: Codec, derive: Derive, otherwise: str) -> None:
    broken = list(broken_places(connection, seals, codec, derive))
    if broken:
        more = f"; and {len(broken) - _SHOWN} more" if len(broken) > _SHOWN else ""
        raise TamperedError(f"{otherwise}: {'; '.join(broken[:_SHOWN])}{more}")
