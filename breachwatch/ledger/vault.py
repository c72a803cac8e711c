"""Contacts, encrypted under a data key of their incident; they die with that key.

The data key is drawn at random and lies in the database only wrapped by the master key, which lies elsewhere. Both
layers are AES-256-GCM and bound to where they belong, so that a contact moved to another incident or person does not
open. Source: NIST SP 800-38D.
"""

import hmac
import json
import os
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from breachwatch.kernel.errors import TamperedError
from breachwatch.kernel.ids import IncidentId, SubjectRef
from breachwatch.kernel.ports import Contact
from breachwatch.ledger.database import Database
from breachwatch.ledger.keys import MasterKey
from breachwatch.ledger.schema import contacts, data_keys, outbox, subject_refs
from breachwatch.ledger.transaction import portions

_NONCE_BYTES = 12
_BLOCK_BYTES = 64
_SEALED = sa.select(contacts.c.person, contacts.c.sealed, data_keys.c.wrapped).join_from(contacts, data_keys)


@dataclass(frozen=True, slots=True)
class _Kept:
    """People of one incident as they are stored: who is behind each reference, and one contact a person."""

    person_of: Mapping[SubjectRef, str]
    by_person: Mapping[str, Contact]
    without_address: int


class SqlVault:
    """Implements `kernel.ports.Vault`."""

    def __init__(self, database: Database, keys: MasterKey) -> None:
        self._database = database
        self._wrap = AESGCM(keys.derive("wrap-data-key"))
        self._person_key = keys.derive("name-person")

    def keep(self, incident_id: IncidentId, people: Mapping[SubjectRef, Contact]) -> tuple[int, int, Mapping[str, int]]:
        """Store contacts in the place of those kept before; references with one address are one person.

        A person without an address is one `Contact` object, however many references lead to it.

        Returns:
            (reachable people, people without address, language to reachable people).
        """
        kept = self._sorted(incident_id, people)
        with self._database.writing() as connection:
            self._database.lock_name(connection, "vault", incident_id)
            key = self._data_key(connection, incident_id)
            connection.execute(
                sa.update(subject_refs).where(subject_refs.c.incident_id == incident_id).values(person=None)
            )
            self._link(connection, incident_id, kept.person_of)
            self._drop_strangers(connection, incident_id, kept.by_person)
            self._store(connection, incident_id, key, kept.by_person)
        languages: dict[str, int] = {}
        for contact in kept.by_person.values():
            languages[contact.language] = languages.get(contact.language, 0) + 1
        return len(kept.by_person), kept.without_address, languages

    def reveal(self, incident_id: IncidentId, person: str) -> Contact | None:
        """Decrypt one person's contact; None when it is gone.

        Raises:
            TamperedError: what is stored does not open.
        """
        query = _SEALED.where(contacts.c.incident_id == incident_id, contacts.c.person == person)
        return self._first(incident_id, query)

    def sample(self, incident_id: IncidentId, language: str) -> Contact | None:
        """Some reachable person of a language, for a preview: always the same one while people stay the same."""
        found = _SEALED.where(contacts.c.incident_id == incident_id, contacts.c.language == language)
        query = found.order_by(contacts.c.person).limit(1)
        return self._first(incident_id, query)

    def forget(self, incident_id: IncidentId) -> bool:
        """Destroy the data key, and with it every contact of an incident; True if there was one.

        The case file and the outbox stay: they name people only by keyed digests.
        """
        with self._database.writing() as connection:
            self._database.lock_name(connection, "vault", incident_id)
            gone = connection.execute(sa.delete(data_keys).where(data_keys.c.incident_id == incident_id)).rowcount > 0
            connection.execute(
                sa.update(subject_refs).where(subject_refs.c.incident_id == incident_id).values(person=None)
            )
        with self._database.outside_transactions() as connection:
            if self._database.is_sqlite:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            else:
                connection.exec_driver_sql("VACUUM data_keys, contacts")
        return gone

    def person(self, incident_id: IncidentId, address: str) -> str:
        """The vault's name of whoever has this address, in this incident: the same person has another in the next.

        Source: HMAC-SHA-256 (RFC 2104), cut to 128 bits.
        """
        text = f"{incident_id}\0{_normal(address)}".encode("utf-8", "surrogatepass")
        return f"p-{hmac.digest(self._person_key, text, 'sha256')[:16].hex()}"

    # ------------------------------------------------------------------ storing

    def _sorted(self, incident_id: IncidentId, people: Mapping[SubjectRef, Contact]) -> _Kept:
        person_of: dict[SubjectRef, str] = {}
        by_person: dict[str, Contact] = {}
        without: set[int] = set()
        for ref in sorted(people):
            contact = people[ref]
            if not _reachable(contact.email):
                without.add(id(contact))
                continue
            person_of[ref] = self.person(incident_id, contact.email)
            by_person.setdefault(person_of[ref], contact)
        return _Kept(person_of, by_person, len(without))

    def _data_key(self, connection: sa.Connection, incident_id: str) -> AESGCM:
        wrapped = connection.scalar(sa.select(data_keys.c.wrapped).where(data_keys.c.incident_id == incident_id))
        if wrapped is not None:
            return self._unwrapped(incident_id, wrapped)
        key = AESGCM.generate_key(bit_length=256)
        sealed = _seal(self._wrap, key, _key_place(incident_id))
        connection.execute(sa.insert(data_keys).values(incident_id=incident_id, wrapped=sealed))
        return AESGCM(key)

    def _link(self, connection: sa.Connection, incident_id: str, person_of: Mapping[SubjectRef, str]) -> None:
        link = (
            sa.update(subject_refs)
            .where(subject_refs.c.incident_id == incident_id, subject_refs.c.ref == sa.bindparam("this_ref"))
            .values(person=sa.bindparam("this_person"))
        )
        for portion in portions(person_of.items()):
            connection.execute(link, [{"this_ref": ref, "this_person": person} for ref, person in portion])

    def _drop_strangers(self, connection: sa.Connection, incident_id: str, people: Iterable[str]) -> None:
        """Contacts that no reference leads to any more go, unless a notice to them is already on its way."""
        told = sa.select(outbox.c.person).where(outbox.c.incident_id == incident_id, outbox.c.kind == "notice")
        query = sa.select(contacts.c.person).where(
            contacts.c.incident_id == incident_id, contacts.c.person.not_in(told)
        )
        strangers = sorted(set(connection.scalars(query)).difference(people))
        for portion in portions(strangers):
            connection.execute(
                sa.delete(contacts).where(contacts.c.incident_id == incident_id, contacts.c.person.in_(portion))
            )

    def _store(
        self, connection: sa.Connection, incident_id: str, key: AESGCM, by_person: Mapping[str, Contact]
    ) -> None:
        insert = self._database.insert(contacts)
        change = {"language": insert.excluded.language, "sealed": insert.excluded.sealed}
        upsert = insert.on_conflict_do_update(index_elements=["incident_id", "person"], set_=change)
        for portion in portions(by_person.items()):
            connection.execute(
                upsert,
                [
                    {
                        "incident_id": incident_id,
                        "person": person,
                        "language": contact.language,
                        "sealed": _seal(key, _plain(contact), _contact_place(incident_id, person)),
                    }
                    for person, contact in portion
                ],
            )

    # ------------------------------------------------------------------ opening

    def _first(self, incident_id: str, query: sa.Select[tuple[str, bytes, bytes]]) -> Contact | None:
        with self._database.reading() as connection:
            row = connection.execute(query).first()
        if row is None:
            return None
        key = self._unwrapped(incident_id, row.wrapped)
        plain = _open(key, row.sealed, _contact_place(incident_id, row.person), "a contact")
        name, email, language = json.loads(plain)
        return Contact(name, email, language)

    def _unwrapped(self, incident_id: str, wrapped: bytes) -> AESGCM:
        return AESGCM(_open(self._wrap, wrapped, _key_place(incident_id), "the data key of an incident"))


