"""Ways to find the few of many rules that a record may match, on the same rules and records: why it is done as it is.

    .venv/bin/python -m bench.designs                     # 10,000 events, medians of 5
    .venv/bin/python -m bench.designs --events 2000 --rounds 3

Every way must find the same matches. `ahocorasick_rs`, `pyahocorasick` and `pysimdjson` are no dependencies; a way
whose library is not installed is left out, and said to be. Times are of the processor, so that a busy machine blurs
them less.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import orjson
import re2

from bench.detection.adapter import load
from bench.detection.jobs import job
from bench.detection.lanes import LANES, write_lane
from bench.detection.peers import CACHE
from bench.detection.rule_sets import unpacked
from breachwatch.detection.conditions import AllOf, AnyOf, Condition, Not, SameAs, Where
from breachwatch.detection.matching.compiler import value_test
from breachwatch.detection.matching.finder import Finder
from breachwatch.detection.matching.matcher import Matcher
from breachwatch.detection.matching.rarity import choose, guess, learned
from breachwatch.detection.matching.scan import Scan
from breachwatch.detection.matching.witnesses import Clause, Seen
from breachwatch.detection.rules import Rule
from breachwatch.sources.event import Event
from breachwatch.sources.source import Source

CORPUS = Path(__file__).parents[2] / "shared" / "data" / "sigma-corpus" / "rules.tar.xz"
RECEIVED_US = 1_900_000_000_000_000
Candidates = Callable[[bytes], Iterable[int]]
Asks = list[Callable[[Any], bool]]


def closures(condition: Condition, matcher: Matcher) -> Callable[[dict[str, Any]], bool]:
    """A condition as a tree of closures over an event's fields: the other way to compile it."""
    match condition:
        case AllOf(parts=parts):
            tests = [closures(part, matcher) for part in parts]
            return lambda fields: all(test(fields) for test in tests)
        case AnyOf(parts=parts):
            tests = [closures(part, matcher) for part in parts]
            return lambda fields: any(test(fields) for test in tests)
        case Not(part=part):
            inner = closures(part, matcher)
            return lambda fields: not inner(fields)
        case Where(field=str() as field, wanted=wanted) if not isinstance(wanted, SameAs):
            get, test = matcher.value_of(field), value_test(wanted)
            return lambda fields: test(get(fields))
    whole = matcher.condition(condition)
    return whole


