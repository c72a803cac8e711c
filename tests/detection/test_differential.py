"""The finder finds what the plain evaluator finds: here 100,000 comparisons, by command as many as you like.

.venv/bin/python tests/detection/differential.py --comparisons 1000000
"""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from breachwatch.detection.matching import scan


def load(name: str) -> ModuleType:
    spec = spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


plain = load("plain")
differential = load("differential")


@pytest.mark.parametrize("seed", range(20))
def test_random_rules_on_random_records_are_found_as_a_plain_reading_finds_them(seed: int) -> None:
    assert list(differential.one_round(1000 + seed)) == []


@pytest.mark.parametrize("broken", ["_ODD_JSON", "_FOLDED"])
def test_the_comparison_would_notice_a_trap_that_is_not_seen(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, broken, type(getattr(scan, broken))())
    assert any(list(differential.one_round(seed)) for seed in range(300, 500))
