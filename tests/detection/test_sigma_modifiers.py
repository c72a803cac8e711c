"""Every modifier of the Sigma specification 2.1 (appendix: modifiers), as what it says of an event."""

import base64
from collections.abc import Callable
from typing import Any

import pytest

from breachwatch.detection.sigma.sigma_detection import MODIFIERS
from breachwatch.detection.sigma.sigma_documents import read_documents
from breachwatch.kernel.errors import Problem

Holds = Callable[..., bool]


def encoded(text: str, encoding: str = "utf-8", before: str = "") -> str:
    return base64.b64encode((before + text).encode(encoding)).decode()


# (modifiers and value as written, value of the field, whether it holds)
SAID: dict[str, list[tuple[str, Any, bool]]] = {
    "contains": [
        ("f|contains: evil", "an EVIL thing", True),
        ("f|contains: evil", "devil", True),
        ("f|contains: evil", "good", False),
        (r"f|contains: 'a\*b'", "xa*bx", True),
        (r"f|contains: 'a\*b'", "xaxbx", False),
        ("f|contains: 'a*b'", "xa---bx", True),
        ("f|contains: 429", "00000429", True),
        ("f|contains: 00000429", "value 00000429", True),
        ("f|contains: 00000429", "value 429", False),
        ("f|contains: true", "it is TRUE", True),
    ],
    "startswith": [
        ("f|startswith: cmd", "CMD /c", True),
        ("f|startswith: cmd", "xcmd", False),
        (r"f|startswith: 'C:\Windows\'", r"c:\windows\system32", True),
    ],
    "endswith": [
        (r"f|endswith: '\cmd.exe'", r"C:\Windows\System32\CMD.EXE", True),
        (r"f|endswith: '\cmd.exe'", r"C:\cmd.exe.txt", False),
    ],
    "all": [
        ("f|contains|all: [a, b]", "xaxb", True),
        ("f|contains|all: [a, b]", "xa", False),
        ("f|contains: [a, b]", "xa", True),
        ("f|all: [a*, '*b']", ["ab"], True),
    ],
    "cased": [
        ("f|cased: Abc", "Abc", True),
        ("f|cased: Abc", "abc", False),
        ("f|contains|cased: Abc", "xAbcx", True),
        ("f|contains|cased: Abc", "xabcx", False),
    ],
    "re": [
        ("f|re: '^a.c$'", "abc", True),
        ("f|re: 'b'", "abc", True),
        ("f|re: 'B'", "abc", False),
        (r"f|re: '\d{3}'", 4711, True),
        (r"f|re: '^(?!.*example\.org).*example'", "www.example.com", True),
        (r"f|re: '^(?!.*example\.org).*example'", "www.example.org", False),
        (r"f|re: '^(?=.*a)(?=.*b)'", "xbxa", True),
        (r"f|re: '^(?=.*a)(?=.*b)'", "xbx", False),
        (r"f|re|contains: 'a|b'", "xbx", True),
    ],
    "i": [("f|re|i: '^ABC$'", "abc", True), ("f|re: '(?i)^ABC$'", "abc", True)],
    "ignorecase": [("f|re|ignorecase: '^ABC$'", "abc", True)],
    "m": [("f|re|m: '^b$'", "a\nb\nc", True), ("f|re: '^b$'", "a\nb\nc", False)],
    "multiline": [("f|re|multiline: '^b$'", "a\nb", True)],
    "s": [("f|re|s: 'a.b'", "a\nb", True), ("f|re: 'a.b'", "a\nb", False)],
    "dotall": [("f|re|dotall: 'a.b'", "a\nb", True)],
    "cidr": [
        ("f|cidr: 192.0.2.0/24", "192.0.2.77", True),
        ("f|cidr: 192.0.2.0/24", "198.51.100.1", False),
        ("f|cidr: 192.0.2.0/24", "::ffff:192.0.2.1", True),
        ("f|cidr: 192.0.2.0/24", "no address", False),
        ("f|cidr: '2001:db8::/32'", "2001:DB8::1", True),
        ("f|cidr: '2001:db8::/32'", "2001:db9::1", False),
        ("f|cidr: [192.0.2.0/24, 198.51.100.0/24]", "198.51.100.9", True),
    ],
    "base64": [
        ("f|base64: attack", encoded("attack"), True),
        ("f|base64|contains: attack!", f"x{encoded('attack!')}x", True),
        ("f|base64: attack", "attack", False),
    ],
    "base64offset": [
        ("f|base64offset|contains: attack", encoded("attack"), True),
        ("f|base64offset|contains: attack", encoded("1attack"), True),
        ("f|base64offset|contains: attack", encoded("22attack"), True),
        ("f|base64offset|contains: attack", encoded("atta ck"), False),
        ("f|base64offset|contains|all: [attack, vector]", encoded("an attack and a vector"), True),
        ("f|base64offset|contains|all: [attack, vector]", encoded("an attack"), False),
    ],
    "wide": [
        ("f|wide|base64offset|contains: IEX", encoded("x IEX (", "utf-16le"), True),
        ("f|wide|base64offset|contains: IEX", encoded("x IEX ("), False),
        ("f|wide|contains: ab", "xa\0b\0", True),
    ],
    "utf16le": [("f|utf16le|base64offset|contains: IEX", encoded("x IEX (", "utf-16le"), True)],
    "utf16be": [("f|utf16be|base64offset|contains: IEX", encoded("x IEX (", "utf-16be"), True)],
    "utf16": [
        ("f|utf16|base64: IEX", base64.b64encode(b"\xff\xfe" + "IEX".encode("utf-16le")).decode(), True),
        ("f|utf16|base64: IEX", encoded("IEX", "utf-16le"), False),
    ],
    "windash": [
        ("f|windash|contains: ' -f'", "cmd -f x", True),
        ("f|windash|contains: ' -f'", "cmd /f x", True),
        ("f|windash|contains: ' -f'", "cmd \u2013f x", True),
        ("f|windash|contains: ' -f'", "cmd \u2014f x", True),
        ("f|windash|contains: ' -f'", "cmd \u2015f x", True),
        ("f|windash|contains: ' /f'", "cmd -f x", True),
        ("f|windash|contains: ' -f'", "cmd +f x", False),
        ("f|windash|contains: ' -no-exit'", "cmd /no-exit", True),  # a dash within a word stays
        ("f|windash|contains: ' -no-exit'", "cmd -no/exit", False),
        ("f|windash|contains|all: [' -a', ' -b']", "cmd /a -b", True),
    ],
    "lt": [("f|lt: 5", 4, True), ("f|lt: 5", 5, False), ("f|lt: 5", "4.5", True), ("f|lt: 5", "few", False)],
    "lte": [("f|lte: 5", 5, True), ("f|lte: 5", 6, False)],
    "gt": [("f|gt: 5", 6, True), ("f|gt: 5", 5, False), ("f|gt: '5'", 6, True), ("f|gt: 1.5", 1.6, True)],
    "gte": [("f|gte: 5", 5, True), ("f|gte: 5", "4", False), ("f|gte: -1", 0, True)],
    "exists": [
        ("f|exists: true", "x", True),
        ("f|exists: true", None, False),
        ("f|exists: false", None, True),
        ("f|exists: yes", "x", True),
    ],
    "fieldref": [
        ("f|fieldref: g", "same", True),
        ("f|fieldref: g", "SAME", True),
        ("f|fieldref: g", "other", False),
        ("f|fieldref|startswith: g", "same and more", True),
        ("f|fieldref|endswith: g", "quite the same", True),
        ("f|fieldref|contains: g", "the same here", True),
        ("f|fieldref|contains: g", "the sam", False),
    ],
    "neq": [
        ("f|neq: a", "b", True),
        ("f|neq: a", "A", False),
        ("f|neq: [a, b]", "c", True),
        ("f|neq: [a, b]", "b", False),
        ("f|contains|neq: a", "xax", False),
        ("f|neq: 0x10", "0x10", False),
        ("f|neq: 0x10", 17, True),
    ],
    "minute": [("f|minute: 30", "2026-03-27T14:30:00Z", True), ("f|minute: 31", "2026-03-27T14:30:00Z", False)],
    "hour": [
        ("f|hour: 14", "2026-03-27T14:30:00Z", True),
        ("f|hour: 14", "2026-03-27T14:30:00+02:00", True),
        ("f|hour|gte: 20", "2026-03-27T14:30:00Z", False),
        ("f|hour: 0", 0, True),
        ("f|hour: 3", "no time", False),
    ],
    "day": [("f|day: 27", "2026-03-27T14:30:00Z", True), ("f|day|lt: 27", "2026-03-27T14:30:00Z", False)],
    "week": [("f|week: 13", "2026-03-27T14:30:00Z", True), ("f|week: 12", "2026-03-27T14:30:00Z", False)],
    "month": [("f|month: 3", "2026-03-27T14:30:00Z", True), ("f|month: [1, 2]", "2026-03-27T14:30:00Z", False)],
    "year": [("f|year: 2026", "2026-03-27T14:30:00Z", True), ("f|year|gt: 2026", 1_774_621_800_000, False)],
    "none": [
        ("f: AbC", "aBc", True),
        ("f: 'a*'", "abc", True),
        ("f: 'a?c'", "abc", True),
        ("f: 'a?c'", "ac", False),
        (r"f: 'a\*'", "a*", True),
        (r"f: 'a\*'", "ab", False),
        (r"f: 'a\?'", "a?", True),
        (r"f: 'a\\*'", r"a\xyz", True),  # an escaped backslash, then a wildcard
        (r"f: 'a\\\*'", r"a\*", True),  # an escaped backslash, then an escaped asterisk
        (r"f: 'a\\\*'", r"a\x", False),
        (r"f: 'C:\x'", r"c:\X", True),  # a backslash before anything else is itself
        ("f: ''", "", True),
        ("f: ''", "x", False),
        ("f: ''", None, False),
        ("f: null", None, True),
        ("f:", None, True),
        ("f: null", "x", False),
        ("f: []", None, True),
        ("f: [null, x]", None, True),
        ("f: [null, x]", "x", True),
        ("f: 404", 404, True),
        ("f: 404", "404", True),
        ("f: 404", 404.0, True),
        ("f: '404'", 404, True),
        ("f: 404", True, False),
        ("f: 1", True, False),
        ("f: 1.5", "1.5", True),
        ("f: 0x1410", "0x1410", True),
        ("f: 0x1410", 5136, True),
        ("f: 12345678901234567", 12345678901234567, True),  # no float holds it
        ("f: 12345678901234567", "12345678901234567", True),
        ("f: 12345678901234567", 12345678901234568, False),
        ("f: 007", "007", True),
        ("f: 007", 7, False),
        ("f: true", True, True),
        ("f: true", "True", True),
        ("f: 'true'", True, True),
        ("f: false", True, False),
        ("f: false", None, False),
        ("f: no", "NO", True),
        ("f: [a, b]", "b", True),
        ("f: [a, b]", "c", False),
        ("f: a", ["x", "a"], True),  # a list-valued field holds if any of its members does
        ("f: a", ["x"], False),
    ],
}


