"""The reference pages keep their word: what they show is read as they say."""

import re
from pathlib import Path

from breachwatch.sources.event import Event
from breachwatch.sources.registry import load_sources

PAGES = Path(__file__).parents[2] / "docs" / "reference"
ARRIVED_US = 1_774_700_000_000_000


def shown(page: str, language: str) -> str:
    found: list[str] = re.findall(rf"```{language}\n(.*?)```", (PAGES / page).read_text(encoding="utf-8"), re.DOTALL)
    return found[0]


def test_the_audit_lines_shown_are_events() -> None:
    source = load_sources()["app-audit"]
    outcomes = [source.parse(line.encode(), ARRIVED_US) for line in shown("app-audit.md", "json").splitlines()]
    assert [outcome.fields["action"] for outcome in outcomes if isinstance(outcome, Event)] == [
        "login",
        "read",
        "export",
    ]


def test_every_audit_key_of_the_page_is_a_field_and_none_is_forgotten() -> None:
    rows = re.findall(r"^\| (`.*?) \|", (PAGES / "app-audit.md").read_text(encoding="utf-8"), re.MULTILINE)
    keys = {key for row in rows for key in re.findall(r"`([a-z_.]+)`", row)}
    fields = load_sources()["app-audit"].fields or frozenset()
    leaves = {field for field in fields if not any(other.startswith(f"{field}.") for other in fields)}
    assert leaves - {"details.*"} <= keys


def test_the_mapping_shown_reads_the_record_shown(tmp_path: Path) -> None:
    path = tmp_path / "shop-api.yml"
    path.write_text(shown("sources.md", "yaml"), encoding="utf-8")
    source = load_sources([path])["shop-api"]
    text = (PAGES / "sources.md").read_text(encoding="utf-8")
    record = re.findall(r'It reads `(\{"ts".*?\})`', text, re.DOTALL)[0].replace("\n", " ")
    outcome = source.parse(record.encode(), ARRIVED_US)
    assert isinstance(outcome, Event)
    ocsf = source.to_ocsf(outcome)
    assert (ocsf["status"], ocsf["user"], ocsf["src_endpoint"]) == ("Failure", {"name": "ana"}, {"ip": "192.0.2.7"})


def test_the_carriers_and_wrappings_shown_are_definitions(tmp_path: Path) -> None:
    _, wrapped, device = re.findall(r"```yaml\n(.*?)```", (PAGES / "sources.md").read_text(encoding="utf-8"), re.DOTALL)
    one, two = tmp_path / "wrapped.yml", tmp_path / "device.yml"
    one.write_text(f"name: wrapped\ntitle: t\nextends: generic-json\n{wrapped}", encoding="utf-8")
    two.write_text(device, encoding="utf-8")
    sources = load_sources([one, two])
    line = b"CEF:0|Acme|Wall|1.0|100|n|High|rt=1774616816001 cs1Label=Login cs1=ana"
    outcome = sources["acme-wall"].parse(line, ARRIVED_US)
    assert isinstance(outcome, Event)
    assert sources["acme-wall"].to_ocsf(outcome)["user"] == {"name": "ana"}
    inner = b'{"time": "2026-03-27T13:06:56Z", "Parameters": [{"Name": "To", "Value": "x"}]}'
    outcome = sources["wrapped"].parse(b'{"agent": 1, "event": {"original": ' + inner + b"}}", ARRIVED_US)
    assert isinstance(outcome, Event)
    assert outcome.fields["parameter"] == {"To": "x"}


def test_every_action_of_sshd_is_on_the_page() -> None:
    code = (Path(__file__).parents[2] / "breachwatch" / "sources" / "programs" / "sshd.py").read_text(encoding="utf-8")
    said = set(re.findall(r'"action": "(\w+)"|_done\(fields, "(\w+)"|_client\(\w+, "(\w+)"\)', code))
    actions = {action for groups in said for action in groups if action}
    page = set(re.findall(r"`(\w+)`", (PAGES / "sources.md").read_text(encoding="utf-8")))
    assert len(actions) > 10
    assert actions - page == set()
