"""Definitions people write: what extends what, and every mistake with its address and its mending."""

from pathlib import Path

import pytest

from breachwatch.kernel.errors import ContentError
from breachwatch.sources import registry
from breachwatch.sources.event import Event
from breachwatch.sources.registry import load_sources

NOON_US = 1_774_700_000_000_000
SHOP = """
name: shop-api
title: The shop's API
extends: generic-json
logsource: {product: shop, service: api}
time: {field: ts, formats: [epoch_ms]}
required: [event.kind]
attributes:
  user.name: account.login
  src_endpoint.ip: {first_of: [forwarded_for, peer]}
  status: {first_of: [event.result], values: {ok: Success, denied: Failure}}
  message: null
constants: {class_uid: 3002}
allowed_lateness: PT1M
"""


def write(folder: Path, text: str, name: str = "shop.yml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def refused(*paths: Path) -> list[str]:
    with pytest.raises(ContentError) as caught:
        load_sources(paths)
    return [str(problem).removeprefix(f"{paths[-1].parent}/") for problem in caught.value.problems]


def test_the_package_brings_sources_called_as_their_files_are() -> None:
    definitions = Path(registry.__file__).parent / "definitions"
    assert sorted(load_sources()) == sorted(path.stem for path in definitions.glob("*.yml"))
    assert {"app-audit", "generic-json", "linux-sshd", "web-access"} <= set(load_sources())


def test_a_mapping_of_ones_own_turns_ones_json_into_ocsf(tmp_path: Path) -> None:
    source = load_sources([write(tmp_path, SHOP)])["shop-api"]
    raw = (
        b'{"ts": 1774616816001, "event": {"kind": "login", "result": "OK"}, '
        b'"account": {"login": "ana"}, "peer": "192.0.2.7"}'
    )
    outcome = source.parse(raw, NOON_US)
    assert isinstance(outcome, Event)
    assert source.to_ocsf(outcome) == {
        "time": 1774616816001,
        "class_uid": 3002,
        "user": {"name": "ana"},
        "src_endpoint": {"ip": "192.0.2.7"},
        "status": "Success",
    }
    assert "message" not in source.attributes
    assert source.logsource == {"product": "shop", "service": "api"}
    assert source.parse(b'{"ts": 1774616816001}', NOON_US).reason == "no event.kind"  # type: ignore[union-attr]
    assert source.parse(b'{"event": {}}', NOON_US).reason == "no time in ts"  # type: ignore[union-attr]


def test_a_definition_may_extend_the_file_before_it_and_adds_its_fields(tmp_path: Path) -> None:
    more = "name: audit-plus\ntitle: t\nextends: app-audit\nfields: [tenant]\nattributes: {cloud.org.uid: tenant}\n"
    plus = "name: audit-plus-plus\ntitle: t\nextends: audit-plus\nlogsource: {product: x}\n"
    sources = load_sources([write(tmp_path, more, "a.yml"), write(tmp_path, plus, "b.yml")])
    assert sources["audit-plus-plus"].native("cloud.org.uid") == ("tenant",)
    assert sources["audit-plus-plus"].native("action") == ("action",)


def test_a_time_zone_of_the_definition_wins_over_that_of_the_settings(tmp_path: Path) -> None:
    text = "name: local\ntitle: t\nextends: generic-json\ntime: {formats: ['%Y-%m-%d %H:%M'], timezone: Asia/Tokyo}\n"
    source = load_sources([write(tmp_path, text)], timezone="Europe/Paris")["local"]
    outcome = source.parse(b'{"time": "2026-03-27 13:06"}', NOON_US)
    assert source.to_ocsf(outcome)["time"] == 1_774_584_360_000  # type: ignore[arg-type]


BASE = "name: x\ntitle: t\nformat: json\nlogsource: {product: p}\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (BASE + "atributes: {a: b}\n", ['shop.yml:5:1: unknown key "atributes"; did you mean "attributes"?']),
        (
            BASE.replace("json", "jsn"),
            ['shop.yml:3:9: format: "jsn" is not one of the choices; did you mean "json"?'],
        ),
        (
            "name: x\nformat: json\nlogsource: {prodct: p}\n",
            [
                'shop.yml:1:1: missing key "title"',
                'shop.yml:3:13: unknown key "prodct"; did you mean "product"?',
            ],
        ),
        (BASE + "time: {feild: ts}\n", ['shop.yml:5:8: unknown key "feild"; did you mean "field"?']),
        (
            BASE + "time:\n  timezone: Europe/Pariss\n",
            [
                "shop.yml:6:13: time.timezone: no time zone is called 'Europe/Pariss'; "
                "use an IANA name such as Europe/Paris"
            ],
        ),
        (
            BASE + "time: {formats: [rfc3339, unix]}\n",
            [
                "shop.yml:5:27: time.formats.1: 'unix' is no time format; use rfc3339, iso8601, epoch, epoch_s, "
                "epoch_ms, epoch_us, epoch_ns, cef, or a pattern such as %d/%m/%Y %H:%M"
            ],
        ),
        (
            BASE + "fields: [user, peer]\nattributes: {user.name: usr}\n",
            ['shop.yml:6:25: field "usr" is not among the fields of this source; did you mean "user"?'],
        ),
        (BASE + "parser: sshd\n", ["shop.yml:5:9: only lines and syslog-lines take a parser"]),
        (BASE.replace("json", "syslog-lines"), ["shop.yml:3:9: syslog-lines needs a parser"]),
        (
            BASE.replace("json", "combined") + "time: {field: t}\n",
            ["shop.yml:5:7: format: combined knows where its time is; only time.timezone may be told"],
        ),
        (BASE + "allowed_lateness: P30D\n", ["shop.yml:5:19: allowed_lateness: must lie between PT0S and P7D"]),
        (
            BASE + "extends: generic-jsn\n",
            ['shop.yml:5:10: there is no source "generic-jsn" to extend; did you mean "generic-json"?'],
        ),
        (
            BASE.replace("name: x", "name: app-audit"),
            ['shop.yml:1:7: the name "app-audit" is taken; choose another, with extends: app-audit'],
        ),
        ("- a\n", ["shop.yml:1:1: a source definition must be a mapping of keys"]),
        ("", ["shop.yml:1:1: a source definition must be a mapping of keys"]),
        (
            BASE + "description: &a x\nconstants: {a: *a, b: !!python/name:os.system x}\n",
            [
                "shop.yml:5:14: anchor &a is not allowed; write the value out where it is needed",
                "shop.yml:6:16: alias *a is not allowed; write the value out again",
                "shop.yml:6:23: tag !!python/name:os.system is not allowed here; leave it out",
            ],
        ),
        (BASE + "title: u\n", ['shop.yml:5:1: duplicate key "title"; it stands already at 2:1']),
    ],
)  # fmt: skip
def test_each_mistake_has_an_address_and_a_mending(tmp_path: Path, text: str, expected: list[str]) -> None:
    found = refused(write(tmp_path, text))
    assert [line.split("; known:")[0] for line in found] == expected


