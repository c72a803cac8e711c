"""OTLP as an input of the service: its token, its sources with their zone, and its records in the spool."""

import asyncio
import stat
from pathlib import Path

import httpx
import orjson
import pytest

from breachwatch.engines.embedded.spool import Spool
from breachwatch.kernel.errors import UnavailableError
from breachwatch.kernel.ports import passing
from breachwatch.settings import OtlpInput, Settings, read_settings
from breachwatch.sources.registry import load_sources
from breachwatch.wiring.otlp import build_otlp
from breachwatch.wiring.tokens import kept_token

BASE = """
[organisation]
name = "Example Shop"
dpo_name = "Camille Example"
dpo_email = "dpo@shop.example"
[mail]
sender = "privacy@shop.example"
[[inputs]]
type = "otlp"
port = 0
source = "otlp-logs"
sources = { sshd = "linux-sshd" }
timezone = "Europe/Berlin"
"""
ZONED = [("otlp-logs", "Europe/Berlin"), ("linux-sshd", "Europe/Berlin")]


def settings_in(folder: Path) -> tuple[Settings, OtlpInput]:
    path = folder / "breachwatch.toml"
    path.write_text(BASE, encoding="utf-8")
    settings = read_settings(path)
    settings.state_dir.mkdir()
    (entry,) = settings.inputs
    assert isinstance(entry, OtlpInput)
    return settings, entry


async def test_records_reach_the_spool_under_the_source_of_their_service_and_zone(tmp_path: Path) -> None:
    settings, entry = settings_in(tmp_path)
    spool = Spool(tmp_path / "spool.db", b"a key of at least 16 bytes")
    listener = build_otlp(entry, settings, load_sources(zoned=ZONED), spool, passing)
    stop = asyncio.Event()
    running = asyncio.create_task(listener.run(stop))
    name = {"key": "service.name", "value": {"stringValue": "sshd"}}
    said = {"timeUnixNano": "1774616816000000000", "body": {"stringValue": "Mar 27 13:06:56 h sshd[7]: x"}}
    body = {"resourceLogs": [{"resource": {"attributes": [name]}, "scopeLogs": [{"logRecords": [said]}]}]}
    token = (settings.state_dir / "otlp.token").read_text(encoding="ascii").strip()
    port = str(listener.status()["place"]).rsplit(" ", 1)[1]
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.post(
            f"http://127.0.0.1:{port}/v1/logs", content=orjson.dumps(body),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )  # fmt: skip
    assert answer.status_code == 200
    stop.set()
    await running
    stored = spool.next()
    assert stored is not None
    assert stored[1].source == "linux-sshd@Europe/Berlin"
    assert stored[1].records == (b"Mar 27 13:06:56 h sshd[7]: x",)
    spool.close()


def test_a_port_in_use_is_told_before_anything_runs(tmp_path: Path) -> None:
    settings, entry = settings_in(tmp_path)
    spool = Spool(tmp_path / "spool.db", b"a key of at least 16 bytes")
    sources = load_sources(zoned=ZONED)
    first = build_otlp(entry, settings, sources, spool, passing)
    port = int(str(first.status()["place"]).rsplit(" ", 1)[1])
    with pytest.raises(UnavailableError, match=f"cannot listen on 127.0.0.1 port {port}"):
        build_otlp(entry.model_copy(update={"port": port}), settings, sources, spool, passing)
    spool.close()


def test_a_token_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "token"
    token = kept_token(path)
    assert len(token) >= 32
    assert kept_token(path) == token
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
