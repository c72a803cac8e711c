"""Playbooks and adjustments that change under a running service: read anew, taken up whole, or refused whole."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from breachwatch.kernel.errors import ContentError
from breachwatch.kernel.pseudonyms import pseudonymiser
from breachwatch.settings import Settings, read_settings
from breachwatch.sources.registry import load_sources
from breachwatch.wiring.detecting import LiveContent

PLAYBOOKS = Path(__file__).parents[2] / "playbooks"
SETTINGS = """
playbooks_dir = "playbooks"
adjustments = "adjustments.yml"
[organisation]
name = "Example Shop"
dpo_name = "Camille Example"
dpo_email = "dpo@shop.example"
[mail]
sender = "privacy@shop.example"
"""
THRESHOLD = "thresholds:\n  - {playbook: ssh-brute-force, rule: ssh_brute_force, gte: 77}\n"
PSEUDONYMISE = pseudonymiser(b"a pseudonym key of the tests")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    shutil.copytree(PLAYBOOKS, tmp_path / "playbooks")
    (tmp_path / "adjustments.yml").write_text("", encoding="utf-8")
    (tmp_path / "breachwatch.toml").write_text(SETTINGS, encoding="utf-8")
    return read_settings(tmp_path / "breachwatch.toml")


def threshold(stages: Any) -> Any:
    return next(each.tests for each in stages.content.correlations if each.name == "ssh_brute_force")


def test_a_saved_adjustment_is_seen_and_is_in_the_stages_that_are_read_anew(settings: Settings) -> None:
    live = LiveContent(settings, load_sources())
    assert live.look() == live.digest
    assert threshold(live.stages(PSEUDONYMISE)) == (("gte", 8),)
    assert settings.adjustments is not None
    settings.adjustments.write_text(THRESHOLD, encoding="utf-8")
    assert live.look() != live.digest
    assert threshold(live.reader(PSEUDONYMISE)()) == (("gte", 77),)


def test_files_with_mistakes_are_refused_with_their_places(settings: Settings) -> None:
    live = LiveContent(settings, load_sources())
    assert settings.adjustments is not None
    settings.adjustments.write_text(THRESHOLD.replace("gte", "gtee"), encoding="utf-8")
    with pytest.raises(ContentError, match=r"adjustments\.yml:2:\d+: unknown key"):
        live.reader(PSEUDONYMISE)()


def test_the_case_plane_knows_a_new_playbook_before_the_stages_do_and_keeps_a_withdrawn_one(settings: Settings) -> None:
    live = LiveContent(settings, load_sources())
    assert settings.playbooks_dir is not None
    new = settings.playbooks_dir / "stolen-device"
    (settings.playbooks_dir / "lost-device").rename(new)
    text = (new / "playbook.yml").read_text("utf-8")
    (new / "playbook.yml").write_text(text.replace("id: lost-device", "id: stolen-device"), encoding="utf-8")
    known: list[set[str]] = []
    live.user(lambda _detector, _correlator: known.append(set(live.playbooks)))(live.reader(PSEUDONYMISE)())
    assert known
    assert {"stolen-device", "lost-device"} <= known[0]
    assert ("stolen-device", "fr") in live.notices
    assert len(live.notices) == len(list(live.notices))
