"""`breachwatch collect`: whatever way a record came in, it is in Kafka under an origin that no other machine has."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from breachwatch import wiring
from breachwatch.kernel.errors import ContentError
from breachwatch.settings import read_settings

SETTINGS = """instance = "{instance}"
{top}
[organisation]
name = "Example Shop"
dpo_name = "Camille"
dpo_email = "dpo@shop.example"
[mail]
sender = "privacy@shop.example"
[kafka]
brokers = ["{brokers}"]
security = "none-loopback-only"
prefix = "{prefix}"
[ingest]
port = 0
[observe]
port = 0
{inputs}
"""
FILE = '[[inputs]]\ntype = "file"\npath = "{}"\nsource = "linux-sshd"\n'
TOPIC = '[[inputs]]\ntype = "kafka"\ntopic = "{}"\nsource = "app-audit"\n'
LINE = "Mar 27 13:06:56 web sshd[7]: Failed password for root from 198.51.100.7 port 4711 ssh2\n"


@pytest.fixture
async def records(new_topic: Any) -> Any:
    await new_topic("dead-letters").make(1)
    return await new_topic("records").make(3)


def settings_file(folder: Path, topic: Any, *inputs: str, instance: str = "web-1", top: str = "") -> Path:
    folder.mkdir(exist_ok=True)
    prefix = topic.name.removesuffix(".records")
    text = SETTINGS.format(instance=instance, top=top, brokers=topic.bootstrap, prefix=prefix, inputs="\n".join(inputs))
    (folder / "breachwatch.toml").write_text(text, encoding="utf-8")
    return folder / "breachwatch.toml"


@asynccontextmanager
async def collecting(file: Path) -> AsyncIterator[Any]:
    process, stop = wiring.build_collect(read_settings(file)), asyncio.Event()
    running = asyncio.create_task(process.run(stop))
    try:
        yield process
    finally:
        stop.set()
        await asyncio.wait_for(running, 15)


async def until(true: Callable[[], Any]) -> None:
    async with asyncio.timeout(40):
        while not await true():  # noqa: ASYNC110 - what is watched tells nobody
            await asyncio.sleep(0)


async def post(process: Any, state: Path, body: bytes, **headers: str) -> httpx.Response:
    shown = {"Authorization": f"Bearer {(state / 'ingest.token').read_text().strip()}", "Content-Type": "text/plain"}
    async with httpx.AsyncClient(base_url=process.at, headers=shown, trust_env=False) as client:
        return await client.post("/ingest/app-audit", content=body, headers=headers)


async def test_files_http_and_foreign_topics_all_end_in_one_topic(records: Any, new_topic: Any, tmp_path: Path) -> None:
    theirs = await new_topic("theirs").make(2)
    await theirs.send(b'{"n":1}', b'{"n":2}', partition=1)
    (tmp_path / "auth.log").write_text(LINE * 3)
    file = settings_file(tmp_path, records, FILE.format(tmp_path / "auth.log"), TOPIC.format(theirs.name))

    async def there() -> bool:
        return len(await records.lines()) >= 6

    async with collecting(file) as process:
        assert (await post(process, tmp_path / "state", b'{"posted":1}\n')).status_code == 202
        await until(there)
    found = await records.lines()
    origins = {origin.partition("#")[0] for origin, _ in found}
    assert origins == {f"web-1/file:{tmp_path}/auth.log", f"kafka:{theirs.name}/1", "http:app-audit"}
    assert sorted(found.values()) == sorted([LINE.encode().rstrip()] * 3 + [b'{"n":1}', b'{"n":2}', b'{"posted":1}'])
    assert {chunk.source for chunk in await records.chunks()} == {"linux-sshd", "app-audit"}


async def test_two_machines_with_a_file_of_one_name_send_different_events(records: Any, tmp_path: Path) -> None:
    (tmp_path / "auth.log").write_text(LINE)

    async def there(count: int) -> bool:
        return len(await records.lines()) >= count

    for number, instance in enumerate(("web-1", "web-2"), 1):
        folder = tmp_path / instance
        file = settings_file(folder, records, FILE.format(tmp_path / "auth.log"), instance=instance)
        async with collecting(file):
            await until(lambda number=number: there(number))
    assert {origin for origin, _ in await records.lines()} == {
        f"{instance}/file:{tmp_path}/auth.log#1" for instance in ("web-1", "web-2")
    }


async def test_it_has_no_key_but_its_own(records: Any, tmp_path: Path) -> None:
    async with collecting(settings_file(tmp_path, records)):
        pass
    names = {path.name for path in (tmp_path / "state").iterdir()}
    assert {"spool.key", "ingest.token", "collect.sqlite"} <= names
    assert not names & {"master.key", "pseudonym.key", "ledger.sqlite", "spool.sqlite"}
    for secret in ("spool.key", "ingest.token", "collect.sqlite"):
        assert (tmp_path / "state" / secret).stat().st_mode & 0o077 == 0


async def test_what_was_taken_while_kafka_was_away_is_sent_when_it_is_back_after_a_kill(
    own_kafka: Any, new_topic: Any, tmp_path: Path
) -> None:
    topic = new_topic("records")
    topic.bootstrap = own_kafka.bootstrap
    await topic.make(2)
    own_kafka.stop()
    (tmp_path / "auth.log").write_text("".join(f"{n} {LINE}" for n in range(500)))
    file = settings_file(tmp_path, topic, FILE.format(tmp_path / "auth.log"))
    command = [sys.executable, "-m", "breachwatch", "collect", "-c", str(file)]
    process = await asyncio.create_subprocess_exec(*command, stderr=subprocess.DEVNULL)

    async def stored() -> bool:
        try:
            with sqlite3.connect(tmp_path / "state" / "collect.sqlite") as db:
                return bool(db.execute("SELECT sum(records) FROM chunks").fetchone()[0] == 500)
        except sqlite3.OperationalError:
            return False

    await until(stored)
    process.kill()
    assert await process.wait() == -signal.SIGKILL
    await asyncio.to_thread(own_kafka.start)
    topic.bootstrap = own_kafka.bootstrap

    async def there() -> bool:
        return len(await topic.lines()) >= 500

    again = await asyncio.create_subprocess_exec(*command, stderr=subprocess.DEVNULL)
    await until(there)
    again.terminate()
    assert await asyncio.wait_for(again.wait(), 10) == 0, "it ends cleanly when asked"
    assert sorted(n for _, n in await topic.lines()) == list(range(500))


async def test_brokers_that_will_never_let_us_in_end_it_with_a_sentence(records: Any, tmp_path: Path) -> None:
    async def plain(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"this is no TLS\n")
        writer.close()

    async with await asyncio.start_server(plain, "127.0.0.1", 0) as server:
        file = settings_file(tmp_path, records)
        port = server.sockets[0].getsockname()[1]
        text = file.read_text().replace('security = "none-loopback-only"\n', "")
        file.write_text(text.replace(records.bootstrap, f"127.0.0.1:{port}"), encoding="utf-8")
        with pytest.raises(ContentError, match="does not speak TLS"):
            await asyncio.wait_for(wiring.build_collect(read_settings(file)).run(asyncio.Event()), 20)


async def test_a_second_collector_in_the_same_folder_is_refused(records: Any, tmp_path: Path) -> None:
    file = settings_file(tmp_path, records)
    async with collecting(file):
        done = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "breachwatch", "collect", "-c", str(file),
            stderr=subprocess.PIPE, env={**os.environ, "NO_COLOR": "1"},
        )  # fmt: skip
        _, said = await done.communicate()
    assert done.returncode == 1
    assert b"another process works on" in said


async def test_the_service_of_one_machine_reads_a_foreign_topic_too(
    records: Any, new_topic: Any, tmp_path: Path
) -> None:
    theirs = await new_topic("theirs").make(1)
    await theirs.send(*(b'{"time":"2026-03-27T13:00:00Z","action":"read","outcome":"success"}' for _ in range(7)))
    file = settings_file(tmp_path, records, TOPIC.format(theirs.name), top="[desk]\nport = 0\n")
    service, stop = wiring.build_service(read_settings(file)), asyncio.Event()
    running = asyncio.create_task(service.run(stop))

    async def matched() -> bool:
        with sqlite3.connect(tmp_path / "state" / "spool.sqlite") as db:
            counted = dict(db.execute("SELECT what, sum(count) FROM tallies GROUP BY what"))
        return counted.get("events") == counted.get("records") == 7

    await until(matched)
    stop.set()
    await asyncio.wait_for(running, 15)
