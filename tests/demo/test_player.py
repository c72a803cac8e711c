"""The demo goes on where it was: no line of its day is written twice, none is left out, half a line is mended."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

from breachwatch.demo.player import Player, Stage
from breachwatch.demo.shop import AUDIT, AUTH

NOW = datetime(2026, 3, 27, 18, 0, tzinfo=UTC)


def written(stage: Stage) -> int:
    return sum((stage.logs / name).read_bytes().count(b"\n") for name in (AUDIT, AUTH))


def test_a_second_start_plays_the_same_day_on(tmp_path: Path) -> None:
    first = Player(Stage(tmp_path), Stage(tmp_path).set_up(NOW, UTC))
    first.write(1_000)
    with (tmp_path / "logs" / AUDIT).open("a", encoding="utf-8") as file:
        file.write('{"time": "half a li')
    later = Stage(tmp_path).set_up(NOW + timedelta(hours=5), UTC)
    second = Player(Stage(tmp_path), later)
    assert second.written == 1_000
    while second.write(500):
        pass
    played = (tmp_path / "logs" / AUDIT).read_text("utf-8").splitlines()
    assert played == [line.text for line in later if line.file == AUDIT]


async def test_playing_ends_with_the_day_or_when_told(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    player, told, stop = Player(stage, stage.set_up(NOW, UTC)), [], asyncio.Event()
    await player.play(timedelta(milliseconds=50), told.append, stop)
    assert sum(told) == player.total == written(stage)
    stop.set()
    await Player(stage, stage.set_up(NOW, UTC)).play(timedelta(seconds=60), told.append, stop)
    assert sum(told) == player.total
