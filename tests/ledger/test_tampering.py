"""Whoever changes, removes, reorders or inserts one fact directly in the database is found out.

The forger here is a strong one: he may write every table, has taken the append-only triggers away, knows how hashes
are made and, when he feels like it, makes all of them right again up to the head. He has not the master key.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import pytest
import sqlalchemy as sa

from breachwatch.incidents.facts import NoteAttached
from breachwatch.kernel.facts import GENESIS, SYSTEM, Recorded, seal
from breachwatch.kernel.ids import IncidentId
from breachwatch.kernel.time import from_microseconds
from breachwatch.ledger.schema import facts, heads, totals
from breachwatch.ledger.store import Store

TRIES = 500
Row = dict[str, Any]
TABLES = (facts, heads, totals)


class Crime(NamedTuple):
    """What lies there now: the case file's rows, and where the first one differs from what was written."""

    incident_id: str
    rows: list[Row]
    first: int


class Forger:
    """Writes what he likes, past every trigger, and can put all back as it was."""

    def __init__(self, store: Store, dice: random.Random) -> None:
        self.dice = dice
        self._database = store.database
        self._sqlite = store.database.is_sqlite
        with self.hands_in_the_database() as connection:
            if self._sqlite:
                connection.exec_driver_sql("DROP TRIGGER facts_stay")
                connection.exec_driver_sql("DROP TRIGGER facts_remain")
            else:
                connection.exec_driver_sql("ALTER TABLE facts DISABLE TRIGGER USER")
                connection.exec_driver_sql("ALTER TABLE facts DROP CONSTRAINT fk_facts_incident_id_heads")
            self._before = {table: self._read(connection, table) for table in TABLES}
        self.ends = {row["incident_id"]: row["seq"] for row in self._before[heads]}

    def hands_in_the_database(self) -> AbstractContextManager[sa.Connection]:
        return _forging(self._database.engine, self._sqlite)

    def chain(self, incident_id: str) -> list[Row]:
        return [dict(row) for row in self._before[facts] if row["incident_id"] == incident_id]

    def put(self, crime: Crime, *, forge_head: bool) -> None:
        with self.hands_in_the_database() as connection:
            connection.execute(facts.delete().where(facts.c.incident_id == crime.incident_id))
            if crime.rows:
                connection.execute(facts.insert(), [_typed(row) for row in crime.rows])
            if forge_head and crime.rows:
                last = crime.rows[-1]
                change = {"seq": last["seq"], "hash": last["hash"]}
                connection.execute(heads.update().where(heads.c.incident_id == crime.incident_id).values(change))

    def take_out(self, incident_id: str, *, forge_total: bool) -> None:
        with self.hands_in_the_database() as connection:
            connection.execute(facts.delete().where(facts.c.incident_id == incident_id))
            connection.execute(heads.delete().where(heads.c.incident_id == incident_id))
            if forge_total:
                gone = self.ends[incident_id]
                connection.execute(
                    totals.update().values(incidents=totals.c.incidents - 1, facts=totals.c.facts - gone)
                )

    def put_all_back(self) -> None:
        with self.hands_in_the_database() as connection:
            for table in TABLES:
                connection.execute(table.delete())
                connection.execute(table.insert(), [_typed(row) for row in self._before[table]])

    @staticmethod
    def _read(connection: sa.Connection, table: sa.Table) -> list[Row]:
        rows = connection.exec_driver_sql(f"SELECT * FROM {table.name} ORDER BY 1, 2").mappings()  # noqa: S608
        return [dict(row) for row in rows]


@contextmanager
def _forging(engine: sa.Engine, sqlite: bool) -> Iterator[sa.Connection]:
    """A transaction without foreign keys, and on SQLite without waiting for the disk."""
    with engine.connect() as connection:
        if sqlite:
            raw: Any = connection.connection.dbapi_connection
            raw.execute("PRAGMA foreign_keys=OFF")
            raw.execute("PRAGMA synchronous=OFF")
        yield connection
        connection.commit()


def _typed(row: Row) -> Row:
    return {**row, "at": from_microseconds(row["at"])} if "at" in row else row


@pytest.fixture
def ledger(store: Store, clock: Callable[[], datetime]) -> Store:
    """Six case files of one to nine facts."""
    for n, length in enumerate((1, 2, 4, 6, 8, 9)):
        for first in range(0, length, 3):
            with store.ledger.begin() as tx:
                bodies = [NoteAttached(f"file {n} fact {k}") for k in range(first, min(first + 3, length))]
                tx.append(IncidentId(f"in-{n}"), SYSTEM, clock() + timedelta(minutes=first), bodies)
    return store


