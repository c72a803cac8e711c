"""CrowdSec's parser assertions: each value that its parser took from a line, beside what the source here reads.

`parser.assert` says of every line and parser what it found (`Evt.Parsed`, `Evt.Meta`), and when it happened
(`MarshaledTime`). A value is compared where it has a counterpart here (`NAMES`); what CrowdSec says of itself (its
labels, paths, the line's own text) has none. A line is right when all of its values are.
"""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from bench.conformance.cases import ARRIVED, Case, data, read, told_time
from breachwatch.sources.event import Event

Fields = dict[str, Any]
Look = Callable[[Fields], Any]

_ASSERTED = re.compile(
    r'results\["s01-parse"\]\["([^"]+)"\]\[(\d+)\]\.(?:Evt\.(Parsed|Meta)\["(\w+)"\] == (.*)|Success == (.*))'
)
_TIMED = re.compile(
    r'results\["s02-enrich"\]\["\w+/dateparse-enrich"\]\[(\d+)\]\.Evt\.Enriched\["MarshaledTime"\] == "(.*)"'
)

SOURCES = {
    "crowdsecurity/apache2-logs": "apache",
    "crowdsecurity/caddy-logs": "caddy",
    "crowdsecurity/dovecot-logs": "mail-server",
    "crowdsecurity/dropbear-logs": "linux-auth",
    "crowdsecurity/exim-logs": "mail-server",
    "crowdsecurity/haproxy-logs": "haproxy",
    "crowdsecurity/iis-logs": "iis",
    "crowdsecurity/modsecurity": "apache",
    "crowdsecurity/mysql-logs": "mysql",
    "crowdsecurity/nginx-logs": "nginx",
    "crowdsecurity/pam-logs": "linux-auth",
    "crowdsecurity/pgsql-logs": "postgresql",
    "crowdsecurity/pkexec-logs": "linux-auth",
    "crowdsecurity/postfix-logs": "mail-server",
    "crowdsecurity/sshd-logs": "linux-sshd",
    "crowdsecurity/sshd-success-logs": "linux-sshd",
    "crowdsecurity/supabase-docker-pgsql": "postgresql",
    "crowdsecurity/traefik-logs": "traefik",
    "crowdsecurity/mssql-text-logs": "mssql",
    "hitech95/nginx-mail-logs": "nginx",
    "timokoessler/mongodb-logs": "mongodb",
    "nicoh88/proxmox-backup-auth-logs": "",
}
"""By parser of CrowdSec: the source here; empty where a parser's name resembles one and is none."""


def of(*names: str) -> Look:
    def look(fields: Fields) -> Any:
        return next((fields[name] for name in names if fields.get(name) not in {None, ""}), None)

    return look


def host(fields: Fields) -> Any:
    name = str(fields.get("cs-host", fields.get("s-sitename", "")))
    return (name, _PORT.sub("", name))


def port(fields: Fields) -> Any:
    found = _PORT.search(str(fields.get("cs-host", "")))
    return found[1] if found else fields.get("src_port")


def either(*names: str) -> Look:
    return lambda fields: tuple(fields.get(name) for name in names)


def level(fields: Fields) -> Any:
    return (fields.get("level"), f"{fields.get('module', '')}:{fields.get('level')}")


def frontend(fields: Fields) -> Any:
    return (fields.get("frontend"), f"{fields.get('frontend')}~")


def protocol(fields: Fields) -> str:
    return str(fields.get("service", "")).removesuffix("-login")


def tag(number: int) -> Look:
    def look(fields: Fields) -> Any:
        tags = fields.get("modsec_tags", [])
        return tags[number] if number < len(tags) else None

    return look


