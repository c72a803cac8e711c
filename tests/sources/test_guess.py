"""Which source a file is of, told by reading it: right on real files of every kind, and on what the pages show."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from breachwatch.collectors.samples import sampler
from breachwatch.sources.guess import Guess, guess
from breachwatch.sources.registry import load_sources

DATA = Path(__file__).parents[3] / "shared" / "data"
SOURCES = load_sources()
LATER_US = 1_795_000_000_000_000


def guessed(path: Path) -> list[Guess]:
    return guess(sampler(path), SOURCES, LATER_US)


def real(pattern: str) -> list[Path]:
    found = sorted(DATA.glob(pattern))
    assert found, f"no {pattern} in {DATA}: the shared data must lie beside this checkout"
    return found


@pytest.mark.parametrize(
    ("pattern", "source"),
    [
        ("auth-sshd-elastic/auth.log", "linux-auth"),
        ("access-apache/access.log", "web-access"),
        ("cloudtrail-invictus/*.json", "aws-cloudtrail"),
        ("cloudtrail-stratus/*.json", "aws-cloudtrail"),
        ("otrf-cloud/*.json", "aws-cloudtrail"),
        ("m365-det-eng/*.json", "m365-audit"),
        ("m365-det-eng/*.csv", "m365-audit"),
        ("ocsf/*.json", "ocsf-events"),
        ("ait-alerts/*.csv.gz", "alerts-csv"),
        ("sigma-rules/regression_data/rules/windows/**/*.json", "windows-json"),
    ],
)
def test_every_real_file_is_given_to_its_source(pattern: str, source: str) -> None:
    told = Counter(found[0].source if (found := guessed(path)) else "nothing" for path in real(pattern))
    assert told == {source: sum(told.values())}


def test_a_log_of_sshd_alone_is_given_to_sshd(tmp_path: Path) -> None:
    (whole,) = real("auth-sshd-elastic/auth.log")
    alone = tmp_path / "auth.log"
    alone.write_bytes(b"".join(line for line in whole.read_bytes().splitlines(keepends=True) if b" sshd[" in line))
    assert guessed(alone)[0].source == "linux-sshd"


@pytest.fixture
def of(tmp_path: Path) -> Callable[[str], list[str]]:
    def sources_of(text: str) -> list[str]:
        path = tmp_path / "a.log"
        path.write_text(text, encoding="utf-8")
        return [each.source for each in guessed(path)]

    return sources_of


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("CEF:0|Acme|Wall|1.0|100|n|High|rt=1774616816001 src=192.0.2.7\n", "generic-cef"),
        ("LEEF:1.0|Acme|Wall|1.0|4000|src=192.0.2.7\tdevTime=1774616816001\n", "generic-leef"),
        ("time=2026-03-27T13:06:56Z level=info msg=hi user=ana\n", "generic-logfmt"),
        ("<189>date=2026-03-27 time=13:06:56 eventtime=1774616816 srcip=192.0.2.7 act='x'\n", "generic-key-value"),
        (
            '{"time":"2026-03-27T13:06:56Z","action":"login","actor":{"id":"k"},"client":{"ip":"192.0.2.7"}}\n',
            "app-audit",
        ),
        (
            '{"timestamp":"2026-03-27T13:06:56.000001+0000","event_type":"alert","src_ip":"192.0.2.7","alert":'
            '{"signature":"x","signature_id":1}}\n',
            "suricata-eve",
        ),
        (
            '{"time":"2026-03-27T13:06:56Z","resource.service.name":"shop","attributes.user.name":"ana","message":"x"}\n',
            "otlp-logs",
        ),
        ('{"time":"2026-03-27T13:06:56Z","fridge":{"door":"open"}}\n', "generic-json"),
    ],
)
def test_a_line_of_each_carrier_is_known(of: Callable[[str], list[str]], text: str, source: str) -> None:
    assert of(text * 3)[0] == source


def test_what_nobody_reads_is_of_no_source(of: Callable[[str], list[str]]) -> None:
    assert of("once upon a time\nthere was a file\n") == []
    assert of("") == []


def test_a_guess_says_how_much_it_read_and_which_fields_it_knew() -> None:
    (path,) = real("otrf-cloud/*.json")
    first = guessed(path)[0]
    assert first.share == 1.0
    assert first.why.startswith("103 of 103 records are events; fields: ")
    assert "userIdentity" in first.why or "eventSource" in first.why


def test_a_source_of_ones_own_goes_before_the_general_one_it_extends(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yml"
    mine.write_text(
        "name: acme-wall\ntitle: t\nextends: generic-json\nrequired: [wall.login]\n"
        "attributes: {user.name: wall.login, src_endpoint.ip: wall.peer}\n"
    )
    log = tmp_path / "a.json"
    log.write_text('{"time": "2026-03-27T13:06:56Z", "wall": {"login": "ana", "peer": "192.0.2.7"}}\n' * 3)
    assert guess(sampler(log), load_sources([mine]), LATER_US)[0].source == "acme-wall"
