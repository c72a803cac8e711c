"""The commands of a cluster say what they are for, what they need, and what is wrong, in one plain message."""

import re
import stat
from pathlib import Path
from typing import Any

import pytest

from breachwatch import wiring
from breachwatch.settings import read_settings

ROLES = ("worker", "clock", "courier", "console", "collect")
SETTINGS = """
[organisation]
name = "Example Shop"
dpo_name = "Camille Example"
dpo_email = "dpo@shop.example"
[mail]
sender = "privacy@shop.example"
[desk]
port = 0
[ingest]
port = 0
[observe]
port = 0
"""
KAFKA = '[kafka]\nbrokers = ["127.0.0.1:9"]\nsecurity = "none-loopback-only"\n'


def write(text: str) -> Path:
    file = Path("breachwatch.toml")
    file.write_text(SETTINGS + text)
    return file


@pytest.mark.parametrize("command", [*ROLES, "keys", "up"])
def test_each_tells_how_it_is_called(command: str, breachwatch: Any) -> None:
    done = breachwatch(command, "--help")
    assert done.code == 0
    assert re.search(rf"Examples?:\s+breachwatch\s+{command}", done.out), "help shows an example"


@pytest.mark.parametrize("role", ROLES)
def test_without_settings_it_says_how_to_get_some(role: str, breachwatch: Any) -> None:
    done = breachwatch(role)
    assert done.code == 2
    assert "breachwatch.toml: cannot be read" in done.err
    assert "breachwatch init" in done.err


@pytest.mark.parametrize("role", ["worker", "clock", "courier", "console"])
def test_without_its_key_it_says_where_that_comes_from(role: str, breachwatch: Any) -> None:
    write(KAFKA)
    done = breachwatch(role)
    assert done.code == 1
    assert "is missing: put it here from where `breachwatch keys` made it" in done.err
    assert not list(Path("state").glob("*.key")), "a key of its own would know nobody"


@pytest.mark.parametrize("command", [["worker"], ["clock"], ["console"], ["collect"], ["up", "--engine", "kafka"]])
def test_without_brokers_it_says_which_setting_names_them(command: list[str], breachwatch: Any) -> None:
    file = write("")
    wiring.make_keys(read_settings(file))
    done = breachwatch(*command)
    assert done.code == 2
    assert 'kafka.brokers: no Kafka broker is named; for example brokers = ["localhost:9092"]' in done.err


def test_a_tree_is_not_planted_where_the_brokers_are_away(breachwatch: Any) -> None:
    write(KAFKA)
    done = breachwatch("up", "--engine", "kafka")
    assert done.code == 1
    assert "nobody listens at the Kafka broker 127.0.0.1:9" in done.err


def test_keys_are_for_their_owners_eyes_and_it_is_told_where_each_goes(breachwatch: Any) -> None:
    write("")
    done = breachwatch("keys")
    assert done.code == 0
    assert re.search(r"master\.key: for clock, courier, console", done.out)
    assert re.search(r"pseudonym\.key: for worker, clock", done.out)
    assert {stat.S_IMODE(path.stat().st_mode) for path in Path("state").glob("*.key")} == {0o600}
    before = [path.read_bytes() for path in sorted(Path("state").glob("*.key"))]
    assert breachwatch("keys").out == done.out
    assert [path.read_bytes() for path in sorted(Path("state").glob("*.key"))] == before
