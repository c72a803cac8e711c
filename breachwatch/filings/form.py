"""The form as evidence and people have filled it so far. Pure.

A field is what a person wrote, else what the evidence says, else marked unknown; nothing is ever made up.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

from breachwatch.filings.forms.model import Form, FormField, Words, bounds
from breachwatch.filings.words import NOT_KNOWN, instant_words, range_words

Source = Literal["evidence", "person", "unknown"]
EXPLICITLY_UNKNOWN = "?"
"""A person writes this to say that a field is not known, whatever the evidence seems to say."""


@dataclass(frozen=True, slots=True)
class FilledField:
    """One question with its answer. `value` is empty if, and only if, `source` is `unknown`."""

    field: FormField
    value: str
    source: Source

    def shown(self, language: str, timezone: str = "UTC") -> str:
        """The answer in words: labels for codes, local time with its offset, "not known yet" for nothing."""
        if not self.value:
            return NOT_KNOWN.of(language)
        match self.field.kind:
            case "choice" | "choices":
                labels = {choice.value: choice.label.of(language) for choice in self.field.choices}
                return ", ".join(labels.get(member, member) for member in self.field.members(self.value))
            case "instant":
                return instant_words(self.value, language, timezone)
            case "count":
                return range_words(bounds(self.value), language) or self.value
            case "text":
                return self.value


@dataclass(frozen=True, slots=True)
class FilledForm:
    """A form with all its answers, in the form's order."""

    form: Form
    fields: tuple[FilledField, ...]

    @property
    def values(self) -> dict[str, str]:
        """Key to value of every field; empty for what is not known."""
        return {filled.field.key: filled.value for filled in self.fields}

    @property
    def digest(self) -> str:
        """What an approval must have seen."""
        return digest_of(self.values)

    @property
    def unknown(self) -> tuple[str, ...]:
        """Keys of the fields that nobody knows yet, in the form's order."""
        return tuple(filled.field.key for filled in self.fields if filled.source == "unknown")

    @property
    def missing(self) -> tuple[str, ...]:
        """Those of them that GDPR Art. 33(3) asks for."""
        return tuple(filled.field.key for filled in self.fields if filled.source == "unknown" and filled.field.required)

    @property
    def sections(self) -> list[tuple[int, Words, list[FilledField]]]:
        """(number, title, answers) of each section. Answers to questions of an older form come last, as section 0."""
        by_key = {filled.field.key: filled for filled in self.fields}
        parts = [
            (section.number, section.title, [by_key.pop(field.key) for field in section.fields if field.key in by_key])
            for section in self.form.sections
        ]
        rest = [(0, Words(en="From an earlier form", fr="D'un formulaire antérieur"), list(by_key.values()))]
        return [part for part in parts + rest if part[2]]

    def __getitem__(self, key: str) -> FilledField:
        return next(filled for filled in self.fields if filled.field.key == key)


def fill(form: Form, evidence: Mapping[str, str], edits: Mapping[str, str]) -> FilledForm:
    """Fill a form: what people wrote first, then what the evidence says, else unknown.

    Evidence that is no value of its field (a count that is none) is left out rather than shown as if it were one.
    """
    return FilledForm(form, tuple(_filled(field, evidence, edits) for field in form.fields))


def approved_form(form: Form, values: Mapping[str, str]) -> FilledForm:
    """The form exactly as a person approved it, even where the form itself has changed since."""
    known = [
        FilledField(field, values[field.key], _approved(values[field.key]))
        for field in form.fields
        if field.key in values
    ]
    strange = [
        FilledField(_plain_field(key), value, _approved(value))
        for key, value in sorted(values.items())
        if form.field(key) is None
    ]
    return FilledForm(form, (*known, *strange))


def digest_of(values: Mapping[str, str]) -> str:
    """SHA-256 in hex over all fields as canonical JSON: equal if, and only if, every field is."""
    text = json.dumps(dict(values), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _filled(field: FormField, evidence: Mapping[str, str], edits: Mapping[str, str]) -> FilledField:
    written = "" if field.derived else edits.get(field.key, "")
    if written == EXPLICITLY_UNKNOWN:
        return FilledField(field, "", "unknown")
    if written:
        return FilledField(field, written, "person")
    found = _valid(field, evidence.get(field.key, ""))
    return FilledField(field, found, "evidence" if found else "unknown")


def _valid(field: FormField, value: str) -> str:
    try:
        return field.normalise(value)
    except ValueError:
        return ""


def _approved(value: str) -> Source:
    return "person" if value else "unknown"


def _plain_field(key: str) -> FormField:
    words = Words(en=key, fr=key)
    return FormField(key=key, label=words, help=words, article="33(3)")
