"""Filling: a person's word first, then the evidence, else unknown, and never anything made up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breachwatch.filings.form import approved_form, digest_of, fill
from breachwatch.filings.forms import package_forms
from breachwatch.filings.forms.model import Form

FORM = package_forms()["cnil"]
ANY_VALUES = st.dictionaries(st.sampled_from(FORM.keys), st.text(max_size=20))


def test_what_nobody_knows_is_marked_unknown_in_both_languages(form: Form) -> None:
    filled = fill(form, {}, {})
    assert set(filled.unknown) == set(form.keys)
    assert filled["people_count"].shown("en") == "not known yet"
    assert filled["people_count"].shown("fr") == "pas encore connu"


def test_a_person_has_the_last_word_even_to_say_that_it_is_not_known(form: Form) -> None:
    evidence = {"people_count": "120", "consequences": "Phishing."}
    filled = fill(form, evidence, {"people_count": "?", "consequences": "Fraud."})
    assert (filled["people_count"].value, filled["people_count"].source) == ("", "unknown")
    assert (filled["consequences"].value, filled["consequences"].source) == ("Fraud.", "person")


def test_evidence_that_is_no_value_of_its_field_is_not_shown_as_one(form: Form) -> None:
    filled = fill(form, {"people_count": "several", "started_at": "27 March"}, {})
    assert {"people_count", "started_at"} <= set(filled.unknown)


def test_answers_are_shown_in_words_of_the_reader(form: Form) -> None:
    evidence = {
        "breach_types": "availability; integrity",
        "people_count": "1200-3400",
        "started_at": "2026-03-27T17:00:00Z",
    }
    filled = fill(form, evidence, {})
    assert filled["breach_types"].shown("fr") == "Perte de disponibilité, Perte d'intégrité"
    assert filled["people_count"].shown("en") == "between 1,200 and 3,400"
    assert filled["started_at"].shown("en", "Europe/Paris") == "27 March 2026, 18:00 (UTC+01:00)"
    assert filled["started_at"].shown("fr", "Europe/Paris") == "27 mars 2026 à 18:00 (UTC+01:00)"


def test_an_approved_form_shows_what_was_approved_even_of_an_older_form(form: Form) -> None:
    filled = approved_form(form, {"consequences": "Fraud.", "records_count": "", "a_field_of_old": "kept"})
    assert filled.values == {"consequences": "Fraud.", "records_count": "", "a_field_of_old": "kept"}
    assert filled.unknown == ("records_count",)
    assert filled.sections[-1][2][0].shown("en") == "kept"


@given(evidence=ANY_VALUES, edits=ANY_VALUES)
def test_every_field_is_there_once_and_unknown_means_empty(evidence: dict[str, str], edits: dict[str, str]) -> None:
    filled = fill(FORM, evidence, edits)
    assert list(filled.values) == FORM.keys
    assert all((one.value == "") == (one.source == "unknown") for one in filled.fields)
    assert filled.digest == digest_of(approved_form(FORM, filled.values).values)


@given(values=ANY_VALUES, key=st.sampled_from(FORM.keys), text=st.text(max_size=5))
def test_the_digest_changes_when_any_field_does(values: dict[str, str], key: str, text: str) -> None:
    changed = values | {key: text}
    assert (digest_of(values) == digest_of(changed)) == (values == changed)


@pytest.mark.parametrize("key", ["notification_kind"])
def test_what_follows_from_the_case_is_not_overwritten(form: Form, key: str) -> None:
    assert fill(form, {key: "initial"}, {key: "complete"})[key].value == "initial"
