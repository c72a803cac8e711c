"""From references back to people, through the directory, and to nobody else."""

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from breachwatch.kernel.ids import SubjectRef
from breachwatch.kernel.ports import Contact, DirectoryEntry
from breachwatch.kernel.pseudonyms import pseudonymiser
from breachwatch.subjects.resolve import resolve

PSEUDONYM = pseudonymiser(b"a key only for tests")


def entry(number: int, email: str | None = None) -> DirectoryEntry:
    address = f"person{number}@example.com" if email is None else email
    contact = Contact(f"Person {number}", address, "fr" if number % 2 else "en")
    return DirectoryEntry({"customer_id": str(number), "login": f"login-{number}"}, contact)


def refs(*people: tuple[str, str]) -> set[SubjectRef]:
    return {PSEUDONYM(kind, identifier) for kind, identifier in people}


def test_a_person_is_found_by_whichever_identifier_the_log_had() -> None:
    found = resolve([entry(1), entry(2), entry(3)], refs(("customer_id", "1"), ("login", "login-2")), PSEUDONYM)
    assert {contact.name for contact in found.values()} == {"Person 1", "Person 2"}


def test_two_references_to_one_person_get_one_contact() -> None:
    wanted = refs(("customer_id", "1"), ("login", "login-1"))
    found = resolve([entry(1)], wanted, PSEUDONYM)
    assert found == dict.fromkeys(wanted, entry(1).contact)


def test_identifiers_of_different_kinds_do_not_mix() -> None:
    assert resolve([entry(7)], refs(("login", "7"), ("customer_id", "login-7")), PSEUDONYM) == {}


def test_case_and_blanks_of_an_identifier_do_not_hide_a_person() -> None:
    assert len(resolve([entry(1)], refs(("login", " LOGIN-1 ")), PSEUDONYM)) == 1


def test_who_is_not_in_the_directory_is_missing_and_so_counted_as_unknown() -> None:
    assert resolve([entry(1)], refs(("customer_id", "99")), PSEUDONYM) == {}


def test_a_blank_identifier_names_nobody() -> None:
    nameless = DirectoryEntry({"customer_id": " ", "login": ""}, Contact("Nobody", "nobody@example.com", "en"))
    assert resolve([nameless], refs(("customer_id", ""), ("login", "")), PSEUDONYM) == {}


def test_of_two_rows_with_one_identifier_the_first_with_an_address_counts() -> None:
    rows = [entry(1, email=""), entry(1, email="first@example.com"), entry(1, email="second@example.com")]
    (contact,) = resolve(rows, refs(("customer_id", "1")), PSEUDONYM).values()
    assert contact.email == "first@example.com"
    (contact,) = resolve(rows[:1], refs(("customer_id", "1")), PSEUDONYM).values()
    assert contact.email == ""


def test_the_directory_is_streamed_and_read_no_further_than_needed() -> None:
    read: list[int] = []

    def rows() -> Iterator[DirectoryEntry]:
        for number in range(1000):
            read.append(number)
            yield entry(number)

    resolve(rows(), refs(("customer_id", "3"), ("login", "login-5")), PSEUDONYM)
    assert read == [0, 1, 2, 3, 4, 5]
    assert resolve(rows(), set(), PSEUDONYM) == {}
    assert len(read) == 6


@given(st.sets(st.integers(0, 30)), st.sets(st.integers(0, 30)))
def test_exactly_the_affected_people_of_the_directory_are_found(listed: set[int], affected: set[int]) -> None:
    wanted = refs(*((kind, text) for n in affected for kind, text in entry(n).identifiers.items()))
    found = resolve(map(entry, sorted(listed)), wanted, PSEUDONYM)
    assert {contact.name for contact in found.values()} == {f"Person {n}" for n in listed & affected}
    assert found.keys() <= wanted
