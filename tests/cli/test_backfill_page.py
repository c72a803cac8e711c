"""The page on old logs, done as it tells: every command, on a real broker, in the order in which it stands there."""

import gzip
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/how-to/backfill.md").read_text(encoding="utf-8")
SETTINGS = """[organisation]
name = "Example Shop"
dpo_name = "Camille"
dpo_email = "dpo@shop.example"
[mail]
sender = "privacy@shop.example"
[kafka]
brokers = ["{brokers}"]
security = "none-loopback-only"
"""


def _blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def reader(breachwatch: Any, own_kafka: Any, tmp_path: Path) -> Any:
    """Somebody with a cluster of the usual name and two old files."""
    (tmp_path / "breachwatch.toml").write_text(SETTINGS.format(brokers=own_kafka.bootstrap), encoding="utf-8")
    shutil.copytree(ROOT / "playbooks", tmp_path / "my-playbooks")
    for day, name in ((26, "auth.log.1.gz"), (27, "auth.log")):
        attempt = "web-1 sshd[7]: Failed password for root from 198.51.100.7 port 4711 ssh2"
        lines = "".join(f"Mar {day} {n // 60:02d}:{n % 60:02d}:00 {attempt}\n" for n in range(1_440)) + 60 * "\n"
        data = lines.encode()
        (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    assert breachwatch("topics", "apply").code == 0
    return breachwatch


def test_every_command_of_the_page_does_what_it_says(reader: Any) -> None:
    said = []
    for line in "".join(_blocks("sh")).splitlines():
        done = reader(*shlex.split(line)[1:])
        assert done.code == 0, f"{line}\n{done.err}"
        said.append(done.out)
    for shown in _blocks("text"):
        assert shown in said, "the page shows what is printed"
    assert "Look at old logs" in (ROOT / "docs/README.md").read_text(encoding="utf-8")
