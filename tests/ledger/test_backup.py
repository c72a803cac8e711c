"""A copy of the ledger, made and put back by the commands that the guide tells, is the ledger."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from breachwatch.kernel.errors import TamperedError
from breachwatch.kernel.facts import SYSTEM
from breachwatch.kernel.ids import IncidentId, SubjectRef
from breachwatch.kernel.ports import Contact
from breachwatch.ledger.keys import Keys
from breachwatch.ledger.store import Store, open_ledger

GUIDE = Path(__file__).parents[2] / "docs/how-to/back-up-verify-and-restore.md"
ALICE = Contact("Alice Example", "alice@shop.example", "fr")


def told(start: str) -> list[str]:
    """The words of the guide's command that begins so."""
    [line] = {line for line in GUIDE.read_text().splitlines() if line.startswith(start)}
    return line.split()


def run(command: list[str], **places: str) -> None:
    """Run a command of the guide with places of our own."""
    words = [places.get(word.strip('"'), word.strip('"')) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def fill(write: Callable[..., Any]) -> Callable[[Store], None]:
    def filler(store: Store) -> None:
        write(store, "in-1", "one", "two")
        with store.ledger.begin() as tx:
            tx.link_subjects(IncidentId("in-1"), [SubjectRef("s-1")])
        store.vault.keep(IncidentId("in-1"), {SubjectRef("s-1"): ALICE})

    return filler


def whole(store: Store) -> bool:
    """Whether everything of the copy is there and proven, and work goes on in it."""
    assert list(store.ledger.verify()) == []
    assert store.sizes() == (1, 2)
    assert store.vault.sample(IncidentId("in-1"), "fr") == ALICE
    before = sum(store.outbox.counts().values())
    with store.ledger.begin() as tx:
        tx.append(IncidentId("in-1"), SYSTEM, tx.facts(IncidentId("in-1"))[-1].at, [])
        tx.link_subjects(IncidentId("in-1"), [SubjectRef("s-2")])
    return before == 2


def test_a_copy_of_a_file_taken_in_the_middle_of_work(
    tmp_path: Path,
    sqlite_url: str,
    keys: Keys,
    fact_codec: Any,
    fill: Callable[[Store], None],
    write: Callable[..., Any],
) -> None:
    running = open_ledger(sqlite_url, keys, fact_codec)
    fill(running)
    copy = tmp_path / "copy.db"
    path = sqlite_url.removeprefix("sqlite:///")
    words = told("sqlite3 -readonly /var/lib/breachwatch/ledger.sqlite")
    command = [*words[:3], f".backup {words[4].strip(chr(34))}".replace("/backup/ledger.sqlite", str(copy))]
    run(command, **{"/var/lib/breachwatch/ledger.sqlite": path})
    write(running, "in-1", "said after the copy")
    running.close()
    restored = open_ledger(f"sqlite:///{copy}", keys, fact_codec, must_exist=True)
    assert whole(restored)
    restored.close()


def test_a_dump_of_a_server_taken_in_the_middle_of_work(
    tmp_path: Path,
    postgresql_databases: Any,
    postgresql_url: str,
    keys: Keys,
    fact_codec: Any,
    fill: Callable[[Store], None],
    write: Callable[..., Any],
) -> None:
    def plain(url: str) -> str:
        return sa.make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)

    running = open_ledger(postgresql_url, keys, fact_codec)
    fill(running)
    dump, server = str(tmp_path / "ledger.dump"), "postgresql://breachwatch@db.shop.example/breachwatch"
    run(told("pg_dump"), **{"--file=/backup/ledger.dump": f"--file={dump}", server: plain(postgresql_url)})
    write(running, "in-1", "said after the copy")
    running.close()
    empty = postgresql_databases.make()
    try:
        run(told("pg_restore"), **{"/backup/ledger.dump": dump, f"--dbname={server}": f"--dbname={plain(empty)}"})
        restored = open_ledger(empty, keys, fact_codec, must_exist=True)
        assert whole(restored)
        restored.close()
        with pytest.raises(TamperedError, match="sealed with another master key"):
            open_ledger(empty, Keys(master=b"o" * 32, pseudonym=b"p" * 32), fact_codec)
    finally:
        postgresql_databases.drop(empty)
