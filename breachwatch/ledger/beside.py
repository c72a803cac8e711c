"""Proves what lies beside the case files: summaries, references and notices are what the facts say.

None of them is sealed, and none needs to be: each follows from facts, which are. Rows are read raw, since what lies
there may be anything.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from breachwatch.kernel.errors import BreachwatchError
from breachwatch.kernel.facts import Codec
from breachwatch.kernel.ids import IncidentId
from breachwatch.kernel.ports import CaseSummary, Derive, Derived
from breachwatch.ledger import rows
from breachwatch.ledger.chain import StoredFact
from breachwatch.ledger.schema import facts, heads, outbox, subject_refs, summaries

_DIALECT = sqlite.dialect()


def raw(column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    """A column as it lies there: no type of ours reads it."""
    return sa.type_coerce(column, sa.types.NullType())


def raw_facts(incident_id: str | None = None) -> sa.Select[Any]:
    """All facts, or one incident's, as `StoredFact` has them, by incident and number."""
    columns: list[sa.ColumnElement[Any]] = [raw(facts.c[name]) for name in StoredFact._fields]
    query = sa.select(*columns).order_by(facts.c.incident_id, facts.c.seq)
    return query if incident_id is None else query.where(facts.c.incident_id == incident_id)


class Beside:
    """Compares within one consistent view.

    Args:
        connection: where the view is open.
        codec: reads facts.
        derive: says what must lie beside a case file.
    """

    def __init__(self, connection: sa.Connection, codec: Codec, derive: Derive) -> None:
        self._connection = connection
        self._codec = codec
        self._derive = derive

    def strays(self, broken: set[str]) -> Iterator[str]:
        """What does not fit, as `INCIDENT: what`; incidents whose chain is `broken` prove nothing and are left out."""
        known = list(self._connection.scalars(sa.select(heads.c.incident_id).order_by(heads.c.incident_id)))
        for incident_id in known:
            if incident_id not in broken:
                for what in self._of(IncidentId(incident_id)):
                    yield f"{incident_id}: {what}"
        for incident_id in self._connection.scalars(
            sa.select(summaries.c.incident_id).where(summaries.c.incident_id.not_in(sa.select(heads.c.incident_id)))
        ):
            if incident_id not in broken:
                yield f"{incident_id}: there is a summary, and no case file"

    def _of(self, incident_id: IncidentId) -> Iterator[str]:
        stored = map(StoredFact._make, self._connection.execute(raw_facts(incident_id)))
        try:
            right = self._derive(incident_id, [rows.proven_fact(fact, self._codec) for fact in stored])
        except BreachwatchError as error:
            yield f"its facts tell no case: {error}"
            return
        for what in (
            self._summary(right.summary),
            self._references(incident_id, right),
            self._notices(incident_id, right),
        ):
            if what:
                yield what

    def _summary(self, right: CaseSummary) -> str:
        row = self._connection.execute(
            sa.select(*map(raw, summaries.c)).where(summaries.c.incident_id == right.incident_id)
        ).first()
        if row is None:
            return "its summary is missing"
        wanted = rows.summary_values(right)
        wrong = [
            column.name
            for column, found in zip(summaries.c, row, strict=True)
            if found != _as_stored(column, wanted[column.name])
        ]
        return f"its summary is not what the facts say: {', '.join(wrong)}" if wrong else ""

    def _references(self, incident_id: IncidentId, right: Derived) -> str:
        query = sa.select(raw(subject_refs.c.ref)).where(subject_refs.c.incident_id == incident_id)
        found = sorted(map(str, self._connection.scalars(query)))
        digest = hashlib.sha256("\n".join(found).encode("utf-8", "surrogatepass")).hexdigest() if found else ""
        if (len(found), digest) == (right.references, right.digest):
            return ""
        return f"its {len(found)} references are not the {right.references} that were linked"

    def _notices(self, incident_id: IncidentId, right: Derived) -> str:
        query = (
            sa.select(raw(outbox.c.payload), sa.func.count())
            .where(outbox.c.incident_id == incident_id, sa.text("kind = 'notice'"))
            .group_by(outbox.c.payload)
        )
        found = Counter({row[0]: row[1] for row in self._connection.execute(query)})
        for number, audience in enumerate(right.audiences, 1):
            here = found.pop(_as_stored(outbox.c.payload, {"approval": number}), 0)
            if here != audience:
                return f"approval {number} is for {audience} people, and {here} notices are in the outbox"
        return f"{found.total()} notices in the outbox were never approved" if found else ""


def _as_stored(column: sa.Column[Any], value: Any) -> Any:
    if isinstance(column.type, sa.TypeDecorator):
        return column.type.process_bind_param(value, _DIALECT)
    return value
