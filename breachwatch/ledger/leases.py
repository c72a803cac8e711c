"""Leases by name: what only one of several processes may do at a time, and for how long."""

from datetime import datetime

import sqlalchemy as sa

from breachwatch.ledger.database import Database
from breachwatch.ledger.schema import leases


class SqlLeases:
    """Implements `kernel.ports.Leases`: one statement each, so that two who ask at once do not both get it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def take(self, name: str, owner: str, now: datetime, until: datetime) -> bool:
        """Have a name until an instant, or keep it for longer; whether it was to be had."""
        insert = self._database.insert(leases).values(name=name, owner=owner, until=until)
        free = sa.or_(leases.c.owner == insert.excluded.owner, leases.c.until <= now)
        change = insert.on_conflict_do_update(
            index_elements=["name"], set_={"owner": insert.excluded.owner, "until": insert.excluded.until}, where=free
        )
        with self._database.writing() as connection:
            return connection.execute(change.returning(leases.c.name)).first() is not None

    def give_back(self, name: str, owner: str) -> None:
        """Let others have a name, if it is still this one's."""
        with self._database.writing() as connection:
            connection.execute(sa.delete(leases).where(leases.c.name == name, leases.c.owner == owner))
