"""The playbooks that ship, read with nothing but the strict YAML reader and their model."""

from pathlib import Path

import pytest

from breachwatch.detection.playbooks.playbook import Playbook
from breachwatch.kernel.shapes import conform
from breachwatch.kernel.yaml import read

PLAYBOOKS = Path(__file__).parents[2] / "playbooks"


@pytest.fixture(scope="session")
def playbooks() -> dict[str, Playbook]:
    """Folder name to playbook."""
    return {
        path.parent.name: conform(Playbook, read(path.read_bytes(), str(path)))
        for path in sorted(PLAYBOOKS.glob("*/playbook.yml"))
    }
