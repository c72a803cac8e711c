"""Old logs tried: the same alerts on one core or many, thresholds adjusted, things allowed, and what each does."""

import json
from pathlib import Path
from typing import Any

import pytest

REFERENCE = ("--reference", "2026-03-28T00:00:00Z")


@pytest.fixture
def long_log(tmp_path: Path) -> Path:
    """Four megabytes of attempts from forty addresses: several ranges of one file."""
    lines = []
    for n in range(45_000):
        stamp = f"Mar {1 + n // 20_000:2d} {n // 3600 % 24:02d}:{n // 60 % 60:02d}:{n % 60:02d} web-1"
        told = f"Failed password for user{n % 7} from 198.51.100.{n % 40} port {n % 60_000} ssh2"
        lines.append(f"{stamp} sshd[{n % 9999}]: {told}\n")
    path = tmp_path / "long.log"
    path.write_text("".join(lines), encoding="utf-8")
    return path


def test_the_alerts_are_the_same_bytes_however_many_workers_there_are(
    breachwatch: Any, long_log: Path, auth_log: Path
) -> None:
    words = ("replay", long_log, auth_log, "-s", "linux-sshd", "--json", *REFERENCE)
    alone = breachwatch(*words, "--workers", "1")
    assert alone.lines
    for workers in ("2", "3"):
        shared = breachwatch(*words, "--workers", workers)
        assert (shared.out, shared.err) == (alone.out, alone.err)


def test_an_alert_is_one_object_with_what_is_promised(breachwatch: Any, auth_log: Path) -> None:
    (line,) = breachwatch("replay", auth_log, "-s", "linux-sshd", "--json", *REFERENCE).lines
    assert line["group"] == {"src_endpoint.ip": "198.51.100.7"}
    assert (line["first_event_at"], line["last_event_at"]) == ("2026-03-27T13:00:00Z", "2026-03-27T13:01:29Z")
    assert (line["playbook"], line["count"], line["sources"]) == ("ssh-brute-force", 90, ["linux-sshd"])
    assert isinstance(line["raises_incident"], bool)
    assert line["id"]
    assert line["rule"]


ADJUSTED = """thresholds:
  - playbook: ssh-brute-force
    rule: ssh_brute_force
    gte: 200
    reason: A jump host stands in front.
"""
ALLOWED = """allow:
  - name: our own scanner
    reason: It tries passwords every Friday.
    until: {}
    addresses: [198.51.100.0/24]
"""


def test_a_threshold_is_adjusted_without_touching_a_playbook(breachwatch: Any, auth_log: Path, tmp_path: Path) -> None:
    (tmp_path / "adjustments.yml").write_text(ADJUSTED, encoding="utf-8")
    words = ("replay", auth_log, "-s", "linux-sshd", "--json", *REFERENCE)
    assert len(breachwatch(*words).lines) == 1
    assert breachwatch(*words, "--adjustments", "adjustments.yml").lines == []


@pytest.mark.parametrize("workers", ["1", "2"])
def test_what_is_allowed_is_set_aside_counted_and_told_until_its_day_is_over(
    breachwatch: Any, auth_log: Path, tmp_path: Path, workers: str
) -> None:
    words = ("replay", auth_log, "-s", "linux-sshd", "--json", *REFERENCE, "--workers", workers)
    words = (*words, "--adjustments", "adjustments.yml")
    (tmp_path / "adjustments.yml").write_text(ALLOWED.format("2026-03-27"), encoding="utf-8")
    done = breachwatch(*words)
    assert done.lines == []
    assert "90 matches set aside as allowed (our own scanner 90)" in done.err
    (tmp_path / "adjustments.yml").write_text(ALLOWED.format("2026-03-26"), encoding="utf-8")
    assert len(breachwatch(*words).lines) == 1


def test_slips_in_adjustments_are_named_and_nothing_is_run(breachwatch: Any, auth_log: Path, tmp_path: Path) -> None:
    words = ("replay", auth_log, "-s", "linux-sshd", "--adjustments", "adjustments.yml", *REFERENCE)
    assert breachwatch(*words).code == 2
    (tmp_path / "adjustments.yml").write_text(ADJUSTED.replace("ssh_brute_force", "ssh_brute_forse"), encoding="utf-8")
    done = breachwatch(*words)
    assert (done.code, done.out) == (2, "")
    assert "adjustments.yml:3:11:" in done.err
    assert 'did you mean "ssh_brute_force"?' in done.err


# ------------------------------------------------------------------ tune


def test_tune_shows_each_threshold_with_a_bar_and_the_busiest_groups(breachwatch: Any, auth_log: Path) -> None:
    done = breachwatch("tune", "ssh-brute-force", auth_log, "-s", "linux-sshd", *REFERENCE)
    assert done.code == 0
    rows = [line for line in done.out.splitlines() if "█" in line]
    assert any(line.startswith("now") and "≥ 8" in line for line in rows)
    assert "src_endpoint.ip=198.51.100.7" in done.out
    assert "90 events" in done.out


def test_tune_gives_programs_every_trial_and_a_picture(breachwatch: Any, auth_log: Path, tmp_path: Path) -> None:
    words = ("tune", "ssh-brute-force", auth_log, "-s", "linux-sshd", *REFERENCE, "--json")
    lines = breachwatch(*words, "--try", "50,91", "--svg", "tried.svg").lines
    trials = [each for each in lines if each.get("title") == "SSH brute force" and "threshold" in each]
    assert [(each["threshold"], each["current"], each["alerts"]) for each in trials] == [
        ({"gte": 8}, True, 1),
        ({"gte": 50}, False, 1),
        ({"gte": 91}, False, 0),
    ]
    picture = (tmp_path / "tried.svg").read_text("utf-8")
    assert picture.startswith("<svg")
    assert picture.count("<rect") > len(trials)


def test_tune_is_the_same_for_any_number_of_workers(breachwatch: Any, auth_log: Path) -> None:
    words = ("tune", "ssh-brute-force", auth_log, "-s", "linux-sshd", *REFERENCE, "--json", "--timespans", "1m,2h")
    assert breachwatch(*words, "--workers", "2").out == breachwatch(*words, "--workers", "1").out


def test_people_are_references_in_what_tune_shows(breachwatch: Any, tmp_path: Path) -> None:
    line = {"action": "export", "outcome": "success", "actor": {"id": "camille.secret"}, "records": 900}
    lines = [json.dumps({**line, "time": f"2026-03-27T13:{n:02d}:00Z"}) + "\n" for n in range(30)]
    (tmp_path / "app.log").write_text("".join(lines), encoding="utf-8")
    done = breachwatch("tune", "mass-export", "app.log", "-s", "app-audit", *REFERENCE)
    assert done.code == 0
    assert "camille" not in done.out + done.err


def test_what_cannot_be_tuned_is_said(breachwatch: Any, auth_log: Path) -> None:
    unknown = breachwatch("tune", "ssh-brute-forse", auth_log, "-s", "linux-sshd")
    assert (unknown.code, 'did you mean "ssh-brute-force"?' in unknown.err) == (1, True)
    assert breachwatch("tune", "ssh-brute-force", auth_log, "-s", "linux-sshd", "--try", "many").code == 2
    assert breachwatch("tune", "ssh-brute-force", auth_log, "-s", "linux-sshd", "--timespans", "soon").code == 2
