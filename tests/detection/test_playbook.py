"""The reference tells every key there is."""

from pathlib import Path

import pytest
from pydantic import BaseModel

from breachwatch.detection.playbooks import cases, playbook
from breachwatch.detection.playbooks.notice_file import REQUIRED_PARTS
from breachwatch.detection.sigma.sigma_correlation import KINDS
from breachwatch.notices.parts import PARTS
from breachwatch.notices.placeholders import PLACEHOLDERS

DOCS = Path(__file__).parents[2] / "docs/reference"
REFERENCE = (DOCS / "playbooks.md").read_text(encoding="utf-8")
SIGMA = (DOCS / "sigma.md").read_text(encoding="utf-8")
MODELS = [
    playbook.Playbook,
    playbook.DetectionMeaning,
    playbook.SubjectField,
    playbook.SeverityDefaults,
    playbook.FilingDefaults,
    playbook.ChecklistItem,
    cases.Case,
    cases.Generator,
    cases.Expected,
]


@pytest.mark.parametrize("model", MODELS)
def test_the_reference_names_every_key(model: type[BaseModel]) -> None:
    assert [name for name in model.model_fields if f"`{name}`" not in REFERENCE] == []


def test_the_reference_names_every_placeholder_part_and_kind_of_correlation() -> None:
    assert [name for name in PLACEHOLDERS if f"`{name}`" not in REFERENCE] == []
    assert [name for name in KINDS if f"`{name}`" not in SIGMA] == []
    assert all(f"{{#{part}}}" in REFERENCE for part in REQUIRED_PARTS)


def test_a_notice_needs_the_parts_that_the_notices_room_knows() -> None:
    assert set(REQUIRED_PARTS) == set(PARTS)
