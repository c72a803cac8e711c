"""The stages: small ones to see through, and the shipped ones."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from breachwatch.detection.content import load_content, read_tree
from breachwatch.detection.correlator import Correlator
from breachwatch.detection.detector import Detector
from breachwatch.kernel.pseudonyms import pseudonymiser
from breachwatch.notices.placeholders import PLACEHOLDERS
from breachwatch.sources.registry import load_sources

ROOT = Path(__file__).parents[2]
KEY = b"a spool key of the tests, 32 by."


@dataclass(frozen=True)
class RealStages:
    """Makes the shipped stages over the shipped playbooks; content is loaded once."""

    detector: Callable[[], Detector]
    correlator: Callable[[], Correlator]


@pytest.fixture(scope="session")
def real_stages() -> RealStages:
    sources = load_sources()
    content = load_content(read_tree(ROOT / "playbooks"), sources, PLACEHOLDERS)
    pseudonymise = pseudonymiser(b"a pseudonym key of the tests")
    return RealStages(lambda: Detector(content, sources, pseudonymise), lambda: Correlator(content))


@pytest.fixture(scope="session")
def _small_stages() -> Any:
    spec = spec_from_file_location("small_stages", Path(__file__).with_name("small_stages.py"))
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules.setdefault("small_stages", module_from_spec(spec))
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def words(_small_stages: Any) -> Any:
    """The small stages and values as one namespace, since test folders are no packages."""

    class Words:
        Detector, Correlator = _small_stages.WordDetector, _small_stages.CountCorrelator
        alert, chunk = staticmethod(_small_stages.alert), staticmethod(_small_stages.chunk)
        key, start = KEY, _small_stages.START

    return Words
