"""Where a process tells how it is doing: on this machine alone, unless somebody guards what lies beyond."""

from pathlib import Path

import pytest

from breachwatch.kernel.errors import ContentError
from breachwatch.settings import ROLES, ObserveSection, read_settings
from breachwatch.settings.observe import MOST_OF_A_ROLE

BASE = """
[organisation]
name = "Example Shop"
dpo_name = "Camille Example"
dpo_email = "dpo@shop.example"
[mail]
sender = "privacy@shop.example"
[observe]
"""


def observe(folder: Path, text: str = "") -> ObserveSection:
    path = folder / "breachwatch.toml"
    path.write_text(BASE + text, encoding="utf-8")
    return read_settings(path).observe


def test_by_default_only_this_machine_may_ask(tmp_path: Path) -> None:
    assert observe(tmp_path).host == "127.0.0.1"


def test_processes_of_all_roles_and_numbers_find_a_port_of_their_own() -> None:
    sections = [ObserveSection(number=number) for number in range(MOST_OF_A_ROLE)]
    ports = [section.port_of(role) for section in sections for role in ROLES]
    assert len(set(ports)) == len(ports)
    assert ObserveSection().port_of("up") == 9464


def test_any_free_port_is_any_free_port_for_every_role() -> None:
    assert {ObserveSection(port=0).port_of(role) for role in ROLES} == {0}


def test_another_port_than_the_usual_one_was_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert observe(tmp_path, "port = 9000").chosen
    monkeypatch.setenv("BREACHWATCH_OBSERVE__NUMBER", "2")
    section = observe(tmp_path)
    assert (section.chosen, section.number, section.port_of("worker")) == (False, 2, 9464 + 2 + 12)


@pytest.mark.parametrize(
    "guarded", ['metrics_token_file = "t"', 'certificate_file = "c"\nkey_file = "k"'], ids=["token", "TLS"]
)
def test_beyond_loopback_a_token_or_a_certificate_is_needed(tmp_path: Path, guarded: str) -> None:
    with pytest.raises(ContentError, match="beyond loopback metrics need"):
        observe(tmp_path, 'host = "0.0.0.0"')
    section = observe(tmp_path, f'host = "0.0.0.0"\n{guarded}')
    assert (section.metrics_token_file or section.certificate_file or Path()).is_absolute()


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ('traces = "collector:4318"', "where traces go is a URL"),
        ('traces = "https://user:secret@collector.example"', "a URL is no place for a secret"),
        ('certificate_file = "c"', "certificate_file and key_file go together"),
        ("port = 65500", "no port is left"),
        ("number = 100", "less than 100"),
        ('log_format = "xml"', "log_format"),
    ],
)
def test_what_cannot_be_meant_is_told(tmp_path: Path, wrong: str, why: str) -> None:
    if "65500" in wrong:
        wrong += "\nnumber = 99"
    with pytest.raises(ContentError, match=why):
        observe(tmp_path, wrong)
