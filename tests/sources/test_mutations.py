"""Twenty thousand spoilt records a source: each becomes an event, is ignored, or is dead, and none is anything else."""

import re
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from breachwatch.kernel.time import to_microseconds
from breachwatch.sources.event import DAY_US, Dead, Event, Ignored
from breachwatch.sources.registry import load_sources
from breachwatch.sources.source import Source

RECORDS = 20_000
BATCHES = 40
ARRIVED_US = to_microseconds(datetime(2026, 3, 28, 12, tzinfo=UTC))

SSHD = [
    b"Mar 27 13:06:56 shop sshd[71]: Failed password for invalid user bob from 192.0.2.7 port 4711 ssh2",
    b"Mar 27 13:06:56 shop sshd[71]: Failed publickey for ana from 2001:db8::7 port 4711 ssh2: RSA SHA256:x",
    b'<38>1 2026-03-27T13:06:56Z shop sshd 71 - [a b="c"] Accepted password for ana from 192.0.2.7 port 4711 ssh2',
    b"2026-03-27T13:06:56.5+01:00 shop sshd-session[71]: Invalid user bob from 192.0.2.7 port 4711",
    b"Feb 29 02:30:60 shop sshd[71]: message repeated 3 times: [ Failed password for a from 192.0.2.7 port 1 ssh2]",
    b"Oct 25 02:30:00 shop sshd[71]: Disconnecting invalid user a 192.0.2.7 port 1: Too many failures [preauth]",
    b"Mar 27 13:06:56 shop sshd[71]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh "
    b"ruser= rhost=192.0.2.7  user=ana",
    b"Mar 27 13:06:56 shop sshd[71]: Received disconnect from 2001:db8::1: 11: Bye [preauth]",
    b"Mar 27 13:06:56 shop CRON[1]: pam_unix(cron:session): session closed for user root",
]
ACCESS = [
    b'192.0.2.7 - - [27/Mar/2026:13:06:56 +0000] "GET /a?b=c HTTP/1.1" 200 512 "https://example.com/" "curl/8"',
    b'shop.example.com:443 2001:db8::7 - ana maria [27/Mar/2026:13:06:56 +0200] "GET / HTTP/2.0" 304 - "-" "-" 0.1',
    b'192.0.2.7 - - [27/Mar/2026:13:06:56] "\\x16\\x03\\x01\\"" 400 0',
]
AUDIT = [
    b'{"time":"2026-03-27T13:06:56Z","action":"login","outcome":"failure","client":{"ip":"192.0.2.7"},"login":"ana"}',
    b'{"time":"2026-03-27T13:06:56.123+01:00","action":"export","actor":{"id":"k"},"subjects":["a","b"],"records":9}',
    b'{"time":1774616816001,"user":{"name":"ana\\u0000"},"src_endpoint":{"ip":"192.0.2.7"},"x":[[[1e9]]],"y":null}',
]
CEF = [
    rb"<134>Mar 27 13:06:56 fw1 CEF:0|Acme|Wall|1.0|100|a \| b|7|src=192.0.2.7 suser=ana m msg=a\=b\n cs1Label=R cs1=x",
    b"CEF:0|Acme|Wall|1.0|100|n|High|start=Mar 27 2026 13:06:56.123 CET dst=198.51.100.1 rt=1774616816001 spt=4711",
]
LEEF = [
    b"LEEF:1.0|Acme|Wall|1.0|4000|src=192.0.2.7\tusrName=ana\tdevTime=Mar 27 2026 13:06:56\tsev=5",
    b"<13>1 2026-03-27T13:06:56Z h LEEF:2.0|Acme|W|1|4|^|src=192.0.2.7^devTime=2026-03-27^devTimeFormat=yyyy-MM-dd",
    b"LEEF:2.0|Acme|Wall|1.0|4000|x7C|src=192.0.2.7|usrName=ana|devTime=1774616816",
]
PAIRS = [
    b'time="2026-03-27T13:06:56Z" level=warning msg="failed \\"x\\" login \\u00e9" user=ana status=401 retry empty=',
    b"<189>date=2026-03-27 time=2026-03-27T13:06:56Z srcip=192.0.2.7 user='ana' act = x, eventtime=1774616816123456789",
]
RFC5424 = [
    rb'<165>1 2026-03-27T13:06:56.003Z host app 71 ID47 [ex@32473 iut="3" s="A\"pp\]"][b x="1" x="2"] text',
    b"<34>1 2026-03-27T13:06:56+01:00 host su - ID47 - \xef\xbb\xbfsu root failed",
]
SEEDS = {
    **{"linux-sshd": SSHD, "web-access": ACCESS, "app-audit": AUDIT, "generic-json": AUDIT},
    **{"generic-cef": CEF, "generic-leef": LEEF, "generic-logfmt": PAIRS, "generic-key-value": PAIRS},
    **{"generic-rfc5424": RFC5424},
    **{
        name: [record.encode() for record in records]
        for name, records in orjson.loads((Path(__file__).parent / "stored" / "text-records.json").read_bytes()).items()
    },
}
TOKENS = [
    *(
        b"\x00",
        b"\xff",
        b"\xc3",
        b"\r",
        b"\t",
        b'"',
        b"\\",
        b"\\x",
        b"[",
        b"]",
        b"{",
        b"}",
        b": ",
        b" from ",
        b" port ",
    ),
    *(b"99999999999999999999", b"-1", b"1899", b"9999", b"0000", b"NaN", b"1e999", b"\\u0000", b"\\ud800", b"%", b"*"),
    *("٣".encode(), "İ".encode(), b"[preauth]", b"null", b"true", b"<999>", b"::ffff:", b"Feb 29", b"60", b"T24:00"),
]


NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


