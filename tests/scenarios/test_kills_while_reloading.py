"""Kill -9 of the whole service while new rules take over, asked for by SIGHUP: nothing lost, nothing told twice."""

import os
import signal
from pathlib import Path

import pytest
from house.ordeal import told_by, undisturbed
from house.service import PATIENCE_SECONDS, wait_until
from house.shop import short_day
from house.stage import STARTS_AT, Stage

pytestmark = pytest.mark.timeout(300)
DEATHS = ("engine:before-swap", "engine:after-swap", "engine:before-swap", "engine:after-swap")
AT_A_TIME = 30


def test_each_life_ends_while_rules_are_swapped_and_the_day_is_told_as_if_none_had(tmp_path: Path) -> None:
    expected = undisturbed(tmp_path / "shop")
    day = short_day(STARTS_AT)
    stage = Stage(tmp_path / "shop", day.people)
    try:
        lines = list(day.lines)
        for death in DEATHS:
            stage.live(death, 1)
            stage.logs.write(lines[:AT_A_TIME])
            del lines[:AT_A_TIME]
            wait_until(stage.watched, "the lines before the reload")
            stage.logs.write(lines[:AT_A_TIME])
            del lines[:AT_A_TIME]
            os.kill(stage.service.pid, signal.SIGHUP)
            assert stage.service.killed_within(PATIENCE_SECONDS), death
        stage.live()
        while lines:
            stage.logs.write(lines[:AT_A_TIME])
            del lines[:AT_A_TIME]
            wait_until(stage.watched, "the rest of the day, with a reload for every few lines")
            os.kill(stage.service.pid, signal.SIGHUP)
        assert told_by(stage) == expected
        stage.service.stop()
    finally:
        stage.close()
