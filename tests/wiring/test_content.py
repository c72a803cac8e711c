"""The composition root for single commands: content is the operator's or the shipped one, and nothing is left."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from breachwatch import wiring
from breachwatch.kernel.errors import NotFoundError

REFERENCE = datetime(2026, 3, 28, tzinfo=UTC)
LINE = "Mar 27 13:{:02d}:{:02d} web-1 sshd[7]: Failed password for root from 198.51.100.7 port 4711 ssh2\n"


def replay_of(source: str) -> Any:
    return wiring.build_replay(wiring.Logs(source, reference=REFERENCE))


def test_a_replay_runs_the_shipped_playbooks_and_writes_no_file(tmp_path: Path) -> None:
    log = tmp_path / "auth.log"
    log.write_text("".join(LINE.format(n // 60, n % 60) for n in range(90)), encoding="utf-8")
    told: list[int] = []
    run = replay_of("linux-sshd")
    alerts, tally = run([log], told.append)
    assert [alert.group["src_endpoint.ip"] for alert in alerts] == ["198.51.100.7"]
    assert (tally.records, sum(told)) == (90, log.stat().st_size)
    assert list(tmp_path.iterdir()) == [log]


def test_an_unknown_source_is_named_beside_those_that_are_known() -> None:
    with pytest.raises(NotFoundError, match="linux-sshd"):
        replay_of("linux-ssh")