def spoil(random: Random, seeds: list[bytes]) -> bytes:
    line = random.choice(seeds)
    for _ in range(random.randint(1, 4)):
        line = random.choice(WAYS)(random, line, seeds)
    return line


def _flip(random: Random, line: bytes, _seeds: list[bytes]) -> bytes:
    at = random.randrange(len(line) + 1)
    return line[:at] + bytes([random.randrange(256)]) + line[at + 1 :]


def _cut(random: Random, line: bytes, _seeds: list[bytes]) -> bytes:
    start, end = sorted(random.randrange(len(line) + 1) for _ in range(2))
    return line[:start] + line[end:] if random.random() < 0.7 else line[start:end]


def _insert(random: Random, line: bytes, _seeds: list[bytes]) -> bytes:
    at = random.randrange(len(line) + 1)
    return line[:at] + random.choice(TOKENS) * random.choice((1, 1, 1, 2, 50)) + line[at:]


def _repeat(random: Random, line: bytes, _seeds: list[bytes]) -> bytes:
    start, end = sorted(random.randrange(len(line) + 1) for _ in range(2))
    return line[:end] + line[start:end] * random.choice((1, 2, 20)) + line[end:]


def _splice(random: Random, line: bytes, seeds: list[bytes]) -> bytes:
    other = random.choice(seeds)
    return line[: random.randrange(len(line) + 1)] + other[random.randrange(len(other)) :]


WAYS: list[Callable[[Random, bytes, list[bytes]], bytes]] = [_flip, _cut, _insert, _repeat, _splice]


def account(source: Source, raw: bytes, counted: Counter[str]) -> None:
    outcome = source.parse(raw, ARRIVED_US)
    counted["records"] += 1
    counted[type(outcome).__name__] += 1
    keep_promises(source, raw, outcome)
    if isinstance(outcome, Event):
        assert 0 <= outcome.at_us <= ARRIVED_US + DAY_US
        assert source.to_ocsf(outcome)["time"] == outcome.at_us // 1000
        assert not NUL.search(orjson.dumps(outcome.fields))
    else:
        assert isinstance(outcome, Ignored | Dead)
        assert not outcome.reason.startswith("not read"), (outcome, raw)  # the net under the parser caught a bug


ODD = re.compile(rb'\\[x"\\/u]|\0')  # such records are read before anything is sought in them
RUN = re.compile(r"[A-Za-z]+")


def keep_promises(source: Source, raw: bytes, outcome: Event | Ignored | Dead) -> None:
    """A glance at a text gives the same verdict and time; what a source says stands in the record does."""
    if source.glance is not None and source.raw is not None and source.raw.escapes == "none":
        glanced = source.glance(raw, ARRIVED_US)
        assert type(glanced) is type(outcome), raw
        assert glanced[0] == outcome[0], raw
    if source.raw is None or not isinstance(outcome, Event) or ODD.search(raw) or not _is_text(raw):
        return
    record = raw.decode()
    for name, value in outcome.fields.items():
        if name in source.raw.derived:
            runs = RUN.findall(str(value)) if name in source.raw.pieced else []
            assert all(run in record for run in runs), (name, value, raw)
        elif type(value) is str and (source.raw.verbatim is None or name in source.raw.verbatim):
            text = orjson.dumps(value).decode()[1:-1] if source.raw.escapes == "json" else value
            assert text in record, (name, value, raw)


def _is_text(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


@pytest.mark.parametrize("name", list(SEEDS))
def test_spoilt_records_are_all_accounted_for(name: str) -> None:
    source = load_sources(timezone="Europe/Paris")[name]
    counted: Counter[str] = Counter()

    @settings(max_examples=BATCHES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.randoms(use_true_random=False, note_method_calls=False))
    def batch(random: Random) -> None:
        seeded = Random(random.getrandbits(64))  # noqa: S311 - reproducible, not secret
        for _ in range(RECORDS // BATCHES):
            account(source, spoil(seeded, SEEDS[name]), counted)

    for seed in range(BATCHES):  # at least twenty thousand, whatever hypothesis finds enough
        rolled = Random(seed)  # noqa: S311 - reproducible, not secret
        for _ in range(RECORDS // BATCHES):
            account(source, spoil(rolled, SEEDS[name]), counted)
    batch()
    assert counted["records"] >= RECORDS
    assert counted["records"] == counted["Event"] + counted["Ignored"] + counted["Dead"]
    assert counted["Event"] > RECORDS // 50, "the spoiling must leave something to read"


@pytest.mark.parametrize("name", list(SEEDS))
def test_no_line_made_of_repeats_stalls_a_parser(name: str) -> None:
    for seed in SEEDS[name]:
        cuts = [0, *(found.end() for found in re.finditer(rb"[ :,;=\[(\"]", seed)), len(seed)]
        for start, end in zip(cuts, cuts[3:], strict=False):  # nested repeats would take minutes, not milliseconds
            account(SOURCES[name], seed[:start] + seed[start:end] * (6_000 // (end - start)) + seed[end:], Counter())


@pytest.mark.parametrize("name", list(SEEDS))
@given(raw=st.binary(max_size=200))
def test_any_bytes_are_accounted_for(name: str, raw: bytes) -> None:
    account(SOURCES[name], raw, Counter())


SOURCES = load_sources()


@pytest.mark.parametrize("name", list(SEEDS))
@pytest.mark.parametrize("received_us", [0, -(10**18), 10**18, 253_402_300_799_000_000])
def test_an_arrival_at_any_time_is_borne(name: str, received_us: int) -> None:
    for raw in SEEDS[name]:
        outcome = SOURCES[name].parse(raw, received_us)
        assert isinstance(outcome, Event | Ignored | Dead)
        assert not getattr(outcome, "reason", "").startswith("not read")
