"""The form as data: every question the law asks, in the authority's order, in two languages."""

from pathlib import Path

import pytest

from breachwatch.filings.forms import package_forms
from breachwatch.filings.forms.model import Choice, Form, FormField, Words, bounds
from breachwatch.kernel.errors import ContentError
from breachwatch.kernel.shapes import conform
from breachwatch.kernel.yaml import read

WORDS = Words(en="a", fr="b")


def test_art_33_3_every_letter_has_a_required_field(form: Form) -> None:
    required = {field.article for field in form.fields if field.required}
    assert {"33(3)(a)", "33(3)(b)", "33(3)(c)", "33(3)(d)"} <= required


def test_the_sections_come_in_the_authority_s_order(form: Form) -> None:
    assert [section.number for section in form.sections] == list(range(1, 11))


def test_every_field_has_words_in_both_languages_and_names_its_article(form: Form) -> None:
    for field in form.fields:
        assert all((field.label.en, field.label.fr, field.help.en, field.help.fr, field.article)), field.key
        assert all(choice.label.en and choice.label.fr for choice in field.choices), field.key


def test_playbooks_of_the_project_use_values_that_the_form_knows(form: Form) -> None:
    folder = Path(__file__).parents[2] / "playbooks"
    for path in folder.glob("*/playbook.yml"):
        filing = read(path.read_bytes(), str(path)).data["filing"]
        for key in ("origin", "cause", "data_categories", "people_categories"):
            field = form.field(key)
            assert field is not None
            said = filing[key] if isinstance(filing[key], list) else [filing[key]]
            assert set(said) <= {choice.value for choice in field.choices}, f"{path}: {key}"


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("count", " 120 - 340 ", "120-340"),
        ("count", "0120", "120"),
        ("count", "7-7", "7"),
        ("instant", "2026-03-27T17:06:00+01:00", "2026-03-27T17:06:00+01:00"),
        ("text", "a\r\nb ", "a\nb"),
        ("choice", "YES", "yes"),
        ("choices", "yes;No ; yes", "yes; no"),
        ("choices", " ; ", ""),
    ],
)
def test_values_have_one_shape(kind: str, text: str, value: str) -> None:
    assert make(kind).normalise(text) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("count", "many"),
        ("count", "340-120"),
        ("count", "-3"),
        ("count", "1" * 13),
        ("instant", "2026-03-27T17:06:00"),
        ("instant", "9999-12-31T23:59:00Z"),  # tomorrow already, east of Greenwich, where no calendar goes
        ("instant", "9999-12-31T23:59:00-05:00"),
        ("instant", "0001-01-01T00:00:00Z"),
        ("choice", "maybe"),
        ("text", "x" * 20_001),
    ],
)
def test_what_is_no_value_says_what_would_be(kind: str, text: str) -> None:
    with pytest.raises(ValueError, match=r"\w+ \w+"):
        make(kind).normalise(text)


def test_bounds_of_a_count() -> None:
    assert [bounds(text) for text in ("", "7", "1-9")] == [None, (7, 7), (1, 9)]


def test_a_form_file_with_a_mistake_says_where() -> None:
    text = "id: x\ntitle: {en: a, fr: b}\narticle: a\nurl: u\nchecked_on: '2026-01-01'\nsection: []\n"
    with pytest.raises(ContentError, match=r'x.yml:6:1: unknown key "section"'):
        conform(Form, read(text, "x.yml"))


def test_two_fields_may_not_share_a_key() -> None:
    form = package_forms()["cnil"]
    with pytest.raises(ValueError, match="used twice"):
        Form.model_validate(form.model_dump() | {"sections": [*form.sections, form.sections[0]]})


def make(kind: str) -> FormField:
    listed = tuple(Choice(value=each, label=Words(en=each, fr=each)) for each in ("yes", "no"))
    return FormField.model_validate(
        {
            "key": "k",
            "label": WORDS,
            "help": WORDS,
            "article": "33",
            "kind": kind,
            "choices": listed if kind.startswith("choice") else (),
        }
    )
