"""Proves a whole ledger within one view of it: every chain, the seal over all of them, and what lies beside."""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from breachwatch.kernel.facts import Codec
from breachwatch.kernel.ports import Derive
from breachwatch.ledger.beside import Beside, raw, raw_facts
from breachwatch.ledger.chain import Seals, StoredFact, breaks
from breachwatch.ledger.schema import heads, totals

_TOTAL = (totals.c.incidents, totals.c.facts, totals.c.sum, totals.c.mac)
_READ_AHEAD_ROWS = 1_000


def raw_heads() -> sa.Select[Any]:
    """(incident, seq, hash, mac) of every chain's end, as they lie there."""
    columns: list[sa.ColumnElement[Any]] = [raw(heads.c[name]) for name in ("incident_id", "seq", "hash", "mac")]
    return sa.select(*columns)


def broken_places(connection: sa.Connection, seals: Seals, codec: Codec, derive: Derive | None) -> Iterator[str]:
    """Every break, as `Ledger.verify` tells it; nothing when all is as it was written.

    Args:
        connection: where the view is open.
        seals: made from the master key.
        codec: reads facts.
        derive: says what must lie beside a case file; without it that is not looked at.
    """
    named: set[str] = set()
    total = connection.execute(sa.select(*map(raw, _TOTAL))).first()
    ends = {row[0]: (row[1], row[2], row[3]) for row in connection.execute(raw_heads())}
    stored = connection.execute(raw_facts().execution_options(yield_per=_READ_AHEAD_ROWS))
    for broken in breaks(
        seals,
        ends,
        map(StoredFact._make, stored),
        (total[0], total[1], total[2], total[3]) if total else None,
    ):
        named.add(broken.incident_id)
        yield str(broken)
    if derive:
        yield from Beside(connection, codec, derive).strays(named)
