"""The form as JSON for other programs, by `schema.json` beside this file.

The models below are that schema: a test holds the file against them, and every export is checked on its way out.
"""

from typing import Any, Literal

import orjson
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from breachwatch.filings.facts import Phase
from breachwatch.filings.form import FilledField, FilledForm
from breachwatch.filings.meta import FilingMeta, Status
from breachwatch.kernel.time import rfc3339

FORMAT = "breachwatch-filing/1"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ExportedField(_Part):
    """One answer. `value` is empty if, and only if, `source` is `unknown`."""

    key: str = Field(description="The field's key, stable within a form.")
    label: dict[Literal["en", "fr"], str] = Field(description="The question, by language.")
    article: str = Field(description="The article of the GDPR that the question serves.")
    kind: Literal["text", "choice", "choices", "instant", "count"]
    required: bool = Field(description="Whether GDPR Art. 33(3) asks for it.")
    value: str = Field(
        description="Text; a code; codes joined by '; '; an RFC 3339 instant; a number or a range such as 120-340."
    )
    source: Literal["evidence", "person", "unknown"]


class ExportedSection(_Part):
    """A part of the form, in the authority's order."""

    number: int
    title: dict[Literal["en", "fr"], str]
    fields: list[ExportedField]


class ExportedFiling(_Part):
    """One notification of a personal data breach to a supervisory authority (GDPR Art. 33)."""

    format: Literal["breachwatch-filing/1"]
    form: str = Field(description="The form's id.")
    incident: str = Field(description="The incident's reference.")
    title: str
    organisation: str
    authority: str
    phase: Phase
    status: Status
    made_at: AwareDatetime
    approved_by: str
    approved_at: AwareDatetime | None
    submitted_at: AwareDatetime | None
    reference: str = Field(description="What the authority calls it; empty before submission.")
    delay_reasons: str
    digest: str = Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 over the fields as canonical JSON.")
    unknown: list[str] = Field(description="Keys of the fields that are not known yet.")
    sections: list[ExportedSection]


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of an export: what `schema.json` holds."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "breachwatch filing",
        **ExportedFiling.model_json_schema(mode="serialization"),
    }


def to_json(filled: FilledForm, meta: FilingMeta) -> bytes:
    """The form as indented UTF-8 JSON; equal input gives equal bytes."""
    plain = {
        "format": FORMAT,
        "form": filled.form.id,
        "incident": meta.incident_id,
        "title": meta.title,
        "organisation": meta.organisation,
        "authority": meta.authority,
        "phase": meta.phase,
        "status": meta.status,
        "made_at": rfc3339(meta.made_at),
        "approved_by": meta.approved_by,
        "approved_at": meta.approved_at and rfc3339(meta.approved_at),
        "submitted_at": meta.submitted_at and rfc3339(meta.submitted_at),
        "reference": meta.reference,
        "delay_reasons": meta.delay_reasons,
        "digest": filled.digest,
        "unknown": list(filled.unknown),
        "sections": [
            {"number": number, "title": title.model_dump(), "fields": [_field(one) for one in fields]}
            for number, title, fields in filled.sections
        ],
    }
    ExportedFiling.model_validate(plain)
    return orjson.dumps(plain, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _field(one: FilledField) -> dict[str, Any]:
    return {
        "key": one.field.key,
        "label": one.field.label.model_dump(),
        "article": one.field.article,
        "kind": one.field.kind,
        "required": one.field.required,
        "value": one.value,
        "source": one.source,
    }
