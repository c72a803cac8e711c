"""Contacts are readable through the vault alone, and by nobody once their data key is gone."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from breachwatch.kernel.errors import TamperedError
from breachwatch.kernel.ids import IncidentId, SubjectRef
from breachwatch.kernel.ports import Contact, OutboxItem
from breachwatch.ledger.schema import contacts, data_keys, metadata
from breachwatch.ledger.store import Store

HOME, OTHER = IncidentId("in-1"), IncidentId("in-2")
JEANNE = Contact("Jeanne Exemple", "jeanne@example.org", "fr")
OMAR = Contact("Omar Sample", "omar@example.com", "en")
PEOPLE = {SubjectRef("s-1"): JEANNE, SubjectRef("s-2"): OMAR}


@pytest.fixture
def home(store: Store) -> Store:
    with store.ledger.begin() as tx:
        for incident_id in (HOME, OTHER):
            tx.link_subjects(incident_id, [SubjectRef(f"s-{n}") for n in range(1, 6)])
    return store


def test_what_is_kept_is_revealed(home: Store) -> None:
    assert home.vault.keep(HOME, PEOPLE) == (2, 0, {"fr": 1, "en": 1})

    assert home.vault.reveal(HOME, home.vault.person(HOME, JEANNE.email)) == JEANNE
    assert home.vault.sample(HOME, "en") == OMAR
    assert home.vault.sample(HOME, "de") is None
    assert home.vault.reveal(HOME, "p-nobody") is None
    assert home.vault.reveal(OTHER, home.vault.person(HOME, JEANNE.email)) is None


def test_one_address_is_one_person_however_it_is_written(home: Store) -> None:
    twice = Contact("J. Exemple", " Jeanne@Example.ORG ", "en")
    nobody = Contact("No Mail", "", "fr")
    people = {
        SubjectRef("s-1"): JEANNE,
        SubjectRef("s-2"): twice,
        SubjectRef("s-3"): nobody,
        SubjectRef("s-4"): nobody,
        SubjectRef("s-5"): Contact("No Mail", "not an address", "fr"),
    }

    assert home.vault.keep(HOME, people) == (1, 2, {"fr": 1})
    with home.ledger.begin() as tx:
        assert [language for _, language in tx.untold(HOME)] == ["fr"]


def test_a_person_is_named_differently_in_every_incident(home: Store) -> None:
    names = {home.vault.person(HOME, "jeanne@example.org"), home.vault.person(OTHER, "jeanne@example.org")}

    assert len(names) == 2
    assert not any("jeanne" in name for name in names)


def test_the_directory_is_followed_when_it_changes(home: Store, clock: Callable[[], datetime]) -> None:
    home.vault.keep(HOME, PEOPLE)
    old = {contact.email: home.vault.person(HOME, contact.email) for contact in (JEANNE, OMAR)}
    with home.ledger.begin() as tx:
        tx.enqueue([OutboxItem("out-1", "notice", HOME, clock(), person=old[OMAR.email])])
    moved = Contact("Jeanne Exemple", "jeanne@example.net", "fr")
    renamed = Contact("Omar Sample", "omar.sample@example.com", "en")

    assert home.vault.keep(HOME, {SubjectRef("s-1"): moved, SubjectRef("s-2"): renamed})[0] == 2
    assert home.vault.reveal(HOME, old[JEANNE.email]) is None
    assert home.vault.reveal(HOME, old[OMAR.email]) == OMAR  # the notice to him is on its way already
    assert home.vault.reveal(HOME, home.vault.person(HOME, moved.email)) == moved
    with home.ledger.begin() as tx:
        assert len(tx.untold(HOME)) == 2


def test_thousands_are_kept_at_once(home: Store) -> None:
    people = {SubjectRef(f"s-{n:05}"): Contact(f"P {n}", f"p{n}@example.org", "en") for n in range(2_500)}
    with home.ledger.begin() as tx:
        tx.link_subjects(HOME, people)

    assert home.vault.keep(HOME, people) == (2_500, 0, {"en": 2_500})
    with home.ledger.begin() as tx:
        assert len(tx.untold(HOME)) == 2_500


def test_art_5_1_e_contacts_die_with_their_data_key(home: Store) -> None:
    home.vault.keep(HOME, PEOPLE)
    home.vault.keep(OTHER, PEOPLE)

    assert home.vault.forget(HOME)
    assert not home.vault.forget(HOME)
    assert home.vault.reveal(HOME, home.vault.person(HOME, JEANNE.email)) is None
    assert home.vault.sample(HOME, "fr") is None
    with home.ledger.begin() as tx:
        assert tx.untold(HOME) == []
    assert home.vault.sample(OTHER, "fr") == JEANNE
    assert home.ledger.references(HOME) != set()  # the case file goes on to know how many there were


def test_a_contact_that_was_altered_or_moved_does_not_open(home: Store) -> None:
    home.vault.keep(HOME, PEOPLE)
    home.vault.keep(OTHER, PEOPLE)
    jeanne, omar = (home.vault.person(HOME, contact.email) for contact in (JEANNE, OMAR))

    def change(statement: Any) -> None:
        with home.database.writing() as connection:
            connection.execute(statement)

    sealed = sa.select(contacts.c.sealed).where(contacts.c.incident_id == HOME, contacts.c.person == omar)
    here = sa.update(contacts).where(contacts.c.incident_id == HOME, contacts.c.person == jeanne)
    change(here.values(sealed=sealed.scalar_subquery()))  # Omar's contact under Jeanne's name
    with pytest.raises(TamperedError, match="a contact does not open"):
        home.vault.reveal(HOME, jeanne)

    change(here.values(sealed=b"short"))
    with pytest.raises(TamperedError):
        home.vault.reveal(HOME, jeanne)

    other_key = sa.select(data_keys.c.wrapped).where(data_keys.c.incident_id == OTHER).scalar_subquery()
    change(sa.update(data_keys).where(data_keys.c.incident_id == HOME).values(wrapped=other_key))
    with pytest.raises(TamperedError, match="the data key of an incident does not open"):
        home.vault.reveal(HOME, omar)


def test_the_stored_length_does_not_tell_one_name_from_another(home: Store) -> None:
    home.vault.keep(HOME, PEOPLE)

    with home.database.reading() as connection:
        assert len({len(sealed) for sealed in connection.scalars(sa.select(contacts.c.sealed))}) == 1


def test_art_32_no_contact_lies_in_clear_anywhere_in_the_database(
    home: Store, keys: Any, tmp_path: Path, clock: Callable[[], datetime]
) -> None:
    home.vault.keep(HOME, PEOPLE)
    with home.ledger.begin() as tx:
        tx.enqueue([OutboxItem("out-1", "notice", HOME, clock(), person=tx.untold(HOME)[0][0])])
    home.outbox.lease(["notice"], "ann", clock(), clock() + timedelta(minutes=1))
    home.outbox.refused("out-1", "ann", clock(), "550 <jeanne@example.org> and omar@example.com unknown")
    home.team.note_failure("192.0.2.7", clock())

    lying = _everything_stored(home, tmp_path)
    secrets = [JEANNE.name, JEANNE.email, OMAR.name, OMAR.email, "jeanne", "Omar", "192.0.2.7"]
    for secret in [text.encode() for text in secrets] + [keys.master, keys.pseudonym]:
        assert secret not in lying
        assert secret.hex().encode() not in lying


def _everything_stored(store: Store, folder: Path) -> bytes:
    """The raw files of SQLite with its WAL; every row of every table of PostgreSQL as text."""
    if store.database.is_sqlite:
        files = sorted(folder.glob("ledger.db*"))
        assert {path.name for path in files} >= {"ledger.db", "ledger.db-wal"}
        return b"".join(path.read_bytes() for path in files)
    with store.database.reading() as connection:
        rows = [
            str(text)
            for table in metadata.sorted_tables
            for text in connection.exec_driver_sql(f"SELECT t::text FROM {table.name} t").scalars()  # noqa: S608
        ]
    return "\n".join(rows).encode()


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_what_is_forgotten_leaves_no_trace_in_the_files(home: Store, tmp_path: Path) -> None:
    home.vault.keep(HOME, PEOPLE)
    with home.database.reading() as connection:
        wrapped = connection.scalars(sa.select(data_keys.c.wrapped)).one()
    assert wrapped in _everything_stored(home, tmp_path)

    home.vault.forget(HOME)

    assert wrapped not in _everything_stored(home, tmp_path)