class Bench:
    """Rules and records of one source, and every way to bring them together."""

    def __init__(self, source: Source, rules: Sequence[Rule], records: Sequence[bytes]) -> None:
        self.source, self.rules, self.records = source, rules, records
        self.matcher = Matcher(source, rules)
        self.conditions = self.matcher.conditions
        self.seen = Seen(source, everything=False)
        self.rare = choose(
            self.conditions,
            self.seen,
            learned(self.conditions, self.seen, "json", records[:: max(len(records) // 400, 1)]),
        )
        self.long = choose(self.conditions, self.seen, lambda clause: sum(0.8 ** len(each) for each in clause))
        self.guessed = choose(self.conditions, self.seen, guess)
        self.trees = [closures(each, self.matcher) for each in self.conditions]

    def asked(self, fields: dict[str, Any], candidates: Iterable[int], *, trees: bool) -> list[int]:
        if trees:
            return [at for at in candidates if self.trees[at](fields)]
        view = self.matcher.view(fields)
        return self.matcher.among(view, self.matcher.settled(candidates, view))

    def way(self, candidates: Candidates | None, *, trees: bool = False) -> Callable[[], list[list[int]]]:
        """A whole round: who is asked about each record, and what they say. None: all rules are asked."""
        everyone = range(len(self.rules))

        def run() -> list[list[int]]:
            found: list[list[int]] = []
            for record in self.records:
                asked = everyone if candidates is None else candidates(record)
                outcome = self.source.parse(record, RECEIVED_US)
                matched = self.asked(outcome.fields, asked, trees=trees) if type(outcome) is Event else []
                found.append(sorted(matched))
            return found

        return run


def with_rest(clauses: Sequence[Clause | None], literal_rules: Callable[[bytes], Iterable[int]]) -> Candidates:
    rest = [at for at, clause in enumerate(clauses) if clause is None]
    return lambda record: [*literal_rules(record), *rest]


def by_hyperscan(clauses: Sequence[Clause | None]) -> Candidates:
    scan = Scan(clauses, "json")
    return with_rest(clauses, lambda record: scan.plan(record).rules)


def by_library(name: str, clauses: Sequence[Clause | None]) -> Candidates:
    """Of the other libraries, each as its authors mean it to be used; bytes are made lower-case for them."""
    rules: dict[str, list[int]] = {}
    for at, clause in enumerate(clauses):
        for literal in clause or ():
            rules.setdefault(orjson.dumps(literal)[1:-1].decode(), []).append(at)
    literals = sorted(rules)
    of = [rules[literal] for literal in literals]
    if name == "ahocorasick_rs":
        library = import_module(name)
        finder = library.BytesAhoCorasick([each.encode() for each in literals])
        find = finder.find_matches_as_indexes
        return with_rest(
            clauses, lambda record: {at for n, *_ in find(record.lower(), overlapping=True) for at in of[n]}
        )
    if name == "ahocorasick":
        automaton = import_module(name).Automaton()
        for number, literal in enumerate(literals):
            automaton.add_word(literal, number)
        automaton.make_automaton()
        return with_rest(
            clauses,
            lambda record: {at for _, n in automaton.iter(record.lower().decode("latin-1")) for at in of[n]},
        )
    options = re2.Options()
    options.max_mem = 1 << 30
    options.case_sensitive = False
    options.literal = True
    several = re2.Set.SearchSet(options)
    for literal in literals:
        several.Add(literal)
    several.Compile()
    return with_rest(clauses, lambda record: {at for n in several.Match(record.decode()) for at in of[n]})


def measured(run: Callable[[], Any], rounds: int, events: int) -> float:
    """Median events a second of the processor."""
    run()
    rates = []
    for _ in range(rounds):
        began = time.process_time()
        run()
        rates.append(events / (time.process_time() - began))
    return statistics.median(rates)


def ways(bench: Bench) -> Iterable[tuple[str, Callable[[], Callable[[], Any]]]]:
    """Every way by its name; made when its turn comes."""
    finder = Finder(bench.source, bench.rules, sample=bench.records)

    def found() -> list[list[int]]:
        hits = {at: rules for at, _, rules in finder.find(bench.records, RECEIVED_US).hits}
        return [hits.get(at, []) for at in range(len(bench.records))]

    yield "all rules, closures", lambda: bench.way(None, trees=True)
    yield "all rules, generated functions", lambda: bench.way(None)
    yield "Hyperscan, longest literals, generated", lambda: bench.way(by_hyperscan(bench.long))
    yield "Hyperscan, guessed rarity, generated", lambda: bench.way(by_hyperscan(bench.guessed))
    yield "Hyperscan, learned rarity, closures", lambda: bench.way(by_hyperscan(bench.rare), trees=True)
    yield "Hyperscan, learned rarity, generated", lambda: bench.way(by_hyperscan(bench.rare))
    for name in ("ahocorasick_rs", "ahocorasick", "re2.Set"):
        yield f"{name}, learned rarity, generated", lambda name=name: bench.way(by_library(name, bench.rare))
    yield "the finder: kinds of event remembered", lambda: found


def scans(bench: Bench) -> Iterable[tuple[str, Callable[[], Callable[[], Any]]]]:
    """The scans and decoders by themselves."""

    def each(made: Callable[[bytes], Any]) -> Callable[[], Any]:
        return lambda: [made(record) for record in bench.records]

    yield "scan only: Hyperscan", lambda: each(by_hyperscan(bench.rare))
    for name in ("ahocorasick_rs", "ahocorasick", "re2.Set"):
        yield f"scan only: {name}", lambda name=name: each(by_library(name, bench.rare))
    yield "decode only: orjson", lambda: each(orjson.loads)
    yield "decode only: msgspec", lambda: each(msgspec.json.Decoder().decode)
    yield "decode only: pysimdjson", lambda: each(import_module("simdjson").loads)
    if bench.source.glance is not None:
        glance = bench.source.glance
        yield "glance only", lambda: each(lambda record: glance(record, RECEIVED_US))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lane", default="sysmon", choices=[name for name in LANES if LANES[name].rules == "corpus"])
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--slow", type=int, default=300, help="events of the ways that ask all rules")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rules", type=Path, default=CORPUS)
    given = parser.parse_args()
    written = write_lane(LANES[given.lane], given.events, CACHE / "lanes")[:1]
    loaded = load(job(unpacked(given.rules, CACHE), written))
    finder = loaded.finders[0][1]
    records = written[0].path.read_bytes().splitlines()
    source, rules = finder.source, finder.rules
    bench, few = Bench(source, rules, records), Bench(source, rules, records[: given.slow])
    expected = [[at for at in hits] for hits in few.way(None)()]
    print(f"{len(rules)} rules, {len(records)} events of {sum(map(len, records)) / len(records):.0f} bytes")
    print(f"candidates an event: longest {_mean(bench, bench.long):.1f}, guessed {_mean(bench, bench.guessed):.1f}, "
          f"learned {_mean(bench, bench.rare):.1f}")  # fmt: skip
    for name, make in [*ways(bench), *scans(bench)]:
        used = few if name.startswith("all rules") else bench
        try:
            run = dict(ways(few))[name]() if used is few else make()
        except ModuleNotFoundError as absent:
            print(f"{name:<44} left out: {absent.name} is not installed")
            continue
        if not name.startswith(("scan", "decode", "glance")) and run()[: given.slow] != expected:
            sys.exit(f"{name}: other matches")
        print(f"{name:<44} {measured(run, given.rounds, len(used.records)):>12,.0f} events/s")


def _mean(bench: Bench, clauses: Sequence[Clause | None]) -> float:
    candidates = by_hyperscan(clauses)
    return statistics.mean(len(list(candidates(record))) for record in bench.records[:1000])


if __name__ == "__main__":
    main()
