"""What is said of the people affected: numbers and digests here, references in the ledger's own table."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SubjectsLinked:
    """References joined the incident. `digest`: SHA-256 over all references so far, sorted, newline-joined."""

    added: int
    total: int
    digest: str


@dataclass(frozen=True, slots=True)
class SubjectsResolved:
    """The directory was asked. `reachable` people (after joining duplicates), `unknown` references, by language.

    `without_address`: people the directory knows but has no mail address for.
    """

    references: int
    reachable: int
    unknown: int
    without_address: int
    by_language: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class LookUpRequested:
    """A person had the directory asked again, though nobody joined. `by`: their sign-in name."""

    by: str


Said = SubjectsLinked | SubjectsResolved | LookUpRequested
