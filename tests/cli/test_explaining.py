"""`--explain`: each selection and each field of a rule, what it saw, and whether it held."""

from pathlib import Path
from typing import Any

import pytest

RULE = """title: Root login failed
id: 5013198c-e8ee-4b1d-9f7f-1f7dc2f2ae1c
logsource: {product: linux, service: sshd}
detection:
    login:
        user.name: root
        action: failed
    own:
        src_ip|cidr: 192.0.2.0/24
    condition: login and not own
level: low
"""
REFERENCE = ("--reference", "2026-03-28T00:00:00Z")


@pytest.fixture
def words(tmp_path: Path, auth_log: Path) -> tuple[Any, ...]:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "root.yml").write_text(RULE, encoding="utf-8")
    return ("rules", "match", "-r", "rules", "-s", "linux-sshd", auth_log, *REFERENCE, "--explain")


def test_a_match_is_explained_part_by_part_with_what_was_seen(breachwatch: Any, words: tuple[Any, ...]) -> None:
    done = breachwatch(*words)
    assert done.code == 0
    assert done.out.splitlines()[0].startswith("✓ matches  Root login failed  record 0 of ")
    assert [line.strip(" │├└─") for line in done.out.splitlines()[1:-1]] == [
        "✓ all of these",
        "✓ login: all of these",
        '✓ user.name = "root", saw "root" in user',
        '✓ action = "failed", saw "failed"',
        "✓ not this",
        '✗ own: src_ip is in 192.0.2.0/24, saw "198.51.100.7"',
    ]


def test_what_does_not_match_is_explained_when_the_rule_is_named(
    breachwatch: Any, words: tuple[Any, ...], tmp_path: Path, auth_log: Path
) -> None:
    auth_log.write_text(auth_log.read_text("utf-8").replace("root from", "eve from"), encoding="utf-8")
    silent = breachwatch(*words)
    assert "No rule matches this record; name one with --rule" in silent.out
    told = breachwatch(*words, "--rule", "Root login failed")
    assert told.out.startswith("✗ does not match")
    assert '✗ user.name = "root", saw "eve" in user' in told.out


def test_a_record_that_is_no_event_says_why(breachwatch: Any, words: tuple[Any, ...]) -> None:
    done = breachwatch(*words, "--record", "1", "--rule", "Root login failed")
    assert "✗ the record is no event: not sshd" in done.out


def test_programs_get_the_same_as_objects(breachwatch: Any, words: tuple[Any, ...]) -> None:
    (line,) = breachwatch(*words, "--record", "2", "--json").lines
    assert (line["record"], line["matches"], line["condition"]["kind"]) == (2, True, "all")
    login, unless = line["condition"]["parts"]
    assert (login["selection"], unless["parts"][0]["selection"]) == ("login", "own")
    assert login["parts"][0] == {
        "kind": "test",
        "held": True,
        "field": "user.name",
        "path": "user",
        "wanted": '= "root"',
        "saw": "root",
    }


def test_the_rules_of_playbooks_are_explained_by_replay(breachwatch: Any, auth_log: Path) -> None:
    done = breachwatch("replay", auth_log, "-s", "linux-sshd", "--explain", "--record", "4", *REFERENCE)
    assert done.code == 0
    assert "✓ matches  SSH login failed  record 4 of" in done.out


def test_a_record_or_rule_that_is_not_there_is_said(breachwatch: Any, words: tuple[Any, ...]) -> None:
    record = breachwatch(*words, "--record", "180")
    assert (record.code, "there is no record 180; it holds 180, numbered from 0" in record.err) == (2, True)
    rule = breachwatch(*words, "--rule", "Root login faild")
    assert (rule.code, 'did you mean "Root login failed"?' in rule.err) == (1, True)


def test_texts_that_one_field_may_be_stand_in_one_line_and_what_was_found_comes_first(
    breachwatch: Any, words: tuple[Any, ...], tmp_path: Path
) -> None:
    names = [f"user{n}" for n in range(40)] + ["root"]
    listed = RULE.replace("user.name: root", f"user.name: [{', '.join(names)}]\n        src_ip|startswith: ['1', '2']")
    (tmp_path / "rules" / "root.yml").write_text(listed, encoding="utf-8")
    told = breachwatch(*words).out
    line = 'user.name = "root" or "user0" or "user1" or "user2" or "user3" or "user4" or 35 more, saw "root" in user'
    assert f"✓ {line}" in told
    assert '✓ src_ip begins with "1" or "2", saw "198.51.100.7"' in told


def test_what_a_log_holds_cannot_change_how_it_is_shown(
    breachwatch: Any, words: tuple[Any, ...], tmp_path: Path, auth_log: Path
) -> None:
    hostile = "[red]x[/]\x1b[2J\\"
    auth_log.write_text(auth_log.read_text("utf-8").replace("root from", f"{hostile} from"), encoding="utf-8")
    told = breachwatch(*words, "--rule", "Root login failed").out
    assert 'saw "[red]x[/]�[2J\\" in user' in told
