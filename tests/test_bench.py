"""The bench measures nothing unless all sides find the same; here its own events, rules and sides are held to that."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
EVENTS = 3_000


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))


def test_the_same_seed_gives_the_same_events(bench: None) -> None:
    from bench.detection.lanes import LANES, lines

    for lane in LANES.values():
        for stream in lane.streams:
            first = lines(stream, 50)
            assert first == lines(stream, 50)
            assert first != lines(stream, 50, seed=2)
            assert all(type(json.loads(line)) is dict for line in first)


def test_the_bench_finds_what_its_ten_rules_say_and_nothing_else(bench: None, tmp_path: Path) -> None:
    from bench.detection.equal import read_matches
    from bench.detection.jobs import job, write_job
    from bench.detection.lanes import LANES, write_lane
    from bench.detection.rule_sets import made

    written = write_lane(LANES["mix-10"], EVENTS, tmp_path)
    path = write_job(job(made(10, tmp_path), written), tmp_path / "job.json")
    side = [sys.executable, "-m", "bench.detection.side", "breachwatch", path]
    out = tmp_path / "found.tsv"
    done = subprocess.run(side, cwd=ROOT, input=f"go\ndump {out}\n", capture_output=True, text=True, check=True)
    ready, went, _ = map(json.loads, done.stdout.splitlines())

    expected: dict[str, set[tuple[int, int]]] = {}
    for stream, each in enumerate(written):
        for record, line in enumerate(each.path.read_bytes().splitlines()):
            event = json.loads(line)
            for number, holds in TEN.get(each.stream.name, {}).items():
                if holds(event):
                    expected.setdefault(f"00000000-0000-4000-8000-{number:012}", set()).add((stream, record))
    found = read_matches(out, [EVENTS] * len(written))
    assert ready["rules"] == 10
    assert not ready["refused"]
    assert found == expected
    assert went["matches"] == sum(map(len, expected.values())) > 0


Holds = Callable[[dict[str, Any]], bool]


def query(*words: str) -> Holds:
    return lambda event: any(word.lower() in event["cs-uri-query"].lower() for word in words)


TEN: dict[str, dict[int, Holds]] = {
    "web": {
        0: query("UNION%20SELECT", "SLEEP("),
        1: query("../..", "/etc/passwd", "/etc/shadow"),
        2: query("${jndi:ldap:", "${jndi:rmi:"),
        3: lambda event: event["cs-user-agent"].startswith(("sqlmap", "nikto")),
    },
    "auth": {
        4: lambda event: event["program"] == "sshd" and "Failed password for root" in event["message"],
        5: lambda event: event["program"] == "sudo" and "systemctl" not in event["message"],
    },
    "app": {
        6: lambda event: (event["action"], event["outcome"]) == ("report.export", "failure"),
        7: lambda event: event["action"] == "record.read" and event["records"] >= 15,
    },
    "cloudtrail": {
        8: lambda event: (
            event["eventSource"] == "cloudtrail.amazonaws.com" and event["eventName"] in ("StopLogging", "DeleteTrail")
        ),
        9: lambda event: event["eventName"] in ("CreateAccessKey", "UpdateLoginProfile"),
    },
}
"""The first ten rules of `rule_sets.py`, by hand, by the stream they are for."""


def test_a_difference_between_two_sides_is_told_rule_by_rule(bench: None, tmp_path: Path) -> None:
    from bench.detection.equal import Difference, differences, read_matches

    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.write_text("0\t1\ta\n0\t2\ta\n1\t7\tb\n", encoding="utf-8")
    theirs.write_text("0\t1\ta\n0\t3\ta\n1\t7\tb\n0\t90\tc\n", encoding="utf-8")
    assert list(differences(*(read_matches(path, [10, 10]) for path in (ours, theirs)))) == [
        Difference("a", ours_only=1, theirs_only=1, records=[(0, 2), (0, 3)])
    ]


def test_every_attack_of_a_generated_log_is_found_in_the_replay(tmp_path: Path, bench: None) -> None:
    from bench.detection.replay import commands, found, run, write_log

    log = write_log(600_000, tmp_path)
    out = tmp_path / "alerts.jsonl"
    with out.open("wb") as file:
        subprocess.run(commands(log, 2)["breachwatch replay"], stdout=file, stderr=subprocess.PIPE, check=True)
    assert log.attackers
    assert found(out, log) == {"attacks": len(log.attackers), "seen": len(log.attackers), "others": 0}
    assert run(["grep", "-c", "Failed password", str(log.path)], "0", out)["seconds"] > 0
    assert int(out.read_text(encoding="ascii")) == log.failures
