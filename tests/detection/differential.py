"""Random rules and random records: the finder against the plain evaluator, until they differ.

    .venv/bin/python tests/detection/differential.py --comparisons 1000000

A comparison is one rule asked about one record, on both sides. A difference is told with the seed of its round, which
brings it back (`--round SEED`). Records are written as oddly as JSON allows, so that looking before reading is put to
the test: escapes, letters that fold onto ASCII, numbers spelt in several ways, keys twice, dots in keys, lists, and
bytes that are no text.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, timedelta
from random import Random
from typing import Any

from plain import holds

from breachwatch.detection import conditions as c
from breachwatch.detection.matching.finder import Finder
from breachwatch.detection.rules import Rule
from breachwatch.sources.event import Dead, Event, Outcome, printable
from breachwatch.sources.formats.event_reader import Derived, event_reader
from breachwatch.sources.formats.json_glance import Glanced
from breachwatch.sources.formats.json_lines import json_parser
from breachwatch.sources.formats.json_survey import Surveyor
from breachwatch.sources.formats.times import reader
from breachwatch.sources.source import Raw, Source

RECEIVED_US = 1_800_000_000_000_000
RULES, RECORDS = 40, 125
FIELDS = ["a", "b", "deep.x", "deep.y.z", "list", "objects.k", "number", "time"]
NAMES = {"alias": "a", "ocsf.name": "deep.x", "status": "ocsf.status", "made": "made"}
CONSTANTS = {"class_uid": 3002, "kind": "Sign-in"}
WORDS = [
    *("powershell", "Cmd.exe", r"\system32" + "\\", "C:\\Users\\", "/etc/passwd", "lsass", "mask", "sekurlsa", "-enc "),
    *("404", "4.5", "10.0.0.7", "1e3", "true", "é", "naïve", "日本", 'say "hi"', "a\tb", "tab\\tab", "%2e%2e/", "^^"),
    *(
        "kk",
        "ss",
        "ii",
        "\u212aelvin",
        "ſecret",
        "İstanbul",
        "ΣΑΣ",
        "straße",
        "x",
        "",
        "\x7f",
        "http://h/p?q=1",
        "null",
    ),
    *("\\u0041", "\\/", "u00e9", "2001:db8::7", "192.0.2.9", "2026-03-27T13:06:56+01:00", "corp", "anna", "😀", "가나"),
    *("a/b/c", "/x", "//share", "\\xff", "\\x00end", "d\\x41"),
]
NUMBERS = ["0", "1", "404", "404.0", "4.04e2", "4.5", "4.50", "45e-1", "-7", "1700000000", "1700000000000", "3.0e3"]
PATTERNS = [
    "pow.*l",
    "(lsass|mask)",
    "^C:",
    "s[aeu]k+",
    "x?404",
    "(pass){1,2}wd",
    "e.c",
    "(?:-enc|/etc)",
    "ß|日",
    "k{2}",
]


def word(rng: Random) -> str:
    text = "".join(rng.choices(WORDS, k=rng.choice((1, 1, 1, 2, 3))))
    return rng.choice((text, text, text.upper(), text.lower(), text.title()))


def part(rng: Random) -> str:
    """Something that a value may hold: a word, or a piece of one."""
    text = word(rng)
    if rng.random() < 0.4 and len(text) > 3:
        start = rng.randrange(len(text) - 2)
        return text[start : start + rng.randint(2, 8)]
    return text


def text(rng: Random) -> c.Text:
    parts: list[str | c.Wild] = [part(rng) for _ in range(rng.choice((1, 1, 1, 2)))]
    for at in range(len(parts) - 1, 0, -1):
        parts.insert(at, c.Wild(rng.random() < 0.8))
    if rng.random() < 0.6:
        parts.insert(0, c.Wild(rng.random() < 0.9))
    if rng.random() < 0.6:
        parts.append(c.Wild(rng.random() < 0.9))
    return c.Text(tuple(parts), cased=rng.random() < 0.15)


def pattern(rng: Random) -> c.Pattern:
    besides = [(rng.random() < 0.5, rng.choice(PATTERNS))] if rng.random() < 0.2 else []
    return c.Pattern(rng.choice(PATTERNS), rng.choice(("", "", "i", "is")), tuple(besides))


WANTED: list[tuple[int, Callable[[Random], c.Wanted]]] = [
    (12, text),
    (3, pattern),
    (2, lambda rng: c.Number(rng.choice((0, 1, 404, 4.5, -7, 1700000000)))),
    (1, lambda rng: c.Truth(rng.random() < 0.5)),
    (1, lambda rng: c.Network(rng.choice(("10.0.0.0/8", "192.0.2.0/24", "2001:db8::/32")))),
    (1, lambda _: c.Null()),
    (1, lambda rng: c.Exists(rng.random() < 0.5)),
    (1, lambda rng: c.Compare(rng.choice(("lt", "lte", "gt", "gte")), rng.choice((0, 4.5, 404)))),
    (1, lambda rng: c.SameAs(rng.choice(FIELDS), begins=rng.random() < 0.4, ends=rng.random() < 0.4)),
    (
        1,
        lambda rng: c.ClockPart(
            rng.choice(("minute", "hour", "day", "week", "month", "year")),
            rng.choice(("eq", "lt", "gte")),
            rng.choice((6, 13, 27, 3, 2026)),
        ),
    ),
]


def where(rng: Random) -> c.Where:
    if rng.random() < 0.12:
        return c.Where(None, rng.choice((text, text, pattern))(rng))
    (_, make), *_ = rng.choices(WANTED, [weight for weight, _ in WANTED])
    field = rng.choice([*FIELDS, *FIELDS, *FIELDS, *NAMES, *CONSTANTS])
    return c.Where(field, make(rng))


def condition(rng: Random, depth: int = 0) -> c.Condition:
    kind = rng.random()
    if kind < 0.35 + 0.2 * depth:
        return where(rng)
    if kind < 0.45 + 0.2 * depth:
        return c.Not(condition(rng, depth + 1))
    if kind < 0.6 + 0.15 * depth:
        field, number = rng.choice(FIELDS), rng.choice((2, 3, 9))
        return c.AnyOf(tuple(c.Where(field, text(rng)) for _ in range(number)))
    parts = tuple(condition(rng, depth + 1) for _ in range(rng.choice((2, 2, 3))))
    return rng.choice((c.AllOf, c.AllOf, c.AnyOf))(parts)


def value(rng: Random, depth: int = 0) -> str:
    """A JSON value, written in one of the ways in which it may be."""
    kind = rng.random()
    if kind < 0.62 or depth > 2:
        return written(rng, word(rng))
    if kind < 0.78:
        return rng.choice(NUMBERS)
    if kind < 0.84:
        return rng.choice(("true", "false", "null"))
    if kind < 0.92:
        return f"[{','.join(value(rng, depth + 1) for _ in range(rng.randrange(4)))}]"
    return written_object(rng, {rng.choice("xyzk"): value(rng, depth + 1) for _ in range(rng.randrange(3))})


def written(rng: Random, told: str) -> str:
    if rng.random() < 0.75:
        return json.dumps(told, ensure_ascii=rng.random() < 0.2)
    return '"' + "".join(_letter(rng, letter) for letter in told) + '"'


def _letter(rng: Random, letter: str) -> str:
    if rng.random() < 0.15 and ord(letter) < 0x10000:
        return f"\\u{ord(letter):04{rng.choice('xX')}}"
    return "\\/" if letter == "/" and rng.random() < 0.5 else json.dumps(letter, ensure_ascii=False)[1:-1]


def written_object(rng: Random, members: dict[str, str]) -> str:
    blank = rng.choice(("", "", " ", "\t "))
    pairs = [f"{written(rng, key)}{blank}:{blank}{told}" for key, told in members.items()]
    if pairs and rng.random() < 0.05:
        pairs.insert(0, f"{written(rng, rng.choice(list(members)))}:{value(rng)}")  # the last of two counts
    return "{" + f",{blank}".join(pairs) + "}"


def json_record(rng: Random) -> bytes:
    if rng.random() < 0.02:
        return rng.choice((b"{", b"[]", b"\xff\xfe", b"", b'{"time":"2026-03-27T08:00:00Z","a":tru}'))
    members = {"time": '"2026-03-27T08:00:00Z"'}
    for key in ("a", "b", "list", "number", "made"):
        if rng.random() < 0.7:
            members[key] = value(rng)
    if rng.random() < 0.6:
        deep = {"x": value(rng), "y": written_object(rng, {"z": value(rng)})}
        members["deep"] = written_object(rng, {key: told for key, told in deep.items() if rng.random() < 0.8})
    if rng.random() < 0.1:
        members["deep.x"] = value(rng)
    if rng.random() < 0.4:
        members["objects"] = f"[{','.join(written_object(rng, {'k': value(rng)}) for _ in range(rng.randrange(3)))}]"
    return written_object(rng, members).encode("utf-8", "surrogatepass")


def text_record(rng: Random) -> bytes:
    pairs = [f"{key}={word(rng).replace('|', '')}" for key in ("a", "b", "list", "number") if rng.random() < 0.7]
    line = "|".join(pairs).replace("\n", "").encode()
    if rng.random() < 0.1:
        at = rng.randrange(len(line) + 1)
        line = line[:at] + rng.choice((b"\xff", b"\0", b"\xe2\x84", b"\\x41")) + line[at:]
    return line


def json_source(raw: Raw | None) -> Source:
    """A source with a translated field, and with one that is put together of two."""
    derived = [Derived("ocsf.status", (("b",), ("a",)), {"x": "Success", "404": "Failure", "kk": "powershell"})]
    event_of = event_reader([("time",)], [reader("rfc3339", UTC)], [], derived)

    def joined(fields: dict[str, Any]) -> dict[str, Any]:
        if isinstance(fields.get("a"), str) and isinstance(fields.get("b"), str):
            fields["made"] = f"{fields['a']}\\{fields['b']}"
        return fields

    survey = Surveyor([("time",)], [], Glanced(changed=frozenset({"made"})))
    return replace(_source(json_parser(event_of, joined), raw), survey=survey)


def text_source() -> Source:
    def parse(raw: bytes, _received_us: int) -> Outcome:
        pairs = (pair.partition("=") for pair in printable(raw).split("|") if pair)
        fields: dict[str, Any] = {key: told for key, _, told in pairs}
        return Event(1, fields) if fields else Dead("nothing")

    return _source(parse, Raw("none"))


def _source(parse: Any, raw: Raw | None) -> Source:
    attributes = {name: (path,) if path.startswith("ocsf.") else tuple(path.split(".")) for name, path in NAMES.items()}
    return Source("any", "", "", {}, attributes, CONSTANTS, timedelta(0), parse, raw=raw)


def one_round(seed: int, rules: int = RULES, records: int = RECORDS) -> Iterator[str]:
    """Compare all rules on all records of a round; gives each difference, told in words."""
    rng = Random(seed)  # noqa: S311
    made = rng.choice(
        (
            lambda: (json_source(Raw("json", derived=frozenset({"ocsf.status", "made"}))), json_record),
            lambda: (
                json_source(Raw("json", None, frozenset({"ocsf.status", "made"}), frozenset({"made"}))),
                json_record,
            ),
            lambda: (json_source(None), json_record),
            lambda: (text_source(), text_record),
        )
    )
    source, record = made()
    guards = [c.Where("a", text(rng)), c.AnyOf((c.Where("number", c.Number(404)), c.Where("b", text(rng))))]
    asked = [
        Rule(
            *("", f"r{number}", "", "", frozenset(), "low", condition(rng), {}, ("any",)),
            guards={"any": rng.choice(guards)} if rng.random() < 0.2 else {},
        )
        for number in range(rules)
    ]
    lines = [record(rng) for _ in range(records)]
    finder = Finder(source, asked, sample=lines[:20] if rng.random() < 0.5 else ())
    if rng.random() < 0.3:
        finder = Finder.load(source, asked, finder.dump())
    finder._patience = rng.choice((0, 20, 500))  # until fields are told that rules ask
    half = rng.randrange(records)
    found: dict[int, list[int]] = {}
    events, dead = 0, set()
    for start, several in ((0, lines[:half]), (half, lines[half:])):
        part_found = finder.find(several, RECEIVED_US)
        found |= {start + at: hits for at, _, hits in part_found.hits}
        events += part_found.events
        dead |= {start + at for at, _ in part_found.dead}
    if finder.broken:
        yield f"--round {seed}: broken {finder.broken}"
    for at, line in enumerate(lines):
        outcome = source.parse(line, RECEIVED_US)
        if (type(outcome) is Dead) != (at in dead):
            yield f"--round {seed}: another verdict on {line!r}"
        if not isinstance(outcome, Event):
            continue
        expected = [
            number
            for number, rule in enumerate(asked)
            if holds(rule.condition_for("any"), outcome.fields, NAMES, CONSTANTS)
        ]
        if expected != found.get(at, []):
            for number in set(expected) ^ set(found.get(at, [])):
                side = "plain" if number in expected else "finder"
                yield f"--round {seed}: only {side}: {asked[number].condition_for('any')} on {line!r}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--comparisons", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1, help="of the first round")
    parser.add_argument("--round", type=int, help="only the round of this seed")
    given = parser.parse_args()
    began, done, differences = time.monotonic(), 0, 0
    seed = given.round if given.round is not None else given.seed
    while done < given.comparisons:
        for told in one_round(seed):
            differences += 1
            sys.stdout.write(f"{told}\n")
        done += RULES * RECORDS
        seed += 1
        if given.round is not None or differences > 20:
            break
    sys.stdout.write(f"{done:,} comparisons, {differences} differences, {time.monotonic() - began:.0f} s\n")
    sys.exit(1 if differences else 0)


if __name__ == "__main__":
    main()