@pytest.fixture
def forger(ledger: Store) -> Iterator[Forger]:
    forger = Forger(ledger, random.Random(33))  # noqa: S311 - the same crimes in every run
    assert list(ledger.ledger.verify()) == []
    yield forger
    forger.put_all_back()
    assert list(ledger.ledger.verify()) == []


def rehash(rows: list[Row]) -> list[Row]:
    """Make every number and hash right again, as anybody can who reads the source; the MACs stay as they are."""
    end = GENESIS
    for seq, row in enumerate(rows, 1):
        row["seq"], row["prev_hash"] = seq, end
        at = from_microseconds(row["at"])
        end = seal(end, row["incident_id"], seq, row["type"], at, row["actor"], row["actor_kind"], row["body"])
        row["hash"] = end
    return rows


def change(forger: Forger) -> Crime:
    """One column of one fact is something else."""
    incident_id = forger.dice.choice(sorted(forger.ends))
    rows = forger.chain(incident_id)
    row = forger.dice.choice(rows)
    first = row["seq"]
    column = forger.dice.choice([name for name in row if name != "incident_id"])
    old = row[column]
    if column == "at":
        row[column] = old + forger.dice.choice((-1, 1)) * forger.dice.randint(1, 10**12)
    elif column == "seq":
        row[column] = len(rows) + forger.dice.randint(1, 9)
    else:
        at = forger.dice.randrange(len(old))
        other = forger.dice.choice([letter for letter in "0af xé" if letter != old[at]])
        row[column] = forger.dice.choice(("", old + " ", old[:at] + other + old[at + 1 :]))
    return Crime(incident_id, rows, first)


def change_its_text_and_make_hashes_right(forger: Forger) -> Crime:
    """The words of a fact are others, and every hash from there to the head is made right."""
    incident_id = forger.dice.choice(sorted(forger.ends))
    rows = forger.chain(incident_id)
    row = forger.dice.choice(rows)
    row["body"] = f'{{"text":"it was {forger.dice.random()} all along"}}'
    return Crime(incident_id, rehash(rows), row["seq"])


def remove(forger: Forger) -> Crime:
    """One fact is gone, be it the first, the last or the only one."""
    incident_id = forger.dice.choice(sorted(forger.ends))
    rows = forger.chain(incident_id)
    gone = rows.pop(forger.dice.randrange(len(rows)))
    return Crime(incident_id, rows, gone["seq"])


def remove_and_make_hashes_right(forger: Forger) -> Crime:
    """One fact is gone and the others close the gap."""
    crime = remove(forger)
    return crime._replace(rows=rehash(crime.rows))


def reorder(forger: Forger) -> Crime:
    """Two facts change places, or only what they say does."""
    incident_id = forger.dice.choice([name for name, end in forger.ends.items() if end > 1])
    rows = forger.chain(incident_id)
    one, two = sorted(forger.dice.sample(range(len(rows)), 2))
    swapped = forger.dice.choice((("seq",), ("body",), ("seq", "prev_hash"), ("body", "hash", "mac"), ("hash", "mac")))
    for name in swapped:
        rows[one][name], rows[two][name] = rows[two][name], rows[one][name]
    return Crime(incident_id, rows, one + 1)


def reorder_and_make_hashes_right(forger: Forger) -> Crime:
    """Two facts change places, and all hashes fit."""
    incident_id = forger.dice.choice([name for name, end in forger.ends.items() if end > 1])
    rows = forger.chain(incident_id)
    one, two = sorted(forger.dice.sample(range(len(rows)), 2))
    rows[one], rows[two] = rows[two], rows[one]
    return Crime(incident_id, rehash(rows), one + 1)


def insert(forger: Forger) -> Crime:
    """A fact that nobody said follows the last one; its hash is right."""
    incident_id = forger.dice.choice(sorted(forger.ends))
    rows = forger.chain(incident_id)
    rows.append({**rows[-1], "body": '{"text":"never said"}'})
    return Crime(incident_id, rehash(rows), len(rows))


def insert_anywhere_and_make_hashes_right(forger: Forger) -> Crime:
    """A fact that nobody said stands among the others, or a true one of another case does."""
    incident_id = forger.dice.choice(sorted(forger.ends))
    rows = forger.chain(incident_id)
    place = forger.dice.randrange(len(rows) + 1)
    source = forger.chain(forger.dice.choice([name for name in sorted(forger.ends) if name != incident_id]))
    rows.insert(place, {**forger.dice.choice(source), "incident_id": incident_id})
    return Crime(incident_id, rehash(rows), place + 1)


CRIMES = [
    change,
    change_its_text_and_make_hashes_right,
    remove,
    remove_and_make_hashes_right,
    reorder,
    reorder_and_make_hashes_right,
    insert,
    insert_anywhere_and_make_hashes_right,
]


