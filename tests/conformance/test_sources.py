"""Real logs and other projects' expectations, read where they lie: every line accounted for, and read as they read it.

The data lie in `shared/data` beside the checkout, each folder with its origin and licence.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from breachwatch.kernel.time import from_microseconds, to_microseconds
from breachwatch.sources.event import Event, Outcome
from breachwatch.sources.registry import load_sources
from breachwatch.sources.source import Source

DATA = Path(__file__).parents[3] / "shared" / "data"
FAIL2BAN_YEAR = datetime(2005, 8, 14, 12, tzinfo=UTC)  # its tests complete years as of this day
FAIL2BAN_ZONE = "Europe/Zurich"

# A password line ends with the client's address and port in every OpenSSH since 2013, while the user name before them
# is the client's to choose. So the address on the right is believed, where fail2ban believes the one on the left.
DISAGREED = "Failed password for invalid user test from 127.0.0.1 port 58946 ssh2: from 10.10.1.2 port 55555 ssh2"


def data(*parts: str) -> Path:
    path = DATA.joinpath(*parts)
    assert path.exists(), f"this test needs the shared data beside the checkout: {path} is absent"
    return path


def source(name: str, timezone: str = "UTC") -> Source:
    return load_sources(timezone=timezone)[name]


def read(of: Source, lines: list[bytes], arrived: datetime) -> list[Outcome]:
    return [of.parse(line, to_microseconds(arrived)) for line in lines]


def counted(outcomes: list[Outcome]) -> Counter[str]:
    return Counter("event" if isinstance(outcome, Event) else outcome.reason for outcome in outcomes)


def test_a_real_hosts_auth_log_is_accounted_for_line_by_line() -> None:
    lines = data("auth-sshd-elastic", "auth.log").read_bytes().splitlines()
    outcomes = read(source("linux-sshd"), lines, datetime(2026, 4, 21, tzinfo=UTC))
    tally = counted(outcomes)
    assert tally == {"event": sum(b" sshd[" in line for line in lines), "not sshd": tally["not sshd"]}
    assert sum(tally.values()) == len(lines) == 7121
    for line, outcome in zip(lines, outcomes, strict=True):
        tried = re.search(rb"sshd\[\d+\]: (?:message repeated \d+ times: \[ )?(Accepted|Failed) (?!none)", line)
        expected = {b"Accepted": "Success", b"Failed": "Failure"}[tried[1]] if tried else None
        assert (outcome.fields.get("status") if isinstance(outcome, Event) else None) == expected, line
        if isinstance(outcome, Event) and tried:
            assert outcome.fields["src_ip"].encode() in line
    times = [outcome.at_us for outcome in outcomes if isinstance(outcome, Event)]
    assert times == sorted(times)
    assert {from_microseconds(at_us).year for at_us in times} == {2026}


def test_a_real_web_sites_access_log_is_read_to_the_last_line() -> None:
    lines = data("access-apache", "access.log").read_bytes().splitlines()
    outcomes = read(source("web-access"), lines, datetime(2015, 5, 21, tzinfo=UTC))
    assert counted(outcomes) == {"event": len(lines)}
    for line, outcome in zip(lines, outcomes, strict=True):
        assert isinstance(outcome, Event)
        assert outcome.fields["c-ip"].encode() == line.split(b" ")[0]
        assert f'" {outcome.fields["sc-status"]} '.encode() in line
        assert outcome.fields["cs-method"] in {"GET", "HEAD", "POST", "OPTIONS"}
    assert len({outcome.fields["c-ip"] for outcome in outcomes if isinstance(outcome, Event)}) == 892


def annotated(path: Path) -> Iterator[tuple[dict[str, Any], str]]:
    expected: dict[str, Any] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("# failJSON:"):
            expected = json.loads(line.removeprefix("# failJSON:"))
        elif line and not line.startswith("#"):
            yield expected, line


@pytest.mark.parametrize(("name", "head"), [("sshd", ""), ("sshd-journal", "Aug 14 11:00:00 ")])
def test_fail2bans_sshd_lines_name_the_same_client_user_and_time(name: str, head: str) -> None:
    sshd = source("linux-sshd", FAIL2BAN_ZONE)
    disagreed, read_lines = set(), 0
    for expected, line in annotated(data("fail2ban-logs", name)):
        dated = re.search(r"\b(20\d\d)-", line[:40])
        arrived = datetime(int(dated[1]) + 1, 1, 1, tzinfo=UTC) if dated else FAIL2BAN_YEAR
        (outcome,) = read(sshd, [(head + line).encode()], arrived)
        assert isinstance(outcome, Event), line
        read_lines += 1
        fields = outcome.fields
        if expected.get("match") and expected.get("host", "no") in line and fields.get("src_ip") != expected["host"]:
            disagreed.add(line.split("]: ", 1)[1])
        if "user" in expected:
            assert fields["user"] == expected["user"], line
        if "time" in expected and not dated:
            local = from_microseconds(outcome.at_us).astimezone(ZoneInfo(FAIL2BAN_ZONE))
            assert local.strftime("%Y-%m-%dT%H:%M:%S") == expected["time"], line
    assert disagreed == {DISAGREED}
    assert read_lines > 100


def test_what_fail2ban_would_ban_for_is_no_unknown_line() -> None:
    sshd, unknown = source("linux-sshd", FAIL2BAN_ZONE), set()
    for expected, line in annotated(data("fail2ban-logs", "sshd")):
        (outcome,) = read(sshd, [line.encode()], datetime(2020, 1, 1, tzinfo=UTC))
        if expected.get("match") and isinstance(outcome, Event) and outcome.fields["action"] == "other":
            unknown.add(line.split("]: ", 1)[1])
    assert unknown == set()


def ossec_cases() -> Iterator[tuple[str, str, str]]:
    title, lines = "", []
    for line in data("ossec-tests", "sshd.ini").read_text(encoding="utf-8").splitlines():
        if found := re.fullmatch(r"\[(.*)\]", line.strip()):
            title = found[1]
        elif found := re.match(r"log \d+ (pass|fail) = (.*)", line):
            lines.append((title, found[1], found[2]))
    yield from lines


OSSEC_MEANS: dict[str, set[str]] = {
    "ssh unable to negotiate": {"negotiation_failed"},
    "ssh no matching key exchange": {"negotiation_failed"},
    "ssh connection reset by peer": {"reset"},
    "invalid user": {"failed", "postponed", "invalid_user"},
    "login failed": {"probed"},  # `none` asks what is offered
    "bad dns": {"reverse_mapping"},
    "max auth attempts": {"too_many_attempts"},
    "bad protocol": {"no_identification"},
    "blocked by tcpwrapper": {"refused"},
}


def test_ossecs_sshd_cases_mean_the_same() -> None:
    sshd, seen = source("linux-sshd"), set()
    for title, verdict, line in ossec_cases():
        (outcome,) = read(sshd, [line.encode()], datetime(2026, 12, 31, tzinfo=UTC))
        assert isinstance(outcome, Event), line
        if title in OSSEC_MEANS and verdict == "pass":
            seen.add(title)
            assert outcome.fields["action"] in OSSEC_MEANS[title], line
    assert seen == set(OSSEC_MEANS)


ASSERTED = re.compile(r'results\["s01-parse"\]\["crowdsecurity/(\S+)-logs"\]\[(\d+)\]\.Evt\.(\w+)\["(\w+)"\] == (".*")')


def asserted(case: str, parser: str) -> list[dict[str, str]]:
    """What CrowdSec asserts of each line it parsed: its Parsed and Meta values by name."""
    found: dict[int, dict[str, str]] = {}
    for line in data("crowdsec-hubtests", case, "parser.assert").read_text(encoding="utf-8").splitlines():
        if (match := ASSERTED.match(line)) and match[1] == parser and match[3] in {"Parsed", "Meta"}:
            found.setdefault(int(match[2]), {})[match[4]] = json.loads(match[5])
    return list(found.values())


def test_crowdsecs_sshd_assertions_hold() -> None:
    sshd = source("linux-sshd")
    lines = data("crowdsec-hubtests", "sshd-invalid-bf", "sshd-invalid-bf.log").read_bytes().splitlines()
    expectations = asserted("sshd-invalid-bf", "sshd")
    assert len(expectations) == len(lines) == 6
    for line, expected in zip(lines, expectations, strict=True):
        (outcome,) = read(sshd, [line], datetime(2026, 12, 31, tzinfo=UTC))
        assert isinstance(outcome, Event)
        fields = outcome.fields
        assert (fields["src_ip"], fields["user"]) == (expected["source_ip"], expected["target_user"])
        assert (fields["program"], str(fields["pid"])) == (expected["program"], expected["pid"])


@pytest.mark.parametrize(
    ("case", "parser"), [("nginx_http-logs", "nginx"), ("apache2-logs", "apache2"), ("nextcloud-whitelist", "nginx")]
)
def test_crowdsecs_web_assertions_hold(case: str, parser: str) -> None:
    web, compared = source("web-access"), 0
    for expected in asserted(case, parser):
        if "http_status" not in expected:
            continue  # an error log line in the same file
        (outcome,) = read(web, [expected["message"].encode()], datetime(2026, 1, 1, tzinfo=UTC))
        assert isinstance(outcome, Event), expected["message"]
        fields = outcome.fields
        compared += 1
        assert fields["c-ip"] == expected["source_ip"]
        assert (fields["cs-method"], fields["cs-uri"]) == (expected["verb"], expected["request"])
        assert str(fields["sc-status"]) == expected["http_status"]
        assert fields.get("cs-user-agent", "-") == expected.get("http_user_agent", "-")
    assert compared >= 2


@pytest.mark.parametrize(
    ("case", "name", "dead"),
    [
        ("ssh-generic-test", "linux-sshd", 0),
        ("ssh-slow-bf", "linux-sshd", 0),
        ("sshd_banner_exchange", "linux-sshd", 0),
        ("nginx_http-logs", "web-access", 1),  # an error log line
        ("apache2-logs", "web-access", 2),  # error log lines
        ("cve_2022_37042", "web-access", 0),
        ("spring4shell_cve-2022-22965", "web-access", 0),
        ("calibre-web-whitelist", "web-access", 0),
    ],
)
def test_crowdsecs_logs_are_accounted_for(case: str, name: str, dead: int) -> None:
    (path,) = data("crowdsec-hubtests", case).glob("*.log")
    lines = [line for line in path.read_bytes().splitlines() if line.strip()]
    tally = counted(read(source(name), lines, datetime(2026, 12, 31, tzinfo=UTC)))
    assert tally["event"] == len(lines) - dead
    assert sum(tally.values()) == len(lines)
