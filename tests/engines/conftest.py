"""The stages: small ones to see through, and the shipped ones."""

import asyncio
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from breachwatch.detection.correlating.correlator import Correlator
from breachwatch.detection.correlating.routing import Router
from breachwatch.detection.correlating.sharding import ShardedCorrelator
from breachwatch.detection.detector import Detector
from breachwatch.detection.playbooks.content import load_content, read_tree
from breachwatch.engines.embedded.engine import EmbeddedEngine
from breachwatch.engines.embedded.spool import Spool
from breachwatch.engines.kafka.correlate_stage import Sharding
from breachwatch.kernel.errors import UnavailableError
from breachwatch.kernel.pseudonyms import pseudonymiser
from breachwatch.kernel.streams import Alert
from breachwatch.notices.placeholders import PLACEHOLDERS
from breachwatch.sources.registry import load_sources

ROOT = Path(__file__).parents[2]
KEY = b"a spool key of the tests, 32 by."


def beside(name: str) -> Any:
    """A module of this folder, loaded once."""
    if name in sys.modules:
        return sys.modules[name]
    spec = spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def kafka_host() -> Any:
    """The module that drives the Kafka engine's partitions by hand."""
    return beside("kafka_host")


@dataclass(frozen=True)
class RealStages:
    """Makes the shipped stages over the shipped playbooks; content is loaded once."""

    detector: Callable[[], Detector]
    correlator: Callable[[], Correlator]
    sharding: Callable[[], Sharding]


@pytest.fixture(scope="session")
def real_stages() -> RealStages:
    sources = load_sources()
    content = load_content(read_tree(ROOT / "playbooks"), sources, PLACEHOLDERS)
    pseudonymise = pseudonymiser(b"a pseudonym key of the tests")
    return RealStages(
        lambda: Detector(content, sources, pseudonymise),
        lambda: Correlator(content),
        lambda: Sharding(Router(content), lambda: ShardedCorrelator(content)),
    )


@pytest.fixture(scope="session")
def small_stages() -> Any:
    return beside("small_stages")


@pytest.fixture
def words(small_stages: Any) -> Any:
    """The small stages and values as one namespace, since test folders are no packages."""

    class Words:
        Detector, Correlator = small_stages.WordDetector, small_stages.CountCorrelator
        alert, chunk = staticmethod(small_stages.alert), staticmethod(small_stages.chunk)
        key, start = KEY, small_stages.START

    return Words


class Taker:
    """A case plane that takes, is away, or fails on one group."""

    def __init__(self) -> None:
        self.taken: list[Alert] = []
        self.away = False
        self.fails_on = ""
        self.changed = asyncio.Event()

    def __call__(self, alert: Alert) -> None:
        if self.away:
            raise UnavailableError("the ledger is locked")
        if alert.group["group"] == self.fails_on:
            raise KeyError(alert.group["group"])
        self.taken.append(alert)

    @property
    def groups(self) -> list[str]:
        return [one.group["group"] for one in self.taken]


@pytest.fixture
def spool(tmp_path: Path, words: Any) -> Iterator[Spool]:
    opened = Spool(tmp_path / "spool.db", words.key, busy_timeout=timedelta(0))
    yield opened
    opened.close()


@pytest.fixture
def taker() -> Taker:
    return Taker()


@pytest.fixture
def make(spool: Spool, taker: Taker, words: Any) -> Callable[..., EmbeddedEngine]:
    def engine(**more: Any) -> EmbeddedEngine:
        detector, correlator = more.pop("detector", words.Detector()), more.pop("correlator", words.Correlator())
        return EmbeddedEngine(spool, detector, correlator, taker, **more)

    return engine