def test_all_mistakes_of_all_files_come_at_once(tmp_path: Path) -> None:
    one, two = write(tmp_path, BASE + "a: 1\nb: 2\n", "one.yml"), write(tmp_path, "[", "two.yml")
    assert [line.split(":")[:2] for line in refused(one, two)] == [["one.yml", "5"], ["one.yml", "6"], ["two.yml", "2"]]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert refused(tmp_path / "none.yml") == ["none.yml: cannot be read: No such file or directory"]


def test_a_time_zone_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ContentError, match="no time zone is called 'Europe/Pari'"):
        load_sources(timezone="Europe/Pari")


def test_a_source_of_another_zone_reads_its_local_times_so_and_answers_to_the_same_rules() -> None:
    sources = load_sources(timezone="UTC", zoned=[("linux-sshd", "Europe/Berlin"), ("nothing", "Europe/Berlin")])
    here, there = sources["linux-sshd"], sources["linux-sshd@Europe/Berlin"]
    line = b"Mar 27 13:00:00 web-1 sshd[7]: Failed password for root from 198.51.100.7 port 4711 ssh2"
    received = 1_774_656_000_000_000
    one, other = here.parse(line, received), there.parse(line, received)
    assert isinstance(one, Event)
    assert isinstance(other, Event)
    assert one.at_us - other.at_us == 3_600_000_000, "13:00 in Berlin is an hour before 13:00 UTC in winter time"
    assert there.name == "linux-sshd@Europe/Berlin"
    assert (there.logsource, there.title, there.attributes) == (here.logsource, here.title, here.attributes)
    assert "nothing@Europe/Berlin" not in sources
