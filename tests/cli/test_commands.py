"""The commands as people and programs type them: help with examples, exit codes, JSON, and plain errors."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BREACHWATCH = Path(sys.executable).with_name("breachwatch")
PLAYBOOKS = Path(__file__).resolve().parents[2] / "playbooks"

SETTINGS = """
[organisation]
name = "Example Shop"
dpo_name = "Camille Example"
dpo_email = "dpo@shop.example"

[mail]
sender = "privacy@shop.example"
"""


def run(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([BREACHWATCH, *words], cwd=cwd, capture_output=True, text=True, check=False)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "breachwatch.toml").write_text(SETTINGS, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("command", ["init", "up", "demo", "replay", "check", "verify"])
def test_every_command_helps_with_an_example(command: str, tmp_path: Path) -> None:
    done = run(command, "--help", cwd=tmp_path)
    assert done.returncode == 0
    assert f"breachwatch {command}" in " ".join(done.stdout.split())


def test_the_shell_can_complete_commands(tmp_path: Path) -> None:
    assert "--install-completion" in run("--help", cwd=tmp_path).stdout


def test_wrong_usage_and_missing_files_leave_with_2_and_one_line(tmp_path: Path) -> None:
    wrong = run("replay", "nothing.log", "--source", "linux-sshd", cwd=tmp_path)
    assert (wrong.returncode, wrong.stderr) == (2, "nothing.log: no such file\n")
    assert run("replay", "--source", "linux-sshd", cwd=tmp_path).returncode == 2


def test_a_source_nobody_knows_is_refused_with_those_that_are(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("x\n", encoding="utf-8")
    done = run("replay", "a.log", "--source", "linux-ssh", cwd=tmp_path)
    assert done.returncode == 1
    assert "linux-sshd" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_empty_log_says_so_instead_of_saying_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.log").touch()
    done = run("replay", "a.log", "--source", "linux-sshd", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith("No alerts")
    assert "0 records = 0 events + 0 ignored + 0 dead letters" in done.stderr


def test_a_log_that_is_mostly_something_else_is_told_from_a_quiet_one(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("no line of sshd\n" * 3, encoding="utf-8")
    done = run("replay", "a.log", "--source", "linux-sshd", cwd=tmp_path)
    assert done.stdout == "No alerts, but only 0 of 3 lines were events; is the source right?\n"


def test_into_a_pipe_each_alert_is_one_line(tmp_path: Path) -> None:
    line = "Mar 27 13:{:02d}:{:02d} web-1 sshd[7]: Failed password for root from 198.51.100.7 port 4711 ssh2\n"
    lines = "".join(line.format(n // 60, n % 60) for n in range(90))
    (tmp_path / "a.log").write_text(lines, encoding="utf-8")
    done = run("replay", "a.log", "--source", "linux-sshd", "--reference", "2026-03-28T00:00:00Z", cwd=tmp_path)
    heading, *rows = done.stdout.splitlines()
    assert heading.split()[:3] == ["first", "event", "(UTC)"]
    assert len(rows) == 1
    assert "2026-03-27 13:00:" in rows[0]
    assert "198.51.100.7" in rows[0]


def test_good_playbooks_are_summed_up_and_bad_ones_named_by_file_and_line(tmp_path: Path) -> None:
    shutil.copytree(PLAYBOOKS, tmp_path / "playbooks")
    good = run("check", "playbooks", cwd=tmp_path)
    assert (good.returncode, good.stderr) == (0, "")
    path = tmp_path / "playbooks" / "mass-export" / "playbook.yml"
    path.write_text(path.read_text("utf-8").replace("awareness:", "awarenes:", 1), encoding="utf-8")
    bad = run("check", "playbooks", "--json", cwd=tmp_path)
    assert bad.returncode == 1
    problem = json.loads(bad.stdout.splitlines()[0])
    line = path.read_text("utf-8").splitlines()[problem["line"] - 1]
    assert problem["path"] == "playbooks/mass-export/playbook.yml"
    assert "awarenes" in line
    assert "awareness" in problem["hint"]


def test_members_are_added_listed_and_given_a_way_in_without_a_password(home: Path) -> None:
    added = run("member", "add", "camille", "--role", "dpo", cwd=home)
    assert added.returncode == 0
    assert "with the code " in added.stdout
    assert json.loads(run("member", "list", "--json", cwd=home).stdout) == {
        "name": "camille",
        "roles": ["dpo"],
        "active": True,
    }
    assert run("member", "add", "alex", "--role", "boss", cwd=home).returncode == 2
    assert run("member", "sign-in", "nobody", cwd=home).returncode == 1


def test_verify_tells_whole_from_broken_and_from_nothing_there(home: Path) -> None:
    run("member", "add", "camille", "--role", "dpo", cwd=home)
    whole = run("verify", "--json", cwd=home)
    assert (whole.returncode, json.loads(whole.stdout)) == (0, {"incidents": 0, "facts": 0, "broken": []})


@pytest.mark.parametrize("words", [("verify",), ("member", "list"), ("member", "sign-in", "camille")])
def test_what_only_looks_makes_no_state_and_draws_no_key(words: tuple[str, ...], home: Path) -> None:
    nothing = run(*words, cwd=home)
    assert nothing.returncode == 1
    assert nothing.stderr.startswith(f"there is no state in {home / 'state'} yet")
    assert not (home / "state").exists()
    run("member", "add", "camille", "--role", "dpo", cwd=home)
    (home / "state" / "master.key").unlink()
    lost = run(*words, cwd=home)
    assert (lost.returncode, lost.stdout) == (1, "")
    assert lost.stderr.startswith(f"{home / 'state' / 'master.key'} is missing: put it back from your copy")
    assert not (home / "state" / "master.key").exists()


def test_an_example_of_the_settings_is_written_once_and_starts_a_service(tmp_path: Path) -> None:
    without = run("up", cwd=tmp_path)
    assert (without.returncode, "`breachwatch init` writes an example" in without.stderr) == (2, True)
    assert run("init", cwd=tmp_path).returncode == 0
    assert run("member", "add", "camille", "--role", "dpo", cwd=tmp_path).returncode == 0
    (tmp_path / "breachwatch.toml").write_text(SETTINGS, encoding="utf-8")
    again = run("init", cwd=tmp_path)
    assert (again.returncode, again.stderr) == (1, "breachwatch.toml is there already and was left as it is\n")
    assert (tmp_path / "breachwatch.toml").read_text("utf-8") == SETTINGS
    assert run("init", "-c", "no/such/folder.toml", cwd=tmp_path).returncode == 1


def test_up_says_where_the_desk_is_and_how_much_log_it_reads_first(home: Path) -> None:
    (home / "auth.log").write_text("x\n" * 500, encoding="utf-8")
    inputs = '[desk]\nport = 0\n[[inputs]]\ntype = "file"\npath = "auth.log"\nsource = "linux-sshd"\n'
    (home / "breachwatch.toml").write_text(SETTINGS + inputs, encoding="utf-8")
    with subprocess.Popen([BREACHWATCH, "up"], cwd=home, stderr=subprocess.PIPE, text=True) as service:
        assert service.stderr is not None
        told = [service.stderr.readline() for _ in range(3)]
        service.terminate()
    assert told[0].startswith("The desk is at http://127.0.0.1:"), "and no line of the database's migrations"
    assert told[1].startswith("First 1 file of log (1.0 kB) will be read from the beginning;")
    assert "Nobody may sign in yet" in told[2]


def test_settings_with_mistakes_leave_with_2_and_every_address(home: Path) -> None:
    (home / "breachwatch.toml").write_text(SETTINGS + "[desk]\nprot = 1\n", encoding="utf-8")
    done = run("up", cwd=home)
    assert done.returncode == 2
    assert done.stderr == 'breachwatch.toml:10:1: unknown key "prot"; did you mean "port"?\n'
    assert "Traceback" not in done.stderr
