"""From references to people: stream through the directory, compare pseudonyms, keep only who is affected. Pure."""

from collections.abc import Iterable, Set

from breachwatch.kernel.ids import SubjectRef
from breachwatch.kernel.ports import Contact, DirectoryEntry
from breachwatch.kernel.pseudonyms import Pseudonymise


def resolve(
    entries: Iterable[DirectoryEntry], references: Set[SubjectRef], pseudonymise: Pseudonymise
) -> dict[SubjectRef, Contact]:
    """The contact behind each reference that the directory knows.

    A person may be known by several identifiers (`customer_id`, `login`); each that was referred to is answered, with
    the same contact. Where rows share an identifier, the first with an address counts, else the first. Rows are read
    one by one, and no further once every reference has an address; nobody else's contact is held.

    Args:
        entries: the directory, streamed.
        references: who is affected.
        pseudonymise: the key that made the references.

    Returns:
        Reference to contact; who is missing is unknown to the directory.

    Raises:
        ContentError, UnavailableError: as the directory does while it is read.
    """
    found: dict[SubjectRef, Contact] = {}
    unanswered = set(references)
    for entry in entries if unanswered else ():
        for reference in _references_of(entry, pseudonymise) & unanswered:
            if entry.contact.email.strip():
                found[reference] = entry.contact
                unanswered.discard(reference)
            else:
                found.setdefault(reference, entry.contact)
        if not unanswered:
            break
    return found


def _references_of(entry: DirectoryEntry, pseudonymise: Pseudonymise) -> set[SubjectRef]:
    """Every identifier of a row as a reference; a blank one names nobody."""
    return {pseudonymise(kind, identifier) for kind, identifier in entry.identifiers.items() if identifier.strip()}
