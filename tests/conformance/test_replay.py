"""Old logs through the command a person types: what alerts on them, what must not, and that nothing vanishes."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
BREACHWATCH = Path(sys.executable).with_name("breachwatch")
ACCOUNT = re.compile(r"([\d,]+) records = ([\d,]+) events \+ ([\d,]+) ignored \+ ([\d,]+) dead letters")


def replay(path: Path, source: str) -> tuple[list[dict[str, object]], dict[str, int]]:
    assert path.is_file(), f"the real logs are not beside the checkout: {path}"
    done = subprocess.run(
        [BREACHWATCH, "replay", path, "--source", source, "--json"], capture_output=True, text=True, check=True
    )
    account = ACCOUNT.search(done.stderr)
    assert account, done.stderr
    numbers = (int(text.replace(",", "")) for text in account.groups())
    names = ("records", "events", "ignored", "dead")
    return [json.loads(line) for line in done.stdout.splitlines()], dict(zip(names, numbers, strict=True))


@pytest.fixture(scope="module")
def auth() -> tuple[list[dict[str, object]], dict[str, int]]:
    return replay(SHARED / "auth-sshd-elastic" / "auth.log", "linux-sshd")


def lines_of(path: Path) -> int:
    return path.read_bytes().count(b"\n")


def test_clients_that_guessed_many_passwords_are_alerted(auth: tuple[list[dict[str, object]], dict[str, int]]) -> None:
    log = (SHARED / "auth-sshd-elastic" / "auth.log").read_text("utf-8", "replace")
    failures: dict[str, int] = {}
    for address in re.findall(r"Failed password for .* from (\S+) port", log):
        failures[address] = failures.get(address, 0) + 1
    worst = {address for address, count in failures.items() if count >= 100}
    assert worst
    named = {
        group["src_endpoint.ip"] for alert, group in ((a, a["group"]) for a in auth[0]) if "src_endpoint.ip" in group
    }  # type: ignore[operator,index]
    assert worst <= named


def test_people_who_signed_in_normally_are_in_no_alert(auth: tuple[list[dict[str, object]], dict[str, int]]) -> None:
    log = (SHARED / "auth-sshd-elastic" / "auth.log").read_text("utf-8", "replace")
    good = set(re.findall(r"Accepted \S+ for .* from (\S+) port", log))
    guilty = set(re.findall(r"Failed password for .* from (\S+) port", log))
    said = json.dumps(auth[0])
    assert good - guilty
    assert not [address for address in good - guilty if f'"{address}"' in said]


def test_every_line_is_parsed_or_counted_with_its_reason(
    auth: tuple[list[dict[str, object]], dict[str, int]],
) -> None:
    account = auth[1]
    assert account["records"] == account["events"] + account["ignored"] + account["dead"]
    assert account["records"] == lines_of(SHARED / "auth-sshd-elastic" / "auth.log")


def test_an_ordinary_site_raises_no_incident() -> None:
    alerts, account = replay(SHARED / "access-apache" / "access.log", "web-access")
    assert not [alert for alert in alerts if alert["raises_incident"]]
    assert account["records"] == account["events"] + account["ignored"] + account["dead"]
    assert account["records"] == lines_of(SHARED / "access-apache" / "access.log")


def test_an_alert_line_says_what_other_programs_need(auth: tuple[list[dict[str, object]], dict[str, int]]) -> None:
    needed = {"id", "rule", "playbook", "group", "first_event_at", "last_event_at", "count", "raises_incident"}
    for alert in auth[0]:
        assert needed <= alert.keys()
        assert str(alert["first_event_at"]).endswith("Z")
        assert alert["first_event_at"] <= alert["last_event_at"]  # type: ignore[operator]
