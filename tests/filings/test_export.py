"""The JSON: what other programs may rely on."""

import json
from importlib.resources import files

from breachwatch.filings.export import ExportedFiling, schema, to_json
from breachwatch.filings.form import fill
from breachwatch.filings.forms.model import Form
from breachwatch.filings.meta import FilingMeta


def test_the_schema_file_is_what_exports_are_held_against() -> None:
    kept = json.loads((files("breachwatch.filings") / "schema.json").read_text(encoding="utf-8"))
    assert kept == schema()


def test_an_export_has_every_field_with_its_source(form: Form, evidence: dict[str, str], meta: FilingMeta) -> None:
    filled = fill(form, evidence, {"consequences": "Fraud."})
    read = ExportedFiling.model_validate_json(to_json(filled, meta))
    by_key = {field.key: field for section in read.sections for field in section.fields}
    assert list(by_key) == form.keys
    assert by_key["consequences"].source == "person"
    assert by_key["people_count"].value == "120-340"
    assert by_key["ended_at"].source == "unknown"
    assert read.unknown == list(filled.unknown)
    assert read.digest == filled.digest
