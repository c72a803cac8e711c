"""Stories of the whole service: log line in, mail out, with its process killed and its surroundings in trouble."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def make_stage(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Builds a house for a story, with the log of a small export that 120 people suffer from; torn down at the end."""
    from house.shop import short_day
    from house.stage import STARTS_AT, Stage

    built: list[Stage] = []

    def make(ledger_url: str = "", observe: str = "", **service: float) -> Stage:
        stage = Stage(tmp_path / f"shop{len(built)}", short_day(STARTS_AT).people, ledger_url, observe, **service)
        built.append(stage)
        return stage

    yield make
    for one in built:
        one.close()