@pytest.mark.parametrize("commit", CRIMES, ids=lambda crime: str(crime.__name__))
def test_art_33_5_every_crime_is_found_and_its_first_fact_named(
    ledger: Store, forger: Forger, commit: Callable[[Forger], Crime]
) -> None:
    for number in range(TRIES):
        crime = commit(forger)
        forge_head = forger.dice.random() < 0.5
        forger.put(crime, forge_head=forge_head)

        found = list(ledger.ledger.verify())

        about = [line for line in found if line.startswith(f"{crime.incident_id} seq ")]
        assert len(about) == 1, f"try {number}: {crime}"
        cut_at_the_end = forge_head and crime.first == len(crime.rows) + 1  # only the seal on the head can tell
        named = crime.first - 1 if cut_at_the_end and crime.rows else crime.first
        assert about[0].startswith(f"{crime.incident_id} seq {named}: "), f"try {number}: {crime} {found}"
        forger.put_all_back()


@pytest.mark.parametrize("forge_total", [False, True])
def test_art_33_5_a_case_that_is_gone_as_a_whole_is_missed(ledger: Store, forger: Forger, forge_total: bool) -> None:
    for incident_id in forger.ends:
        forger.take_out(incident_id, forge_total=forge_total)
        assert [line.split(":")[0] for line in ledger.ledger.verify()] == ["ledger seq 0"]
        forger.put_all_back()


def test_a_case_that_was_put_in_is_found(ledger: Store, forger: Forger) -> None:
    rows = rehash([{**row, "incident_id": "in-new"} for row in forger.chain("in-3")])
    forger.put(Crime("in-new", rows, 1), forge_head=False)
    with forger.hands_in_the_database() as connection:
        connection.execute(heads.insert().values(incident_id="in-new", seq=6, hash=rows[-1]["hash"], mac="0" * 64))

    assert list(ledger.ledger.verify()) == [
        "in-new seq 1: this fact was not written by breachwatch",
        "ledger seq 0: 6 incidents were written, 7 are here",
    ]


def test_true_facts_of_an_earlier_day_do_not_hide_what_was_said_since(
    ledger: Store, forger: Forger, write: Callable[..., list[Recorded]]
) -> None:
    """The forger kept the rows of one case from a backup, true seals and all, and puts them back."""
    write(ledger, "in-4", "said since")
    with forger.hands_in_the_database() as connection:
        old = next(row for row in forger._before[heads] if row["incident_id"] == "in-4")
        connection.execute(facts.delete().where(facts.c.incident_id == "in-4", facts.c.seq > old["seq"]))
        connection.execute(heads.update().where(heads.c.incident_id == "in-4").values(old))

    assert list(ledger.ledger.verify()) == [
        "ledger seq 0: an incident was put back to an earlier end, or taken out for another"
    ]


def test_a_forged_case_goes_on_but_is_never_whole_again(
    ledger: Store, forger: Forger, write: Callable[..., list[Recorded]]
) -> None:
    """New facts must not be lost because old ones were forged; nor may they heal the forgery."""
    crime = insert(forger)
    forger.put(crime, forge_head=True)
    write(ledger, crime.incident_id, "a true word")
    assert str(ledger.ledger.facts(IncidentId(crime.incident_id))[-1].body.text) == "a true word"
    assert f"{crime.incident_id} seq {crime.first}: " in "\n".join(ledger.ledger.verify())

    forger.put_all_back()
    forger.put(remove(forger), forge_head=True)
    for incident_id in forger.ends:
        write(ledger, incident_id, "another true word")
    assert list(ledger.ledger.verify()) != []

    forger.put_all_back()
    with forger.hands_in_the_database() as connection:
        connection.execute(heads.delete().where(heads.c.incident_id == "in-2"))
        connection.execute(totals.update().values(facts=1))
    write(ledger, "in-2", "a head again")
    assert [line.split(":")[0] for line in ledger.ledger.verify()] == ["in-2 seq 5", "ledger seq 0"]


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)  # PostgreSQL keeps every column to its type
def test_whatever_lies_in_a_column_verify_answers(ledger: Store, forger: Forger) -> None:
    odd: list[Any] = [None, b"\xff\xfe", 1.5, "text", 2**62, -(2**62), "", "\ud7ff\0"]
    for table in TABLES:
        columns = [column for column in table.c if column.name not in ("incident_id", "key_check", "id")]
        for column in columns:
            for value in odd:
                with forger.hands_in_the_database() as connection:
                    connection.exec_driver_sql("PRAGMA ignore_check_constraints=ON")
                    changed = f"UPDATE OR IGNORE {table.name} SET {column.name} = ? WHERE rowid = 1"  # noqa: S608
                    done = connection.exec_driver_sql(changed, (value,)).rowcount
                if done:
                    assert list(ledger.ledger.verify()) != [], (table.name, column.name, value)
                forger.put_all_back()