@pytest.mark.parametrize(
    ("written", "value", "expected"),
    [each for several in SAID.values() for each in several],
    ids=str,
)
def test_a_modifier_means_what_the_specification_says(holds: Holds, written: str, value: Any, expected: bool) -> None:
    event = {} if value is None else {"f": value}
    assert holds(f"s:\n  {written}\ncondition: s", {**event, "g": "same"}) is expected


def test_every_modifier_is_tried_above() -> None:
    assert set(MODIFIERS) - {"expand"} == set(SAID) - {"none"}


def problems_of(lines: str, placeholders: dict[str, tuple[str, ...]] | None = None) -> list[Problem]:
    text = f"title: t\nlogsource: {{category: any}}\ndetection:\n  s:\n{lines}\n  condition: s\n"
    return read_documents(text.encode(), "rule.yml", placeholders)[1]


@pytest.mark.parametrize(
    ("line", "at", "message"),
    [
        ("    f|contans: x", "5:5", 'unknown modifier "contans"; did you mean "contains"?'),
        ("    f|gt: many", "5:11", '"gt" cannot be asked of a text'),
        ("    f|gt: [1, many]", "5:15", '"gt" cannot be asked of a number or a text'),
        ("    f|contains: null", "5:17", '"contains" cannot be asked of nothing'),
        ("    f|contains: [a, null]", "5:21", '"contains" cannot be asked of a text or nothing'),
        ("    f|exists: maybe", "5:15", '"exists" cannot be asked of a text'),
        ("    f|cidr: 192.0.2.0/33", "5:13", "Invalid CIDR expression"),
        ("    f|cidr: 192.0.2.1/24", "5:13", "has host bits set"),
        ("    f|base64: 'a*b'", "5:15", "strings with wildcards is not allowed"),
        ("    f|fieldref: 'g*'", "5:17", "must not contain wildcards"),
        ("    f|windash: '-a -b -c -d'", "5:16", "at most three dash"),
        ("    f|wide: 'né'", "5:13", "only allowed for ascii"),
        ("    f|contains|re: x", "5:20", "only applicable to unmodified values"),
        ("    f|i: x", "5:10", '"i" cannot be asked of a text'),
        ("    f|re: 'a(?=b)'", "5:11", "looks ahead"),
        ("    f|re: '(?<=a)b'", "5:11", "looks behind"),
        (r"    f|re: '(a)\1'", "5:11", "refers back to a group"),
        ("    f|re: 'a(?>b)'", "5:11", "atomic group"),
        ("    f|re: 'a++'", "5:11", "possessive quantifier"),
        ("    f|re: '(a'", "5:11", "cannot be read: missing )"),
        ("    f|re: 'x{1000}{1000}'", "5:11", "cannot be read"),
        ("    f|re: ['ok', '(a']", "5:18", "cannot be read"),
        ("    f|expand: '%who%'", "5:15", "nothing says what the placeholder %who% stands for"),
        ("    f: {a: b}", "5:8", "not a mapping or nested list"),
        ("    f: [[a]]", "5:8", "not a mapping or nested list"),
        ("    f|minute: now", "5:15", '"minute" cannot be asked of a text'),
    ],
)
def test_what_cannot_be_decided_is_refused_at_its_place(line: str, at: str, message: str) -> None:
    (problem,) = problems_of(line)
    assert str(problem).startswith(f"rule.yml:{at}: ")
    assert message in str(problem)


