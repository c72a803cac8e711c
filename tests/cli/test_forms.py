"""Alerts of a replay in the words of other tools."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from breachwatch.cli import app

LINE = '203.0.113.61 - - [27/Mar/2026:03:12:44 +0000] "GET /x.php?cmd=cat%20/etc/passwd HTTP/1.1" 200 22 "-" "x"\n'


@pytest.mark.parametrize(
    ("form", "key", "value"), [("ocsf", "class_uid", 2004), ("stix", "type", "bundle"), ("breachwatch", "records", 0)]
)
def test_an_alert_is_told_in_the_form_asked_for(tmp_path: Path, form: str, key: str, value: object) -> None:
    log = tmp_path / "access.log"
    log.write_text(LINE)
    told = CliRunner().invoke(app, ["replay", str(log), "-s", "web-access", "--json", "--form", form, "--workers", "1"])
    assert told.exit_code == 0, told.output
    (alert,) = [json.loads(line) for line in told.stdout.splitlines() if line.startswith("{")]
    assert alert[key] == value