_PORT = re.compile(r":(\d+)$")
_WHO = of("src_ip", "c-ip")
_USER = of("user", "cs-username")
_TARGET = either("target_user", "user", "cs-username")
NAMES: dict[str, Look] = {
    **dict.fromkeys(
        ("source_ip", "remote_addr", "clientip", "client_ip", "remote_ip", "client", "dovecot_remote_ip", "sourcehost"),
        _WHO,
    ),
    **dict.fromkeys(
        ("username", "user", "dovecot_user", "pgsql_target_user", "pgsql_user", "sshd_invalid_user"), _USER
    ),
    **dict.fromkeys(("remote_user", "auth"), of("cs-username")),
    "target_user": _TARGET,
    "sshd_client_ip": _WHO,
    **dict.fromkeys(("source_port", "clientport", "client_port"), of("src_port")),
    "port": port,
    **dict.fromkeys(("http_status", "status", "response", "http_status_code", "http_code"), of("sc-status")),
    **dict.fromkeys(("http_verb", "verb"), of("cs-method")),
    **dict.fromkeys(("request", "http_request"), of("cs-uri")),
    "http_path": either("cs-uri", "cs-uri-stem", "path"),
    **dict.fromkeys(("http_user_agent",), of("cs-user-agent")),
    **dict.fromkeys(("http_referer", "referrer"), of("cs-referer")),
    **dict.fromkeys(("http_version", "httpversion"), of("cs-version")),
    **dict.fromkeys(("body_bytes_sent", "bytes", "bytes_read"), of("sc-bytes")),
    "http_args": of("cs-uri-query"),
    "target_fqdn": host,
    "cid": of("connection"),
    **dict.fromkeys(("loglevel", "apacheseverity"), level),
    **dict.fromkeys(("pid", "PID"), of("pid")),
    "tid": of("tid"),
    "module": of("module"),
    "errorcode": of("error_code"),
    "target_uri": of("path"),
    **dict.fromkeys(("pgsql_dbname", "db"), of("dbname")),
    "authentication_database": of("dbname"),
    "auth_method": of("auth_method"),
    "machine": of("host"),
    **{"uid": of("uid"), "euid": of("euid"), "logname": of("logname"), "tty": of("tty"), "ruser": of("ruser")},
    **{"dovecot_local_ip": of("dst_ip"), "dovecot_user_backend": of("backend"), "protocol": protocol},
    **{"frontend_name": frontend, "backend_name": of("backend"), "server_name": either("server", "listener")},
    **{"termination_state": of("termination_state"), "time_duration": of("time_taken_ms")},
    **{
        "ruleid": of("modsec_id"),
        "rule_id": of("modsec_id"),
        "rulefile": of("modsec_file"),
        "ruleline": of("modsec_line"),
    },
    **{"rulemessage": of("modsec_msg"), "modsec_message": of("modsec_msg"), "ruledata": of("modsec_data")},
    **{"modsec_ruledata": of("modsec_data"), "ruleseverity": of("modsec_severity"), "uniqueid": of("unique_id")},
    **{"targethost": host, "targeturi": of("cs-uri"), "phase": of("modsec_phase"), "modsec_phase": of("modsec_phase")},
    **{f"ruletag{number}": tag(number) for number in range(8)},
}
"""By name of CrowdSec: where the value is here."""


class Expected:
    """What CrowdSec asserts of the lines of one case and parser."""

    def __init__(self) -> None:
        self.values: dict[int, dict[str, str]] = {}
        self.parsed: dict[int, bool] = {}


def asserted(case: str) -> tuple[dict[str, Expected], dict[int, str]]:
    """By parser what is asserted of each line; and the times, by their position among the lines that got one."""
    parsers: dict[str, Expected] = {}
    times: dict[int, str] = {}
    for line in data("crowdsec-hubtests", case, "parser.assert").read_text(encoding="utf-8").split("\n"):
        if found := _ASSERTED.match(line):
            parser, index, kind, name, value, success = found.groups()
            expected = parsers.setdefault(parser, Expected())
            if success is not None:
                expected.parsed[int(index)] = success.strip() == "true"
            elif value.startswith('"'):
                key = f"{kind}.{name}"
                expected.values.setdefault(int(index), {})[key] = json.loads(value)
        elif found := _TIMED.match(line):
            times[int(found[1])] = found[2]
    return parsers, times


def cases() -> list[Case]:
    """Every line that a parser of a source here has parsed in CrowdSec's tests."""
    found: list[Case] = []
    for path in sorted(data("crowdsec-hubtests").iterdir()):
        if (path / "parser.assert").exists():
            found += _cases(path.name)
    return found


