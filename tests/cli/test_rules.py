"""`breachwatch rules`: what a folder of Sigma matches, whether it is well written, what it covers, what to filter."""

import gzip
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import pytest
import yaml

RULE = """title: Root login failed
id: 5013198c-e8ee-4b1d-9f7f-1f7dc2f2ae1c
status: test
tags: [attack.t1110.001]
level: low
logsource: {product: linux, service: sshd}
detection: {selection: {user.name: root, action: failed}, condition: selection}
"""
BROKEN = RULE.replace("5013198c", "6013198c").replace("condition: selection", "condition: selektion")
REFERENCE = ("--reference", "2026-03-28T00:00:00Z")


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "root.yml").write_text(RULE, encoding="utf-8")
    return folder


# ------------------------------------------------------------------ match


def test_each_match_is_a_line_with_record_rule_and_time(breachwatch: Any, rules: Path, auth_log: Path) -> None:
    done = breachwatch("rules", "match", "--rules", rules, "--source", "linux-sshd", auth_log, "--json", *REFERENCE)
    assert done.code == 0
    assert [each["record"] for each in done.lines] == list(range(0, 180, 2)), "positions count lines that are no events"
    assert {each["rule"] for each in done.lines} == {"5013198c-e8ee-4b1d-9f7f-1f7dc2f2ae1c"}
    assert done.lines[61]["time"] == "2026-03-27T13:01:01Z"
    assert "90 matches of 1 rule; 1 rule for linux-sshd" in done.err


def test_rules_that_cannot_be_used_are_named_with_place_and_reason_and_the_rest_match(
    breachwatch: Any, rules: Path, auth_log: Path
) -> None:
    (rules / "broken.yml").write_text(BROKEN, encoding="utf-8")
    done = breachwatch("rules", "match", "-r", rules, "-s", "linux-sshd", auth_log, "--json", *REFERENCE)
    assert (done.code, len(done.lines)) == (0, 90)
    assert re.search(r"rules/broken\.yml:7:\d+: .*selektion.*; did you mean \"selection\"\?", done.err)


def test_a_person_reads_a_line_a_match_and_what_to_do_when_there_is_none(
    breachwatch: Any, rules: Path, auth_log: Path
) -> None:
    done = breachwatch("rules", "match", "-r", rules, "-s", "linux-sshd", auth_log, *REFERENCE)
    assert done.out.splitlines()[0].split() == ["0", "2026-03-27T13:00:00Z", "low", "Root", "login", "failed"]
    other = breachwatch("rules", "match", "-r", rules, "-s", "nginx", auth_log, *REFERENCE)
    assert "None of these rules is for nginx" in other.out


def test_a_second_time_nothing_is_loaded_anew_and_the_matches_are_the_same(
    breachwatch: Any, rules: Path, auth_log: Path, tmp_path: Path
) -> None:
    words = ("rules", "match", "-r", rules, "-s", "linux-sshd", auth_log, "--json", *REFERENCE)
    first = breachwatch(*words)
    kept = sorted(path.name.partition("-")[0] for path in (tmp_path / ".cache" / "breachwatch").iterdir())
    assert kept == ["finder", "rules"]
    assert breachwatch(*words).out == first.out
    (rules / "root.yml").write_text(RULE.replace("root,", "nobody,"), encoding="utf-8")
    assert breachwatch(*words).lines == [], "a changed rule is loaded anew"
    assert breachwatch(*words, "--no-cache").lines == []


def test_several_files_are_told_apart_and_packed_ones_are_read(breachwatch: Any, rules: Path, auth_log: Path) -> None:
    packed = auth_log.with_name("auth.log.1.gz")
    packed.write_bytes(gzip.compress(auth_log.read_bytes()))
    words = ("rules", "match", "-r", rules, "-s", "linux-sshd", "--json", *REFERENCE)
    done = breachwatch(*words, packed, auth_log)
    assert [Path(each["file"]).name for each in done.lines] == ["auth.log.1.gz"] * 90 + ["auth.log"] * 90
    assert done.lines[90]["record"] == 0


