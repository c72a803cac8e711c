"""From one machine to many: the ledger moves whole or not at all, and the case goes on where it was."""

import shutil
import subprocess
import sys
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from breachwatch import wiring
from breachwatch.engines.embedded.spool import Spool
from breachwatch.kernel.errors import RefusedError, TamperedError
from breachwatch.kernel.streams import Chunk
from breachwatch.ledger import moving
from breachwatch.ledger.keys import open_keys
from breachwatch.settings import Settings, read_settings
from breachwatch.wiring.casework import open_casework
from breachwatch.wiring.detecting import LiveContent
from breachwatch.wiring.inputs import sources_of

HOUSE = Path(__file__).parents[1] / "upgrade" / "v0.2.0" / "house.tar.xz"
"""A small shop with one open incident, its clock, its people and a mail that waits."""


@pytest.fixture
def house(tmp_path: Path, postgresql_url: str) -> Path:
    with tarfile.open(HOUSE) as archive:
        archive.extraction_filter = getattr(tarfile, "data_filter", None)  # Python 3.11.4 and later
        archive.extractall(tmp_path)  # noqa: S202 - an archive of ours
    found = tmp_path / "house"
    (found / "ledger.url").write_text(postgresql_url)
    wiring.open_store(read_settings(found / "breachwatch.toml")).close()
    return found


def settings(house: Path) -> Settings:
    return read_settings(house / "breachwatch.toml")


def moved_settings(house: Path) -> Settings:
    """As the operator changes them."""
    file = house / "breachwatch.toml"
    if "url_file" not in file.read_text():
        file.write_text(file.read_text() + '\n[ledger]\nurl_file = "ledger.url"\n')
    return read_settings(file)


def held(chosen: Settings) -> Any:
    """What a ledger says of its cases, and of everything that waits."""
    store = wiring.open_store(chosen, must_exist=True)
    try:
        ledger = store.ledger
        [incident] = ledger.incidents()
        person = store.vault.sample(incident, "fr")
        assert list(ledger.verify()) == []
        return (
            ledger.summaries(),
            ledger.facts(incident),
            ledger.alerts(),
            ledger.references(incident),
            store.outbox.counts(),
            store.team.members(),
            person,
        )
    finally:
        store.close()


def test_everything_moves_and_the_case_goes_on(house: Path) -> None:
    wiring.add_member(settings(house), "camille", "Camille", frozenset({"dpo"}), datetime.now(UTC), timedelta(hours=1))
    before = held(settings(house))
    told: dict[str, int] = {}
    moved = wiring.move_ledger(settings(house), house / "ledger.url", told=told.__setitem__)
    assert held(moved_settings(house)) == before
    assert moved.counts["facts"] == len(before[1])
    assert told == {name: count for name, count in moved.counts.items() if name in told}
    assert before[6].name == "Alice Example", "who is affected can still be written to"

    chosen = moved_settings(house)
    keys = open_keys(chosen.state_dir)
    case = open_casework(chosen, LiveContent(chosen, sources_of(chosen)), keys)
    due_at = case.store.ledger.next_wake()
    assert due_at is not None
    assert case.flow.ring(due_at + timedelta(seconds=1)) == 1, "the clock goes on"
    assert case.store.outbox.counts()[("team_mail", "pending")] == 1, "and what is new finds its place after the old"
    assert list(case.store.ledger.verify()) == []
    case.store.close()


def test_whoever_starts_with_the_old_settings_begins_no_second_ledger(house: Path) -> None:
    moved = wiring.move_ledger(settings(house), house / "ledger.url")
    assert moved.kept.name == "ledger.sqlite.moved"
    for must_exist in (False, True):
        with pytest.raises(RefusedError, match="this ledger was moved"):
            wiring.open_store(settings(house), must_exist=must_exist)
    shutil.move(moved.kept, house / "state/ledger.sqlite")
    held(settings(house))  # and one may go back


def test_a_target_in_use_is_refused(house: Path) -> None:
    wiring.add_member(
        moved_settings(house), "camille", "Camille", frozenset({"dpo"}), datetime.now(UTC), timedelta(hours=1)
    )
    (house / "breachwatch.toml").write_text((house / "breachwatch.toml").read_text().replace("[ledger]\nurl_file", "#"))
    with pytest.raises(RefusedError, match="is in use already: it holds 1 members"):
        wiring.move_ledger(settings(house), house / "ledger.url")
    assert held(settings(house))


def test_one_that_was_altered_is_not_moved(house: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{house / 'state/ledger.sqlite'}")
    with engine.begin() as connection:
        connection.execute(sa.text("DROP TRIGGER facts_stay"))
        connection.execute(sa.text("UPDATE facts SET actor = 'nobody' WHERE seq = 3"))
    with pytest.raises(TamperedError, match=r"nothing was moved: in-.* seq 3"):
        wiring.move_ledger(settings(house), house / "ledger.url")


def test_it_waits_for_what_was_taken_in(house: Path) -> None:
    state = house / "state"
    spool = Spool(state / "spool.sqlite", open_keys(state).derive("spool"))
    with pytest.raises(RefusedError, match="stop the service first"):
        wiring.move_ledger(settings(house), house / "ledger.url")
    spool.append(Chunk("linux-sshd", "http:a", 0, datetime.now(UTC), (b"a line",)))
    spool.close()
    with pytest.raises(RefusedError, match="1 chunks of records and 0 alerts still wait"):
        wiring.move_ledger(settings(house), house / "ledger.url")
    with pytest.raises(RefusedError, match="1 chunks of records and 0 alerts still wait"):
        wiring.build_tree(settings(house), house / "breachwatch.toml")
    assert wiring.move_ledger(settings(house), house / "ledger.url", leave_behind=True).counts["heads"] == 1


@pytest.mark.parametrize("place", ["facts", "outbox", "the commit"])
def test_interrupted_at_any_place_it_moves_nothing_or_everything(
    house: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = held(settings(house))

    def interrupted(table: str, _rows: int) -> None:
        if table == place:
            raise KeyboardInterrupt

    def put_away(_file: Path) -> Path:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        if place == "the commit":
            patched.setattr("breachwatch.wiring.moving._put_away", put_away)
        with pytest.raises(KeyboardInterrupt):
            wiring.move_ledger(settings(house), house / "ledger.url", told=interrupted)
    assert held(settings(house)) == before, "the old one is as it was"
    again: list[str] = []
    wiring.move_ledger(settings(house), house / "ledger.url", told=lambda table, _rows: again.append(table))
    assert bool(again) is (place != "the commit"), "what is there already is not copied again"
    assert held(moved_settings(house)) == before


def test_no_table_is_forgotten() -> None:
    from breachwatch.ledger.schema import metadata

    assert {table.name for table in moving.TABLES} == metadata.tables.keys() - {"leases"}


def test_the_command_tells_what_it_did_and_what_comes_next(house: Path) -> None:
    command = [sys.executable, "-m", "breachwatch", "ledger", "move", "--to", "ledger.url"]
    done = subprocess.run(command, cwd=house, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "10 facts of 1 incidents are in PostgreSQL: every chain is whole." in done.stdout
    assert 'url_file = "ledger.url"' in done.stdout
    assert "10 facts" in done.stderr
    again = subprocess.run(command, cwd=house, capture_output=True, text=True, check=False)
    assert (again.returncode, "this ledger was moved" in again.stderr) == (1, True)