def values() -> tuple[int, int]:
    """Right and all, counted by value and not by line."""
    right = every = 0
    for path in sorted(data("crowdsec-hubtests").iterdir()):
        if (path / "parser.assert").exists():
            for _, _, _, wrong, count in _compared(path.name):
                right, every = right + count - len(wrong), every + count
    return right, every


def _cases(case: str) -> list[Case]:
    return [
        Case(f"{source} ({parser})", f"{case}:{index + 1}", ", ".join(wrong))
        for source, parser, index, wrong, _ in _compared(case)
    ]


def _compared(case: str) -> list[tuple[str, str, int, list[str], int]]:
    parsers, times = asserted(case)
    lines = lines_of(case)
    places = {parser: _places(expected, lines) for parser, expected in parsers.items()}
    timed = _times(places, times)
    found = []
    for parser, expected in parsers.items():
        source = SOURCES.get(parser)
        for index, place in places[parser].items() if source else ():
            line = _carried(parser, lines[place])
            wrong, count = _differences(source or "", line, expected.values.get(index, {}), timed.get(place))
            found.append((source or "", parser, place, wrong, count))
    return found


def _places(expected: Expected, lines: list[str]) -> dict[int, int]:
    """Which line each of a parser's results is of: the next that holds most of the asserted values."""
    places: dict[int, int] = {}
    at = -1
    for index in sorted(index for index, good in expected.parsed.items() if good):
        texts = [value for value in expected.values.get(index, {}).values() if len(value) > 2]
        ahead = range(at + 1, len(lines))
        if not ahead:
            break
        at = max(ahead, key=lambda place: (sum(text in lines[place] for text in texts), -place))
        places[index] = at
    return places


def _carried(parser: str, line: str) -> str:
    """A line with the header that the case leaves to a label: dropbear's own lines tell neither time nor program."""
    return f"Aug 14 11:00:00 host dropbear: {line}" if "dropbear" in parser and "dropbear" not in line else line


def lines_of(case: str) -> list[str]:
    (path,) = data("crowdsec-hubtests", case).glob("*.log")
    text = path.read_text(encoding="utf-8", errors="surrogateescape")
    if text.lstrip().startswith("<Event"):
        return [text.strip()]
    return [line for line in text.split("\n") if line.strip()]


def _times(places: dict[str, dict[int, int]], times: dict[int, str]) -> dict[int, str]:
    """Times by line: enrichment saw the lines that some parser had parsed, in order."""
    parsed = sorted({place for of_parser in places.values() for place in of_parser.values()})
    return {place: times[position] for position, place in enumerate(parsed) if position in times}


def _differences(source: str, line: str, values: dict[str, str], time: str | None) -> tuple[list[str], int]:
    outcome = read(source, line, _arrival(time))
    asked = {key: value for key, value in values.items() if key.partition(".")[2] in NAMES}
    if not isinstance(outcome, Event):
        return [f"not read: {outcome.reason}"] * max(1, len(asked)), max(1, len(asked))
    wrong = [key for key, value in asked.items() if not _same(NAMES[key.partition(".")[2]](outcome.fields), value)]
    if time is not None and not _same_time(outcome, time):
        wrong.append("time")
    return wrong, len(asked) + (time is not None)


def _arrival(time: str | None) -> datetime:
    if time is None:
        return ARRIVED
    told = datetime.fromisoformat(re.sub(r"(\.\d{6})\d*", r"\1", time).replace("Z", "+00:00"))
    return min(told + timedelta(hours=26), ARRIVED + timedelta(days=3650)) if told.year > 2000 else ARRIVED


def _same(mine: Any, theirs: str) -> bool:
    if isinstance(mine, tuple):
        return any(_same(each, theirs) for each in mine)
    if mine is None:
        return theirs in {"", "-", "null", "(null)"}
    text = str(mine)
    return text == theirs or text == theirs.replace("+", " ") or text.lower() == theirs.lower()


def _same_time(outcome: Event, time: str) -> bool:
    told = datetime.fromisoformat(re.sub(r"(\.\d{6})\d*", r"\1", time).replace("Z", "+00:00"))
    apart = (told_time(outcome) - told.astimezone(UTC)).total_seconds()
    return abs(apart) < 0.002 or (told.microsecond == 0 and 0 <= apart < 1)  # its parser keeps whole seconds


WHY: dict[str, str] = {}