def test_the_matches_are_the_same_bytes_however_many_workers_share_large_files(
    breachwatch: Any, rules: Path, auth_log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("breachwatch.wiring.matching.SMALL_BYTES", 0)
    auth_log.write_text(auth_log.read_text("utf-8") * 150, encoding="utf-8")
    words = ("rules", "match", "-r", rules, "-s", "linux-sshd", "--json", *REFERENCE, auth_log)
    alone = breachwatch(*words, "--workers", "1")
    assert len(alone.lines) == 90 * 150
    assert alone.lines[-1]["record"] == 180 * 150 - 2
    shared = breachwatch(*words, "--workers", "2")
    assert (shared.out, shared.err) == (alone.out, alone.err)


def test_placeholders_say_what_a_name_stands_for(breachwatch: Any, rules: Path, auth_log: Path, tmp_path: Path) -> None:
    text = RULE.replace("user.name: root", '"user.name|expand": "%admins%"')
    (rules / "root.yml").write_text(text, encoding="utf-8")
    words = ("rules", "match", "-r", rules, "-s", "linux-sshd", auth_log, "--json", *REFERENCE)
    without = breachwatch(*words)
    assert (without.lines, "admins" in without.err) == ([], True)
    (tmp_path / "placeholders.yml").write_text("admins: [root, toor]\n", encoding="utf-8")
    assert len(breachwatch(*words, "--placeholders", "placeholders.yml").lines) == 90
    (tmp_path / "placeholders.yml").write_text("- root\n", encoding="utf-8")
    wrong = breachwatch(*words, "--placeholders", "placeholders.yml")
    assert (wrong.code, "placeholders.yml:1:1" in wrong.err) == (2, True)


def test_a_pipeline_renames_fields_before_rules_are_read(
    breachwatch: Any, rules: Path, auth_log: Path, tmp_path: Path
) -> None:
    (rules / "root.yml").write_text(RULE.replace("user.name: root", "TargetUser: root"), encoding="utf-8")
    mapping = {"id": "names", "type": "field_name_mapping", "mapping": {"TargetUser": "user.name"}}
    pipeline = {"name": "our names", "priority": 10, "transformations": [mapping]}
    (tmp_path / "names.yml").write_text(yaml.safe_dump(pipeline), encoding="utf-8")
    words = ("rules", "match", "-r", rules, "-s", "linux-sshd", auth_log, "--json", *REFERENCE)
    assert breachwatch(*words).lines == []
    assert len(breachwatch(*words, "--pipeline", "names.yml").lines) == 90


@pytest.mark.parametrize("source", ["windows-json", "generic-json"])
def test_every_rule_matches_its_own_regression_events_as_often_as_its_authors_say(
    breachwatch: Any, shared: Path, source: str
) -> None:
    folder = shared / "sigma-rules"
    events = sorted(folder.glob("regression_data/**/*.json"))
    done = breachwatch("rules", "match", "-r", folder / "regression_rules", "-s", source, "--json", *events)
    assert done.code == 0
    found = [(Path(each["file"]).parent, each["rule"]) for each in done.lines]
    wrong = []
    for info in sorted(folder.glob("regression_data/**/info.yml")):
        told = yaml.safe_load(info.read_text("utf-8"))
        rule = told["rule_metadata"][0]["id"]
        wanted = sum(test.get("match_count", 0) for test in told["regression_tests_info"])
        count = found.count((info.parent, rule))
        if count != wanted if wanted else not count:
            wrong.append((info.parent.name, count, wanted))
    assert len(events) >= 101
    assert wrong == []


# ------------------------------------------------------------------ check, lint, coverage


def test_check_sums_up_what_can_be_used_and_names_what_cannot(breachwatch: Any, rules: Path) -> None:
    good = breachwatch("rules", "check", rules)
    assert (good.code, good.out) == (0, "")
    assert "1 rule and 0 correlations can be used, 0 refused; 0 wait for a source" in good.err
    assert "linux-sshd 1" in good.err
    (rules / "broken.yml").write_text(BROKEN, encoding="utf-8")
    for words in (("rules", "check", rules, "--json"), ("check", rules, "--json")):
        bad = breachwatch(*words)
        assert bad.code == 1
        assert [(each["kind"], Path(each["path"]).name, each["line"]) for each in bad.lines] == [
            ("refused", "broken.yml", 7)
        ]


def test_a_folder_without_rules_says_so(breachwatch: Any, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for command in ("check", "lint"):
        done = breachwatch("rules", command, "empty")
        assert done.code == 0
        assert "There is no Sigma" in done.err
    assert breachwatch("rules", "lint", "nowhere").code == 2


def test_lint_fails_on_errors_and_leaves_junit_for_ci(breachwatch: Any, rules: Path, tmp_path: Path) -> None:
    assert breachwatch("rules", "lint", rules).code == 0
    (rules / "broken.yml").write_text(BROKEN.replace("level: low", "level: lowly"), encoding="utf-8")
    done = breachwatch("rules", "lint", rules, "--json", "--junit", "lint.xml")
    assert done.code == 1
    assert {each["check"] for each in done.lines} == {"level", "condition", "unused"}
    suite = Xml.fromstring((tmp_path / "lint.xml").read_bytes()).find("testsuite")  # noqa: S314 - our own
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    assert [case.find("failure") is not None for case in suite.iter("testcase")] == [True, False]
    assert breachwatch("rules", "lint", rules, "--junit", "no/such/lint.xml").code == 2


def test_warnings_fail_only_when_asked_to(breachwatch: Any, rules: Path) -> None:
    (rules / "root.yml").write_text(RULE.replace("service: sshd", "service: toaster"), encoding="utf-8")
    told = breachwatch("rules", "lint", rules)
    assert (told.code, told.out.startswith("warning ")) == (0, True)
    assert breachwatch("rules", "lint", rules, "--strict").code == 1


def test_coverage_is_a_table_and_a_layer(breachwatch: Any, rules: Path, tmp_path: Path) -> None:
    done = breachwatch("rules", "coverage", rules, "--navigator", "layer.json")
    assert done.code == 0
    assert done.out.split()[-6:] == ["T1110.001", "1", "low", "Root", "login", "failed"]
    layer = json.loads((tmp_path / "layer.json").read_text("utf-8"))
    assert (layer["name"], layer["techniques"][0]["techniqueID"]) == ("rules", "T1110.001")
    assert breachwatch("rules", "coverage", rules, "--json").lines == [
        {"technique": "T1110.001", "level": "low", "rules": ["Root login failed"]}
    ]


# ------------------------------------------------------------------ propose


@pytest.fixture
def marked(tmp_path: Path) -> None:
    line = "Mar 27 13:00:{:02d} web-1 sshd[7]: Failed password for root from {} port 4711 ssh2\n"
    (tmp_path / "false.log").write_text("".join(line.format(n, "192.0.2.10") for n in range(5)), encoding="utf-8")
    (tmp_path / "true.log").write_text("".join(line.format(n, "198.51.100.7") for n in range(3)), encoding="utf-8")


WORDS = ("rules", "propose", "--rule", "Root login failed", "-s", "linux-sshd", "--false", "false.log", *REFERENCE)


@pytest.mark.usefixtures("marked")
def test_a_filter_is_proposed_proven_and_works_beside_the_rule(breachwatch: Any, rules: Path, tmp_path: Path) -> None:
    done = breachwatch(*WORDS, "-r", rules, "--true", "true.log", "-o", rules / "known-good.yml")
    assert done.code == 0
    assert yaml.safe_load(done.out)["filter"]["selection"] == {"src_ip": "192.0.2.10"}
    assert "True positives that still fire: 3 of 3. False positives set aside: 5 of 5." in done.err
    match = ("rules", "match", "-r", rules, "-s", "linux-sshd", "--json", *REFERENCE)
    assert len(breachwatch(*match, "true.log").lines) == 3
    assert breachwatch(*match, "false.log").lines == []
    assert breachwatch("rules", "lint", rules).code == 0, "what is proposed is well written"


@pytest.mark.usefixtures("marked")
def test_what_nothing_sets_apart_is_not_filtered(breachwatch: Any, rules: Path) -> None:
    done = breachwatch(*WORDS, "-r", rules, "--true", "false.log", "--json", "-o", "filter.yml")
    assert done.code == 1
    assert done.lines[0]["filter"] is None
    assert "the rule itself must be changed" in done.err
    assert not Path("filter.yml").exists()


@pytest.mark.usefixtures("marked")
def test_marked_records_may_come_in_objects(breachwatch: Any, rules: Path, tmp_path: Path) -> None:
    lines = (tmp_path / "false.log").read_text("utf-8").splitlines()
    wrapped = "".join(json.dumps({"record": line, "by": "alex"}) + "\n" for line in lines)
    (tmp_path / "false.log").write_text(wrapped, encoding="utf-8")
    assert breachwatch(*WORDS, "-r", rules, "--true", "true.log").code == 0


@pytest.mark.usefixtures("marked")
def test_a_rule_that_is_not_there_or_matches_nothing_is_said(breachwatch: Any, rules: Path, tmp_path: Path) -> None:
    words = [each if each != "Root login failed" else "Root login faild" for each in WORDS]
    unknown = breachwatch(*words, "-r", rules, "--true", "true.log")
    assert (unknown.code, 'did you mean "Root login failed"?' in unknown.err) == (1, True)
    (tmp_path / "false.log").write_text("nothing\n", encoding="utf-8")
    nothing = breachwatch(*WORDS, "-r", rules, "--true", "true.log")
    assert (nothing.code, "matches none of the 1 records" in nothing.err) == (1, True)


@pytest.mark.parametrize("source", ["windows-json", "linux-sshd"])
def test_what_one_process_kept_the_next_one_takes_as_it_is(tmp_path: Path, source: str) -> None:
    """Sets are in another order in each process, and nothing that is kept may depend on it."""
    logsource = "{product: windows}" if source == "windows-json" else "{product: linux, service: sshd}"
    (tmp_path / "rule.yml").write_text(
        RULE.replace("{product: linux, service: sshd}", logsource).replace("user.name", "CommandLine|contains"),
        encoding="utf-8",
    )
    (tmp_path / "empty.log").touch()
    words = ["rules", "match", "-r", "rule.yml", "-s", source, "empty.log", "--json"]
    kept: list[dict[str, int]] = []
    for seed in ("1", "2"):
        env = {**os.environ, "PYTHONHASHSEED": seed, "XDG_CACHE_HOME": str(tmp_path / "cache")}
        program = Path(sys.executable).with_name("breachwatch")
        subprocess.run([program, *words], cwd=tmp_path, env=env, check=True, capture_output=True)
        kept.append({path.name: path.stat().st_ino for path in (tmp_path / "cache" / "breachwatch").iterdir()})
    assert len(kept[0]) == 2
    assert kept[0] == kept[1]
