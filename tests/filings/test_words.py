"""Instants and numbers as people read them."""

import pytest

from breachwatch.filings.words import date_words, instant_words, number_words, range_words


@pytest.mark.parametrize(
    ("instant", "language", "zone", "words"),
    [
        ("2026-03-27T17:06:59Z", "en", "Europe/Paris", "27 March 2026, 18:06 (UTC+01:00)"),
        ("2026-03-31T22:30:00Z", "fr", "Europe/Paris", "1er avril 2026 à 00:30 (UTC+02:00)"),
        ("2026-03-27T17:06:00Z", "en", "UTC", "27 March 2026, 17:06 (UTC)"),
        ("soon", "en", "UTC", "soon"),
    ],
)
def test_an_instant_is_local_and_tells_its_offset(instant: str, language: str, zone: str, words: str) -> None:
    assert instant_words(instant, language, zone) == words


def test_a_date_is_the_local_one() -> None:
    assert date_words("2026-12-31T23:30:00Z", "en", "Europe/Paris") == "1 January 2027"


def test_numbers_and_ranges() -> None:
    assert number_words(12400, "en") == "12,400"
    assert number_words(12400, "fr") == "12\u202f400"
    assert [range_words(each, "fr") for each in (None, (7, 7), (1, 2000))] == ["", "7", "entre 1 et 2\u202f000"]
