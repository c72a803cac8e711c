"""What an earlier version left is taken on: nobody loses a case, a clock or half a window by upgrading.

The states were made by the tags themselves (`make.py`), and every later version has to go on from them.
"""

import asyncio
import json
import sys
import tarfile
from collections.abc import Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from breachwatch import wiring
from breachwatch.kernel.ids import IncidentId
from breachwatch.settings import Settings, read_settings
from breachwatch.wiring import casework, desk, inputs, service

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from make import ENTERED, GUESSED, HALF, line, said, send  # noqa: E402 - the maker lies beside this file

TAGS = sorted(path.parent.name for path in HERE.glob("*/said.json"))


class Earlier:
    """The house that a tag left, the wall clock of that day, and what the tag said of it."""

    def __init__(self, tag: str, folder: Path) -> None:
        self.said: dict[str, Any] = json.loads((HERE / tag / "said.json").read_text())
        with tarfile.open(HERE / tag / "house.tar.xz") as archive:
            archive.extraction_filter = getattr(tarfile, "data_filter", None)  # Python 3.11.4 and later
            archive.extractall(folder)  # noqa: S202 - an archive of ours
        self.house = folder / "house"
        self.began_at = datetime.fromisoformat(self.said["began_at"])
        self._shift = self.began_at + timedelta(minutes=2) - datetime.now(UTC)

    def now(self) -> datetime:
        return datetime.now(UTC) + self._shift

    def move_to(self, at: datetime) -> None:
        self._shift += at - self.now()

    @property
    def settings(self) -> Settings:
        return read_settings(self.house / "breachwatch.toml")

    @property
    def incident(self) -> IncidentId:
        return IncidentId(self.said["heads"][0][0])

    def later(self) -> list[str]:
        """Four more guesses complete the half window, and the other guesser gets in."""
        at = self.began_at + timedelta(seconds=60)
        more = [line(at + timedelta(seconds=n), HALF) for n in range(4)]
        return [*more, line(at + timedelta(seconds=10), GUESSED, accepted=True)]


@pytest.fixture(params=TAGS)
def earlier(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Earlier:
    found = Earlier(request.param, tmp_path)
    for module in (casework, desk, inputs, service):
        monkeypatch.setattr(module, "now", found.now)
    monkeypatch.setenv("BREACHWATCH_DESK__PORT", "0")
    return found


@asynccontextmanager
async def running(settings: Settings) -> Any:
    """The present service over a state: yields where programs send logs to."""
    whole = wiring.build_service(settings)
    stop = asyncio.Event()
    task = asyncio.create_task(whole.run(stop))
    token = (settings.state_dir / "ingest.token").read_text().strip()

    async def take(told: list[str], key: str) -> None:
        await asyncio.to_thread(send, whole.desk_url, token, told, key)

    try:
        yield take
    finally:
        stop.set()
        await task


async def until(look: Callable[[], Any], what: str, seconds: float = 60) -> None:
    """Look again and again; the test fails when nothing is there in time."""
    end = asyncio.get_running_loop().time() + seconds
    while not await asyncio.to_thread(look):
        assert asyncio.get_running_loop().time() < end, f"waited for {what}"
        with suppress(TimeoutError):
            async with asyncio.timeout(0.05):
                await asyncio.Event().wait()


def alerts(house: Path) -> dict[str, Any]:
    """Alert id to the incident it belongs to and when it began."""
    return {one[0]: (one[2], one[3]) for one in said(house / "state")["alerts"]}


def test_there_are_states_of_earlier_versions() -> None:
    assert {"v0.1.0", "v0.2.0"} <= set(TAGS)


def test_the_case_files_are_proven_as_they_were_written(earlier: Earlier) -> None:
    store = wiring.open_store(earlier.settings, must_exist=True)
    try:
        assert list(store.ledger.verify()) == []
        [summary] = store.ledger.summaries()
        assert (summary.incident_id, summary.key) == (earlier.incident, {"src_endpoint.ip": ENTERED})
        assert store.vault.sample(earlier.incident, "fr") is not None, "who is affected can still be written to"
    finally:
        store.close()
    assert said(earlier.house / "state")["heads"] == earlier.said["heads"], "and opening them writes nothing"


async def test_windows_go_on_from_where_they_were(earlier: Earlier) -> None:
    before = alerts(earlier.house)
    async with running(earlier.settings) as take:
        await take(earlier.later(), "after")
        await until(lambda: len(alerts(earlier.house)) == len(before) + 2, "the half window and the second intruder")
    after = alerts(earlier.house)
    assert before.keys() < after.keys(), "what was found before keeps its name"
    began = {at for name, (_, at) in after.items() if name not in before}
    half_began = min(at for at in earlier.said["lines"] if HALF in at).partition(" ")[0]
    assert int(datetime.fromisoformat(half_began).timestamp() * 1e6) in began, "its first guess was made before"
    [waited] = [name for name, (home, _) in before.items() if home is None]
    assert after[waited][0] is not None, "guessing that was told of before belongs to the incident it led to"


async def test_what_is_sent_again_under_its_key_counts_once(earlier: Earlier) -> None:
    async with running(earlier.settings) as take:
        await take(earlier.said["lines"], "before")
        await take(earlier.later(), "after")
        await until(lambda: len(alerts(earlier.house)) == len(earlier.said["alerts"]) + 2, "what is new")
    sent = len(earlier.said["lines"])
    assert said(earlier.house / "state")["records"] == [[2 * sent + len(earlier.later())]]
    found = {name: home for name, (home, _) in alerts(earlier.house).items()}
    assert [found[one[0]] for one in earlier.said["alerts"] if one[2]] == [earlier.incident, earlier.incident]


async def test_ids_are_what_the_present_code_gives(earlier: Earlier, tmp_path: Path) -> None:
    anew = tmp_path / "anew"
    (anew / "state").mkdir(mode=0o700, parents=True)
    for name in ("breachwatch.toml", "directory.csv", "state/master.key", "state/pseudonym.key", "state/ingest.token"):
        (earlier.house / name).rename(anew / name)
    (earlier.house / "playbooks").rename(anew / "playbooks")
    async with running(read_settings(anew / "breachwatch.toml")) as take:
        await take(earlier.said["lines"], "before")
        await until(lambda: len(alerts(anew)) == len(earlier.said["alerts"]), "the same alerts")
    assert [one[:1] for one in said(anew / "state")["alerts"]] == [one[:1] for one in earlier.said["alerts"]]
    assert [one[0] for one in said(anew / "state")["heads"]] == [earlier.incident]


async def test_a_clock_started_before_rings_after(earlier: Earlier) -> None:
    wakes_at = datetime.fromtimestamp(earlier.said["clocks"][0][1] / 1e6, UTC)
    earlier.move_to(wakes_at + timedelta(seconds=1))
    async with running(earlier.settings):
        await until(lambda: len(said(earlier.house / "state")["mails"]) == 2, "the reminder")
    store = wiring.open_store(earlier.settings, must_exist=True)
    try:
        assert list(store.ledger.verify()) == []
        told = [fact.type for fact in store.ledger.facts(earlier.incident)][earlier.said["heads"][0][1] :]
    finally:
        store.close()
    assert len(told) == 1, f"it rang once: {told}"
