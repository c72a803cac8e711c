"""A supervisory authority's form as data: sections, questions, value lists, and the article behind each."""

import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from breachwatch.kernel.time import parse_rfc3339

Kind = Literal["text", "choice", "choices", "instant", "count"]
Code = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
SEPARATOR = "; "
"""Between the members of a `choices` value."""
MAX_CHARACTERS = 20_000
"""The longest text of one field: far beyond any authority's form, well below what harms."""

_COUNT = re.compile(r"(\d{1,12})(?:\s*-\s*(\d{1,12}))?")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Words(_Strict):
    """The same words in both languages of the form."""

    en: str
    fr: str

    def of(self, language: str) -> str:
        """In French for `fr`, in English for every other language."""
        return self.fr if language == "fr" else self.en


class Choice(_Strict):
    """One value of a list, stored by its code."""

    value: Code
    label: Words


class FormField(_Strict):
    """One question.

    Values are text: `text` as written; `choice` one code and `choices` codes joined by `; `; `instant` RFC 3339 with
    an offset; `count` a whole number or a range such as `120-340`. The empty text means that it is not known yet.
    `required`: GDPR Art. 33(3) asks for it. `open`: words outside the list are allowed too. `derived`: follows from the
    case alone, so nobody can write it.
    """

    key: Code
    label: Words
    help: Words
    article: str
    kind: Kind = "text"
    required: bool = False
    choices: tuple[Choice, ...] = ()
    open: bool = False
    derived: bool = False

    @model_validator(mode="after")
    def _lists_have_values(self) -> "FormField":
        if (self.kind in ("choice", "choices")) != bool(self.choices):
            raise ValueError("a field has choices if, and only if, its kind is choice or choices")
        return self

    def members(self, value: str) -> list[str]:
        """The members of a `choices` value, or the one value of another kind; nothing for an empty text."""
        parts = value.split(";") if self.kind == "choices" else [value]
        return list(dict.fromkeys(part.strip() for part in parts if part.strip()))

    def normalise(self, text: str) -> str:
        """A value as it is stored: line ends as newlines, outer blanks gone, lists in one shape.

        Raises:
            ValueError: the text is no value of this field; the message says what would be.
        """
        text = text.replace("\r\n", "\n").replace("\r", "\n").strip()
        if not text:
            return ""
        if len(text) > MAX_CHARACTERS:
            raise ValueError(f"is longer than {MAX_CHARACTERS:,} characters")
        match self.kind:
            case "choice" | "choices":
                return SEPARATOR.join(self._code(part) for part in self.members(text))
            case "instant":
                return _instant(text)
            case "count":
                return _count(text)
            case "text":
                return text

    def _code(self, text: str) -> str:
        wanted = text.casefold()
        for choice in self.choices:
            if wanted in (choice.value, choice.label.en.casefold(), choice.label.fr.casefold()):
                return choice.value
        if self.open:
            return text
        known = ", ".join(choice.value for choice in self.choices)
        raise ValueError(f"{text!r} is not one of the values {known}")


class Section(_Strict):
    """A part of the form, in the order in which the authority asks."""

    number: int
    title: Words
    fields: tuple[FormField, ...] = Field(min_length=1)


class Form(_Strict):
    """One authority's form. `url` is a public page of its legal source, `checked_on` the day of the last comparison."""

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
    title: Words
    article: str
    url: str
    checked_on: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    sections: tuple[Section, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _keys_are_unique(self) -> "Form":
        keys = self.keys
        doubled = sorted({key for key in keys if keys.count(key) > 1})
        if doubled:
            raise ValueError(f"field keys used twice: {', '.join(doubled)}")
        return self

    @property
    def fields(self) -> tuple[FormField, ...]:
        """Every field in order."""
        return tuple(field for section in self.sections for field in section.fields)

    @property
    def keys(self) -> list[str]:
        """Every field's key in order."""
        return [field.key for field in self.fields]

    def field(self, key: str) -> FormField | None:
        """The field of this key."""
        return next((field for field in self.fields if field.key == key), None)


def bounds(value: str) -> tuple[int, int] | None:
    """(lowest, highest) of a `count` value; None for an empty text."""
    found = _COUNT.fullmatch(value)
    return (int(found[1]), int(found[2] or found[1])) if found else None


def _instant(text: str) -> str:
    try:
        readable = 1 < parse_rfc3339(text).year < 9999
    except (ValueError, OverflowError):
        readable = False
    if not readable:  # at the ends of the calendar there are zones in which an instant cannot be told
        raise ValueError("must be an instant with its offset, such as 2026-03-27T17:06:00+01:00")
    return text


def _count(text: str) -> str:
    found = _COUNT.fullmatch(text)
    if found is None:
        raise ValueError("must be a whole number or a range, such as 120 or 120-340")
    low, high = int(found[1]), int(found[2] or found[1])
    if low > high:
        raise ValueError("is a range whose first number is above its second")
    return str(low) if low == high else f"{low}-{high}"
