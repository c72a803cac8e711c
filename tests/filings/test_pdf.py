"""The PDF: readable by people and by screen readers, whatever the words in it."""

from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf import PdfReader

from breachwatch.filings.form import fill
from breachwatch.filings.forms import package_forms
from breachwatch.filings.forms.model import Form
from breachwatch.filings.meta import FilingMeta
from breachwatch.filings.pdf import to_pdf

HEAD = FilingMeta("in-1", "t", "o", "a", "", "UTC", "initial", "draft", datetime(2026, 3, 27, tzinfo=UTC))


def words_of(pdf: bytes) -> str:
    return " ".join(" ".join(page.extract_text() for page in PdfReader(BytesIO(pdf)).pages).split())


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("en", ["Notification of a personal data breach", "3. When", "not known yet", "Art. 33(3)(a), required"]),
        ("fr", ["Notification d'une violation", "3. Chronologie", "pas encore connu", "art. 33(3)(a), obligatoire"]),
    ],
)
def test_it_says_the_form_in_the_language_asked_for(
    form: Form, evidence: dict[str, str], meta: FilingMeta, language: str, expected: list[str]
) -> None:
    text = words_of(to_pdf(fill(form, evidence, {}), meta, language))
    assert [part for part in [*expected, "Records were taken out.", "dpo@example.org"] if part not in text] == []


@pytest.mark.parametrize("language", ["en", "fr"])
def test_a_screen_reader_finds_language_title_and_structure(
    form: Form, evidence: dict[str, str], meta: FilingMeta, language: str
) -> None:
    root: Any = PdfReader(BytesIO(to_pdf(fill(form, evidence, {}), meta, language))).trailer["/Root"]
    assert root["/Lang"] == language
    assert root["/MarkInfo"]["/Marked"]
    assert root["/StructTreeRoot"]["/K"]
    assert root["/ViewerPreferences"]["/DisplayDocTitle"]
    assert b"pdfuaid:part" in root["/Metadata"].get_data()
    assert root["/Outlines"]["/Count"] != 0


def test_an_approved_filing_tells_by_whom_when_and_under_which_reference(
    form: Form, evidence: dict[str, str], meta: FilingMeta
) -> None:
    later = datetime(2026, 3, 28, 9, tzinfo=UTC)
    head = replace(
        meta,
        status="submitted",
        approved_by="camille",
        approved_at=later,
        submitted_at=later,
        reference="FR-2026-17",
        delay_reasons="Over a holiday.",
    )
    filled = fill(form, evidence, {})
    text = words_of(to_pdf(filled, head, "en"))
    for part in ("Submitted", "28 March 2026, 10:00 (UTC+01:00) · camille", "FR-2026-17", "Over a holiday."):
        assert part in text
    assert filled.digest in text.replace(" ", "")


def test_no_word_becomes_markup(form: Form, meta: FilingMeta) -> None:
    sly = '#panic("x") $a$ *b* _c_ `d` @e <f> \\ // g /* h */ = i\n= j\n#read("/etc/passwd") {{ k }}'
    text = words_of(to_pdf(fill(form, {"nature_description": sly}, {}), replace(meta, title=sly), "en"))
    assert text.count(" ".join(sly.split())) == 2


def test_signs_that_no_font_has_are_written_by_number_and_stop_nothing(form: Form, meta: FilingMeta) -> None:
    text = words_of(to_pdf(fill(form, {"nature_description": "漢 é ж \u202e \x07"}, {}), meta, "en"))
    assert "[U+6F22] é ж [U+202E] [U+0007]" in text


def test_the_same_filing_gives_the_same_bytes(form: Form, evidence: dict[str, str], meta: FilingMeta) -> None:
    filled = fill(form, evidence, {})
    assert to_pdf(filled, meta, "fr") == to_pdf(filled, meta, "fr")


@settings(max_examples=25, deadline=None)
@given(text=st.text(min_size=1, max_size=40))
def test_any_text_can_be_printed(text: str) -> None:
    form = package_forms()["cnil"]
    assert to_pdf(fill(form, {"nature_description": text}, {"consequences": text}), HEAD, "en").startswith(b"%PDF")
