"""Content that comes with the program is found where the program is, whatever folder one stands in."""

from pathlib import Path

import pytest

from breachwatch.kernel.shipped import shipped

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", ["playbooks", "topics"])
def test_in_a_checkout_content_lies_beside_the_package(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert shipped(name) == ROOT / name
    assert any(shipped(name).iterdir())
