"""`breachwatch parse` and `breachwatch sources`: what records become, and what can be read at all."""

import json
from pathlib import Path
from typing import Any

REFERENCE = ("--reference", "2026-03-28T00:00:00Z")


def test_every_record_is_an_object_an_event_or_the_reason_why_not(breachwatch: Any, auth_log: Path) -> None:
    done = breachwatch("parse", auth_log, "--source", "linux-sshd", "--json", *REFERENCE)
    assert (done.code, len(done.lines)) == (0, 180)
    event, ignored = done.lines[:2]
    assert (event["record"], event["time"], event["src_endpoint"]["ip"]) == (0, "2026-03-27T13:00:00Z", "198.51.100.7")
    assert (ignored["record"], ignored["time"], ignored["ignored"]) == (1, None, "not sshd")
    assert "180 records = 90 events + 90 ignored + 0 dead letters" in done.err


def test_what_cannot_be_read_says_why_and_never_quotes_the_record(breachwatch: Any, tmp_path: Path) -> None:
    (tmp_path / "app.log").write_text('{"secret": \n', encoding="utf-8")
    done = breachwatch("parse", "app.log", "-s", "app-audit", "--json")
    assert done.lines == [{"record": 0, "time": None, "dead": "not JSON"}]


def test_native_fields_come_along_when_asked_for(breachwatch: Any, auth_log: Path) -> None:
    done = breachwatch("parse", auth_log, "-s", "linux-sshd", "--json", "--native", *REFERENCE)
    assert done.lines[0]["native"]["src_ip"] == "198.51.100.7"


def test_a_person_sees_the_first_events_and_a_hint_when_there_are_none(
    breachwatch: Any, auth_log: Path, tmp_path: Path
) -> None:
    shown = breachwatch("parse", auth_log, "-s", "linux-sshd", *REFERENCE)
    assert shown.out.startswith("record 0  2026-03-27T13:00:00Z")
    assert "src_endpoint.ip" in shown.out
    assert shown.out.rstrip().endswith("The first 5 of 180 records; all of them with --json.")
    (tmp_path / "other.log").write_text("Mar 27 13:00:00 web-1 CRON[1]: x\n", encoding="utf-8")
    assert "sources guess FILE" in breachwatch("parse", "other.log", "-s", "linux-sshd").out
    (tmp_path / "empty.log").touch()
    assert "There is no record" in breachwatch("parse", "empty.log", "-s", "linux-sshd").out


def test_sources_are_listed_with_the_logsource_that_they_answer_to(breachwatch: Any) -> None:
    listed = breachwatch("sources", "list")
    (row,) = [line for line in listed.out.splitlines() if line.startswith("linux-sshd ")]
    assert "product: linux, service: sshd" in row
    by_name = {each["name"]: each for each in breachwatch("sources", "list", "--json").lines}
    assert by_name["linux-sshd"]["logsource"] == {"product": "linux", "service": "sshd"}


def test_one_source_is_shown_with_its_attributes(breachwatch: Any) -> None:
    done = breachwatch("sources", "show", "linux-sshd")
    assert "src_endpoint.ip" in done.out
    assert breachwatch("sources", "show", "linux-sshd", "--json").lines[0]["attributes"]["src_endpoint.ip"] == "src_ip"
    unknown = breachwatch("sources", "show", "linux-ssh")
    assert (unknown.code, 'did you mean "linux-sshd"?' in unknown.err) == (1, True)


def test_a_source_of_ones_own_is_read_beside_the_others(breachwatch: Any, tmp_path: Path) -> None:
    definition = {"name": "shop-api", "title": "The shop's API", "description": "Ours.", "extends": "app-audit"}
    (tmp_path / "shop.yml").write_text(json.dumps(definition), encoding="utf-8")
    assert "shop-api" in breachwatch("sources", "list", "--source-file", "shop.yml").out


def test_a_file_nobody_knows_is_given_to_every_source_to_try(breachwatch: Any, auth_log: Path, tmp_path: Path) -> None:
    done = breachwatch("sources", "guess", auth_log, "--json", *REFERENCE)
    assert done.code == 0
    assert done.lines[0]["source"] in ("linux-auth", "linux-sshd")
    assert done.lines[0]["score"] >= done.lines[-1]["score"]
    assert breachwatch("sources", "guess", auth_log, *REFERENCE).out.splitlines()[1].startswith("linux-")
    (tmp_path / "noise.bin").write_bytes(bytes(range(256)))
    nothing = breachwatch("sources", "guess", "noise.bin")
    assert (nothing.code, "No source reads this file" in nothing.err) == (1, True)
