"""The shop's customers: invented people at addresses that cannot exist (RFC 2606), French and English speaking."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_FRENCH = (
    ("Camille", "Lucie", "Hugo", "Inès", "Mathis", "Chloé", "Noé", "Zoé", "Léo", "Élise", "Basile", "Agathe"),
    ("Moreau", "Lefèvre", "Garnier", "Roux", "Fontaine", "Chevalier", "Perrin", "Marchand", "Dupuis", "Lemoine"),
)
_ENGLISH = (
    ("Alice", "Oliver", "Grace", "Henry", "Ruby", "Arthur", "Ivy", "Felix", "Nora", "Hector", "Maud", "Jasper"),
    ("Whitlock", "Ashdown", "Barrow", "Penrose", "Thorne", "Larkin", "Wexford", "Holloway", "Marlow", "Quill"),
)


@dataclass(frozen=True, slots=True)
class Customer:
    """One customer as the shop's directory has them; they sign in with their mail address."""

    id: str
    name: str
    email: str
    language: str


def customers(count: int) -> list[Customer]:
    """The first `count` customers, always the same ones; two of three speak French."""
    return [_customer(number) for number in range(count)]


def _customer(number: int) -> Customer:
    language = "en" if number % 3 == 2 else "fr"
    given, family = _ENGLISH if language == "en" else _FRENCH
    name = f"{given[number % len(given)]} {family[number // len(given) % len(family)]}"
    return Customer(f"c{10_001 + number}", name, f"customer{number + 1:04}@shop.example", language)


def write_directory(people: Iterable[Customer], path: Path) -> None:
    """The directory as a CSV file with the columns `customer_id, login, name, email, language`."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("customer_id", "login", "name", "email", "language"))
        writer.writerows((one.id, one.email, one.name, one.email, one.language) for one in people)