# (value as written, the texts given, value of the field, whether it holds)
EXPANDED = [
    ("f|expand: '%who%'", "ALICE", True),
    ("f|expand: '%who%'", "bob-7", True),  # wildcards in what is given stay wildcards
    ("f|expand: '%who%'", "carol", False),
    ("f|contains|expand: '%who%'", "it was alice.", True),
    ("f|expand: '%who%@%where%'", "alice@example.org", True),
    ("f|expand: '%who%@%where%'", "alice@example.net", False),
    ("f|expand: ['%who%', carol]", "carol", True),
    ("f|re|expand: '^%who%$'", "bob-7", True),
    ("f|re|expand: '^%where%$'", "exampleXcom", False),  # what is given is text, not expression
    ("f|cidr|expand: '%net%'", "192.0.2.9", True),
    ("f|base64|expand: '%where%'", encoded("example.com"), True),
    ("f|expand: '100%'", "100%", True),
]


@pytest.mark.parametrize(("written", "value", "expected"), EXPANDED)
def test_expand_puts_in_what_the_operator_says(holds: Holds, written: str, value: str, expected: bool) -> None:
    given = {"who": ("alice", "bob*"), "where": ("example.com", "example.org"), "net": ("192.0.2.0/24",)}
    assert holds(f"s:\n  {written}\ncondition: s", {"f": value}, placeholders=given) is expected


def test_a_placeholder_that_is_nearly_known_is_hinted_at() -> None:
    (problem,) = problems_of("    f|expand: '%admins%'", {"admin": ("x",)})
    assert problem.hint == 'did you mean "admin"?'


def test_placeholders_do_not_multiply_without_end() -> None:
    (problem,) = problems_of("    f|expand: '%a%%a%%a%'", {"a": tuple(map(str, range(100)))})
    assert "more than 20000 texts" in problem.message
