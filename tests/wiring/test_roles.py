"""Each process of a cluster opens what it needs and nothing more, and says plainly what it lacks."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from breachwatch import wiring
from breachwatch.kernel.errors import ContentError, NotFoundError, Problem, UnavailableError
from breachwatch.ledger.keys import MASTER_FILE, PSEUDONYM_FILE
from breachwatch.settings import Settings, read_settings
from breachwatch.wiring.process import Process

SETTINGS = """
state_dir = "state"
playbooks_dir = "{playbooks}"
[organisation]
name = "Example Shop"
dpo_name = "Camille Example"
dpo_email = "dpo@shop.example"
[mail]
sender = "privacy@shop.example"
security = "none-loopback-only"
username = "us"
password_file = "nowhere.password"
[desk]
port = 0
[observe]
port = 0
[ledger]
{ledger}
[kafka]
{kafka}
"""
PLAYBOOKS = Path(__file__).parents[2] / "playbooks"
KAFKA = 'brokers = ["127.0.0.1:9"]\nsecurity = "none-loopback-only"'
LEDGER = 'url = "sqlite:///{folder}/ledger.db"'
NO_LEDGER = 'url_file = "nowhere.url"'
BUILDERS: dict[str, Callable[[Settings], Process]] = {
    "worker": wiring.build_worker,
    "clock": wiring.build_clock,
    "courier": wiring.build_courier,
    "console": wiring.build_console,
}
NEEDS = {
    "worker": {"pseudonym.key", "kafka"},
    "clock": {"pseudonym.key", "master.key", "ledger", "kafka"},
    "courier": {"master.key", "ledger"},
    "console": {"master.key", "ledger", "kafka"},
}


def house(folder: Path, has: set[str]) -> Settings:
    """A machine that has these things, and of all others only what settings say of them."""
    few = folder / "playbooks"
    shutil.copytree(PLAYBOOKS / "ssh-brute-force", few / "ssh-brute-force")
    file = folder / "breachwatch.toml"
    file.write_text(
        SETTINGS.format(
            playbooks=few,
            ledger=LEDGER.format(folder=folder) if "ledger" in has else NO_LEDGER,
            kafka=KAFKA if "kafka" in has else "",
        )
    )
    settings = read_settings(file)
    wiring.make_keys(settings)
    for name in (MASTER_FILE, PSEUDONYM_FILE):
        if name not in has:
            (settings.state_dir / name).unlink()
    return settings


@pytest.mark.parametrize("role", NEEDS)
def test_a_process_is_content_with_what_it_needs(role: str, tmp_path: Path) -> None:
    process = BUILDERS[role](house(tmp_path, NEEDS[role]))
    process.close()
    assert process.role == role
    assert "observe" in process.parts, "and it can be asked how it is"
    present = {path.name for path in (tmp_path / "state").glob("*.key")}
    assert present == {need for need in NEEDS[role] if need.endswith(".key")}, "and it makes no key of its own"


@pytest.mark.parametrize(("role", "lacks"), [(role, lacks) for role, needs in NEEDS.items() for lacks in sorted(needs)])
def test_it_says_what_it_lacks(role: str, lacks: str, tmp_path: Path) -> None:
    settings = house(tmp_path, NEEDS[role] - {lacks})
    with pytest.raises((ContentError, NotFoundError)) as told:
        BUILDERS[role](settings)
    said = {"ledger": "nowhere.url", "kafka": "no Kafka broker is named"}.get(lacks, lacks)
    assert said in str(told.value)


def test_keys_are_made_once_and_it_is_told_who_needs_which(tmp_path: Path) -> None:
    settings = house(tmp_path, {"master.key", "pseudonym.key"})
    before = [path.read_text() for path, _ in wiring.make_keys(settings)]
    told = {path.name: who for path, who in wiring.make_keys(settings)}
    assert [path.read_text() for path, _ in wiring.make_keys(settings)] == before
    assert told == {"master.key": "clock, courier, console", "pseudonym.key": "worker, clock"}
    needing = {key: [role for role, needs in NEEDS.items() if key in needs] for key in told}
    assert {key: sorted(roles) for key, roles in needing.items()} == {
        key: sorted(who.split(", ")) for key, who in told.items()
    }


# ------------------------------------------------------------------ how a process ends


def process(**parts: Any) -> tuple[Process, list[str]]:
    closed: list[str] = []
    return Process("worker", parts, lambda: closed.append("closed")), closed


def failing(error: Exception) -> Any:
    async def part(_stop: asyncio.Event) -> None:
        raise error

    return part


async def patient(stop: asyncio.Event) -> None:
    await stop.wait()


async def test_what_a_person_must_put_right_is_told_all_at_once() -> None:
    one, two = (ContentError([Problem(name, 0, 0, "is wrong")]) for name in ("one", "two"))

    async def too(stop: asyncio.Event) -> None:
        await stop.wait()
        raise two

    ended, closed = process(one=failing(one), two=too, other=patient)
    with pytest.raises(ContentError) as told:
        await ended.run(asyncio.Event())
    assert [problem.path for problem in told.value.problems] == ["one", "two"]
    assert closed == ["closed"]


async def test_what_is_away_is_told_in_its_own_words() -> None:
    ended, closed = process(one=failing(UnavailableError("nobody listens at the broker")), other=patient)
    with pytest.raises(UnavailableError, match="nobody listens at the broker"):
        await ended.run(asyncio.Event())
    assert closed == ["closed"]


async def test_a_mistake_of_ours_is_not_dressed_up() -> None:
    ended, closed = process(one=failing(ZeroDivisionError()), other=patient)
    with pytest.raises(ExceptionGroup):
        await ended.run(asyncio.Event())
    assert closed == ["closed"]
