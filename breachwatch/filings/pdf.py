"""The form as a tagged PDF (PDF/UA-1), set by Typst with the fonts it carries: nothing is fetched, nothing installed.

Text reaches the page as data, never as Typst source, so no word in a case file can become markup.
"""

import json
import re
import unicodedata
from collections.abc import Callable
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import typst

from breachwatch.filings.form import FilledField, FilledForm
from breachwatch.filings.forms.model import Words
from breachwatch.filings.meta import FilingMeta
from breachwatch.filings.words import instant_words
from breachwatch.kernel.time import rfc3339

_TEMPLATE = Path(__file__).with_name("filing.typ")
_HEAD = {
    "incident": Words(en="Incident", fr="Incident"),
    "status": Words(en="Status", fr="État"),
    "phase": Words(en="Kind", fr="Type"),
    "authority": Words(en="Supervisory authority", fr="Autorité de contrôle"),
    "approved": Words(en="Approved", fr="Approuvé"),
    "submitted": Words(en="Submitted", fr="Transmis"),
    "reference": Words(en="Authority's reference", fr="Référence de l'autorité"),
    "delay": Words(en="Reasons for the delay", fr="Motifs du retard"),
    "made": Words(en="Printed", fr="Édité"),
    "digest": Words(en="Digest of the fields (SHA-256)", fr="Empreinte des champs (SHA-256)"),
}
_STATUS = {
    "draft": Words(en="Draft, not approved", fr="Projet, non approuvé"),
    "approved": Words(en="Approved, not submitted yet", fr="Approuvé, pas encore transmis"),
    "submitted": Words(en="Submitted", fr="Transmis"),
}
_PHASE = {
    "initial": Words(en="Initial", fr="Initiale"),
    "complementary": Words(en="Complementary", fr="Complémentaire"),
    "complete": Words(en="Complete", fr="Complète"),
}
_REQUIRED = Words(en="required", fr="obligatoire")
_ARTICLE = Words(en="Art.", fr="art.")

# What the fonts that Typst carries can show: tried first as a whole, then cut down, so that a rare sign never stops
# a filing. A sign that cannot be shown is written by its number, such as [U+6F22].
_EUROPEAN = re.compile(
    r"[\t\n\x20-\x7e\xa0-\u024f\u0370-\u03ff\u0400-\u04ff\u1e00-\u1eff\u2010-\u2027\u202f\u2030-\u203a\u20ac\u2122]"
)
_LATIN = re.compile(r"[\t\n\x20-\x7e\xa0-\xff\u0152\u0153\u2018\u2019\u201c\u201d\u2013\u2014\u202f\u20ac]")


def to_pdf(filled: FilledForm, meta: FilingMeta, language: str) -> bytes:
    """Print the form.

    Args:
        filled: the form with its answers; the answers stay in the language in which they were written.
        meta: the head.
        language: `fr`, or `en` for every other.

    Returns:
        A PDF with document language, title, bookmarks and structure tags; equal input gives equal bytes.

    Source: ISO 14289-1 (PDF/UA-1); Directive (EU) 2019/882 for why.
    """
    language = "fr" if language == "fr" else "en"
    page = _page(filled, meta, language)
    tries: list[Callable[[str], bool]] = [_is_shown, lambda char: bool(_EUROPEAN.match(char))]
    for keep in tries:
        try:
            return _compile(_legible(page, keep), meta.made_at)
        except typst.TypstError as error:
            if "could not be displayed" not in str(error):
                raise
    return _compile(_legible(page, lambda char: bool(_LATIN.match(char))), meta.made_at)


def _page(filled: FilledForm, meta: FilingMeta, language: str) -> dict[str, Any]:
    return {
        "lang": language,
        "colon": "\u202f:" if language == "fr" else ":",
        "title": filled.form.title.of(language),
        "author": meta.organisation,
        "incident": meta.title,
        "head": [[_HEAD[key].of(language), text] for key, text in _head(filled, meta, language) if text],
        "footer": f"{meta.organisation} · {meta.incident_id}",
        "sections": [
            {
                "title": f"{number}. {title.of(language)}" if number else title.of(language),
                "fields": [_field(one, meta, language) for one in fields],
            }
            for number, title, fields in filled.sections
        ],
    }


def _head(filled: FilledForm, meta: FilingMeta, language: str) -> list[tuple[str, str]]:
    def at(instant: datetime | None) -> str:
        return instant_words(rfc3339(instant), language, meta.timezone) if instant else ""

    approved = " · ".join(part for part in (at(meta.approved_at), meta.approved_by) if part)
    return [
        ("authority", f"{meta.authority} · {meta.authority_url}" if meta.authority_url else meta.authority),
        ("incident", meta.incident_id),
        ("phase", _PHASE[meta.phase].of(language)),
        ("status", _STATUS[meta.status].of(language)),
        ("approved", approved),
        ("submitted", at(meta.submitted_at)),
        ("reference", meta.reference),
        ("delay", meta.delay_reasons),
        ("made", at(meta.made_at)),
        ("digest", filled.digest),
    ]


def _field(one: FilledField, meta: FilingMeta, language: str) -> dict[str, Any]:
    note = f"{_ARTICLE.of(language)} {one.field.article}"
    return {
        "label": one.field.label.of(language),
        "note": f"{note}, {_REQUIRED.of(language)}" if one.field.required else note,
        "value": one.shown(language, meta.timezone),
        "known": one.source != "unknown",
    }


def _compile(page: dict[str, Any], made_at: datetime) -> bytes:
    # Surrogates cannot cross to Typst; `_legible` has replaced them before.
    compiler: Any = typst.Compiler(input=str(_TEMPLATE), font_paths=_fonts())
    pdf: bytes = compiler.compile(
        format="pdf",
        sys_inputs={"page": json.dumps(page, ensure_ascii=True)},
        pdf_standards=["ua-1"],
        timestamp=int(made_at.timestamp()),
    )
    return pdf


@cache
def _fonts() -> Any:
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=True)


def _legible(value: Any, keep: Callable[[str], bool]) -> Any:
    match value:
        case str():
            return "".join(char if keep(char) else f"[U+{ord(char):04X}]" for char in value)
        case list():
            return [_legible(member, keep) for member in value]
        case dict():
            return {key: _legible(member, keep) for key, member in value.items()}
        case _:
            return value


def _is_shown(char: str) -> bool:
    """Whether a character is a sign at all: controls, direction marks and unassigned code points are not."""
    return char in "\t\n" or not unicodedata.category(char).startswith("C")
