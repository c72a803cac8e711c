"""The address at which a process tells how it is doing, and the command that asks there."""

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import trustme

from breachwatch.cli import main
from breachwatch.console.serving import listen
from breachwatch.kernel.errors import UnavailableError
from breachwatch.settings import Role, Settings, read_settings
from breachwatch.wiring.asking import address_of, ask_health
from breachwatch.wiring.observing import Seeing, observe

BASE = """
[organisation]
name = "Example Shop"
dpo_name = "Camille Example"
dpo_email = "dpo@shop.example"
[mail]
sender = "privacy@shop.example"
[observe]
"""
Make = Callable[..., Settings]


@pytest.fixture
def settings(tmp_path: Path) -> Make:
    def make(text: str = "port = 0") -> Settings:
        path = tmp_path / "breachwatch.toml"
        path.write_text(BASE + text, encoding="utf-8")
        found = read_settings(path)
        found.state_dir.mkdir(exist_ok=True)
        return found

    return make


@asynccontextmanager
async def running(seeing: Seeing) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.create_task(seeing.run(stop))
    async with httpx.AsyncClient(trust_env=False, verify=False) as client:  # noqa: S501 - only to see that it answers
        await client.get(f"{seeing.url}/healthz")
    yield
    stop.set()
    await task
    seeing.close()


async def command(*words: str) -> int:
    """Type a command; its exit code."""

    def run() -> int:
        before, sys.argv = sys.argv, ["breachwatch", *words]
        try:
            main()
        except SystemExit as left:
            return left.code if isinstance(left.code, int) else int(left.code is not None)
        finally:
            sys.argv = before
        return 0

    return await asyncio.to_thread(run)


async def test_who_is_ready_is_found_by_the_command(
    settings: Make, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    seeing = observe(settings(), "worker")
    why = ["not joined yet"]
    seeing.needs("kafka", lambda: why[0])
    ask = ("health", "-c", str(tmp_path / "breachwatch.toml"), "--role", "worker")
    async with running(seeing):
        assert await command(*ask) == 1
        assert "not ready: kafka: not joined yet" in capfd.readouterr().out
        why[0] = ""
        assert await command(*ask, "--json") == 0
        assert json.loads(capfd.readouterr().out) == {"ready": True, "role": "worker", "parts": {"kafka": "ready"}}
    assert await command(*ask, "--json") == 1
    assert json.loads(capfd.readouterr().out)["ready"] is False


async def test_processes_of_one_role_are_told_apart_by_their_number(settings: Make, tmp_path: Path) -> None:
    first, second = observe(settings(), "worker"), observe(settings("port = 0\nnumber = 1"), "worker")
    second.needs("kafka", lambda: "not joined yet")
    ask = ("health", "-c", str(tmp_path / "breachwatch.toml"), "--role", "worker", "--number")
    async with running(first), running(second):
        assert [await command(*ask, number) for number in ("0", "1")] == [0, 1]


async def test_who_answers_in_another_role_is_not_who_was_asked(settings: Make) -> None:
    seeing = observe(settings(), "clock")
    async with running(seeing):
        port = seeing.url.rsplit(":", 1)[1]
        (settings().state_dir / "observe" / "worker.url").write_text(f"http://127.0.0.1:{port}\n")
        with pytest.raises(UnavailableError, match="is a clock, not a worker"):
            await asyncio.to_thread(ask_health, settings(), "worker")


async def test_over_tls_and_with_a_token_the_command_shows_what_is_needed(settings: Make, tmp_path: Path) -> None:
    own = trustme.CA().issue_cert("observe.example")
    own.cert_chain_pems[0].write_to_path(tmp_path / "own.pem")
    own.private_key_pem.write_to_path(tmp_path / "own.key")
    (tmp_path / "token").write_text("a token of our own\n")
    guarded = 'port = 0\ncertificate_file = "own.pem"\nkey_file = "own.key"\nmetrics_token_file = "token"'
    seeing = observe(settings(guarded), "courier")
    seeing.needs("ledger", lambda: "")
    async with running(seeing):
        assert seeing.url.startswith("https://")
        found = await asyncio.to_thread(ask_health, settings(guarded), "courier")
        assert found.parts == {"ledger": "ready"}
        async with httpx.AsyncClient(trust_env=False, verify=False) as client:  # noqa: S501 - a stranger
            assert (await client.get(f"{seeing.url}/metrics")).status_code == 401


async def test_who_listens_beyond_this_machine_is_asked_on_it(settings: Make, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("a token of our own\n")
    beyond = 'host = "0.0.0.0"\nport = 0\nmetrics_token_file = "token"'
    seeing = observe(settings(beyond), "collect")
    seeing.needs("spool", lambda: "")
    async with running(seeing):
        assert seeing.url.startswith("http://127.0.0.1:")
        assert (await asyncio.to_thread(ask_health, settings(beyond), "collect")).parts == {"spool": "ready"}


async def test_a_state_folder_that_is_read_only_keeps_nobody_from_answering(settings: Make, tmp_path: Path) -> None:
    found = settings()
    (found.state_dir / "observe").write_text("a file where the folder should be")
    seeing = observe(found, "worker")
    async with running(seeing), httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(f"{seeing.url}/readyz")).status_code == 200


def test_a_port_that_was_chosen_and_is_taken_is_an_error(settings: Make) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UnavailableError, match=f"cannot listen on 127.0.0.1 port {port}"):
            observe(settings(f"port = {port}"), "up")


async def test_where_the_usual_port_is_taken_a_free_one_is_found_and_noted(
    settings: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def all_taken(host: str, port: int) -> socket.socket:
        if port:
            raise UnavailableError(f"cannot listen on {host} port {port}: Address already in use")
        return listen(host, 0)

    monkeypatch.setattr("breachwatch.wiring.observing.listen", all_taken)
    seeing = observe(settings(""), "up")
    async with running(seeing):
        assert not seeing.url.endswith(":9464")
        assert address_of(settings(""), "up") == seeing.url


@pytest.mark.parametrize("role", ["up", "worker"])
def test_who_left_no_note_is_asked_where_it_should_be(settings: Make, role: Role) -> None:
    port = {"up": 9464, "worker": 9466}[role]
    assert address_of(settings(""), role) == f"http://127.0.0.1:{port}"


def test_without_a_collector_nothing_of_tracing_is_even_loaded(settings: Make, tmp_path: Path) -> None:
    settings()
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from breachwatch.settings import read_settings\n"
        "from breachwatch.wiring.observing import observe\n"
        "observe(read_settings(Path(sys.argv[1])), 'up')\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])\n"
    )
    file = tmp_path / "breachwatch.toml"
    done = subprocess.run([sys.executable, "-c", program, file], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
