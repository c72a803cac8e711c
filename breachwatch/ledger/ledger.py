"""The ledger as the pipeline and the desk read it, and the door to its transactions."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from breachwatch.kernel.errors import TamperedError
from breachwatch.kernel.facts import Codec, Recorded
from breachwatch.kernel.ids import IncidentId, SubjectRef
from breachwatch.kernel.ports import AlertRow, CaseSummary, Derive, OutboxRow, Waypoint, passing
from breachwatch.ledger import rows
from breachwatch.ledger.beside import raw_facts
from breachwatch.ledger.chain import Seals, StoredFact, break_of
from breachwatch.ledger.database import Database
from breachwatch.ledger.proof import broken_places, raw_heads
from breachwatch.ledger.schema import alerts, dispatches, facts, heads, outbox, subject_refs, summaries
from breachwatch.ledger.transaction import SqlTransaction, untold_people

_PROBLEMS_FIRST = sa.case(
    {"refused": 0, "retry": 1, "sending": 2, "pending": 3, "sent": 4}, value=outbox.c.state, else_=5
)
_STALE = sa.literal_column("people_stale", sa.Boolean())
_UNREPORTED = sa.literal_column("unreported", sa.Boolean())


class SqlLedger:
    """Implements `kernel.ports.Ledger`."""

    def __init__(
        self,
        database: Database,
        seals: Seals,
        codec: Codec,
        waypoint: Waypoint = passing,
        derive: Derive | None = None,
    ) -> None:
        self._database = database
        self._seals = seals
        self._codec = codec
        self._waypoint = waypoint
        self._derive = derive

    @contextmanager
    def begin(self) -> Iterator[SqlTransaction]:
        """Open a transaction: all of it is durable after the `with` block, or none of it.

        Raises:
            UnavailableError: the database is locked, full or away.
        """
        with self._database.writing() as connection:
            transaction = SqlTransaction(self._database, connection, self._seals, self._codec)
            yield transaction
            transaction.seal_all()
            self._waypoint("ledger:before-commit")
        self._waypoint("ledger:after-commit")

    # ------------------------------------------------------------------ case files

    def facts(self, incident_id: IncidentId) -> list[Recorded]:
        """A case file without a lock.

        Raises:
            TamperedError: a stored fact cannot be read.
        """
        query = sa.select(*rows.FACT_COLUMNS).where(facts.c.incident_id == incident_id).order_by(facts.c.seq)
        return [rows.fact_of(row, self._codec) for row in self._rows(query)]

    def sealed_facts(self, incident_id: IncidentId) -> list[Recorded]:
        """A case file whose chain and head were proven in the same read: for what leaves the house because of it.

        Raises:
            TamperedError: a hash, a seal or the end of the chain is not what was written; the text names where.
        """
        with self._database.reading() as connection:
            chain = [StoredFact._make(row) for row in connection.execute(raw_facts(incident_id))]
            end = connection.execute(raw_heads().where(heads.c.incident_id == incident_id)).first()
        stored = (end[1], end[2], end[3]) if end else None
        if broken := break_of(self._seals, incident_id, stored, chain):
            raise TamperedError(f"the case file is not what was written: {broken}")
        return [rows.proven_fact(fact, self._codec) for fact in chain]

    def incidents(self) -> list[IncidentId]:
        """Every incident that has a case file."""
        return self._incidents(sa.select(heads.c.incident_id).order_by(heads.c.incident_id))

    def summaries(self, *, open_only: bool = False) -> list[CaseSummary]:
        """All incidents, newest raised first; `open_only` leaves out dismissed and closed ones."""
        query = sa.select(summaries).order_by(summaries.c.raised_at.desc(), summaries.c.incident_id)
        if open_only:
            query = query.where(summaries.c.status.in_(("open", "confirmed")))
        return [rows.summary_of(row) for row in self._rows(query)]

    def summary(self, incident_id: IncidentId) -> CaseSummary | None:
        """One incident's row."""
        found = self._rows(sa.select(summaries).where(summaries.c.incident_id == incident_id))
        return rows.summary_of(found[0]) if found else None

    def sizes(self) -> tuple[int, int]:
        """(incidents, facts) that are there."""
        counts = [sa.select(sa.func.count()).select_from(table).scalar_subquery() for table in (heads, facts)]
        incidents, stored = self._rows(sa.select(*counts))[0]
        return int(incidents), int(stored)

    # ------------------------------------------------------------------ alerts

    def alerts(self, *, limit: int = 200, incident_id: IncidentId | None = None) -> list[AlertRow]:
        """Newest alerts first, superseded ones left out."""
        query = (
            sa.select(alerts.c.alert, alerts.c.incident_id, alerts.c.taken_at)
            .where(sa.not_(alerts.c.superseded))
            .order_by(alerts.c.last_event_at.desc(), alerts.c.id)
            .limit(limit)
        )
        if incident_id is not None:
            query = query.where(alerts.c.incident_id == incident_id)
        return [rows.alert_row_of(row) for row in self._rows(query)]

    def alert(self, alert_id: str) -> AlertRow | None:
        """One alert, superseded or not."""
        columns = (alerts.c.alert, alerts.c.incident_id, alerts.c.taken_at)
        found = self._rows(sa.select(*columns).where(alerts.c.id == alert_id))
        return rows.alert_row_of(found[0]) if found else None

    # ------------------------------------------------------------------ what is waiting; asked every few moments

    def waking(self, until: datetime) -> list[IncidentId]:
        """Incidents with a clock that wants a tick at or before `until`, the earliest first."""
        query = (
            sa.select(summaries.c.incident_id)
            .where(summaries.c.wakes_at <= until)
            .order_by(summaries.c.wakes_at, summaries.c.incident_id)
        )
        return self._incidents(query)

    def next_wake(self) -> datetime | None:
        """The earliest instant any clock wants a tick."""
        found: datetime | None = self._rows(sa.select(sa.func.min(summaries.c.wakes_at)))[0][0]
        return found

    def stale_people(self) -> list[IncidentId]:
        """Open or confirmed incidents whose references changed since the last look-up."""
        query = sa.select(summaries.c.incident_id).where(_STALE, summaries.c.status.in_(("open", "confirmed")))
        return self._incidents(query.order_by(summaries.c.incident_id))

    def references(self, incident_id: IncidentId) -> set[SubjectRef]:
        """All references of an incident."""
        query = sa.select(subject_refs.c.ref).where(subject_refs.c.incident_id == incident_id)
        return {SubjectRef(row.ref) for row in self._rows(query)}

    def notices(self, incident_id: IncidentId, *, limit: int = 200) -> list[OutboxRow]:
        """The incident's notices in the outbox, problems first."""
        query = (
            sa.select(outbox)
            .where(outbox.c.incident_id == incident_id, sa.text("kind = 'notice'"))
            .order_by(_PROBLEMS_FIRST, outbox.c.number)
            .limit(limit)
        )
        return [rows.outbox_row_of(row) for row in self._rows(query)]

    def notice_counts(self, incident_id: IncidentId) -> dict[str, int]:
        """State to number of the incident's notices."""
        query = (
            sa.select(outbox.c.state, sa.func.count())
            .where(outbox.c.incident_id == incident_id, sa.text("kind = 'notice'"))
            .group_by(outbox.c.state)
        )
        return {state: int(count) for state, count in self._rows(query)}

    def untold(self, incident_id: IncidentId) -> int:
        """How many reachable people of this incident have no notice in the outbox."""
        return int(self._rows(sa.select(sa.func.count()).select_from(untold_people(incident_id).subquery()))[0][0])

    def unreported_dispatches(self) -> list[IncidentId]:
        """Incidents all of whose notices came to an end that the case file does not know of yet."""
        still_open = sa.exists().where(
            outbox.c.incident_id == dispatches.c.incident_id, sa.text("kind = 'notice' AND due_at IS NOT NULL")
        )
        query = sa.select(dispatches.c.incident_id).where(_UNREPORTED, ~still_open)
        return self._incidents(query.order_by(dispatches.c.incident_id))

    # ------------------------------------------------------------------ proof

    def verify(self) -> Iterator[str]:
        """Every break found in any chain or head, as `INCIDENT seq N: what`; nothing when all is as written.

        One consistent view is read, so the service may go on writing meanwhile. A break that is no one incident's is
        told as `ledger seq 0: what`. Then, where the ledger was opened with `derive`, what lies beside a whole case
        file and does not fit it, as `INCIDENT: what`.
        """
        with self._database.reading() as connection:
            yield from broken_places(connection, self._seals, self._codec, self._derive)

    def _rows(self, query: sa.Select[Any]) -> list[Any]:
        with self._database.reading() as connection:
            return list(connection.execute(query))

    def _incidents(self, query: sa.Select[Any]) -> list[IncidentId]:
        return [IncidentId(row.incident_id) for row in self._rows(query)]