def _normal(address: str) -> str:
    """One spelling an address: composed, without outer blanks, in small letters (mailboxes do not tell them apart)."""
    return unicodedata.normalize("NFC", address.strip()).casefold()


def _reachable(address: str) -> bool:
    local, at, domain = address.strip().rpartition("@")
    return bool(local and at and domain) and address.strip().isprintable()


def _plain(contact: Contact) -> bytes:
    """The contact as JSON, filled with blanks to a whole block so that its length tells little."""
    text = json.dumps([contact.name, contact.email.strip(), contact.language]).encode()
    return text.ljust(-(-len(text) // _BLOCK_BYTES) * _BLOCK_BYTES)


def _key_place(incident_id: str) -> bytes:
    return f"breachwatch/1/data-key\0{incident_id}".encode()


def _contact_place(incident_id: str, person: str) -> bytes:
    return f"breachwatch/1/contact\0{incident_id}\0{person}".encode()


def _seal(key: AESGCM, plain: bytes, place: bytes) -> bytes:
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + key.encrypt(nonce, plain, place)


def _open(key: AESGCM, sealed: bytes, place: bytes, what: str) -> bytes:
    try:
        return key.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], place)
    except (InvalidTag, ValueError) as error:
        raise TamperedError(f"{what} does not open: it was altered, moved, or sealed with another key") from error
