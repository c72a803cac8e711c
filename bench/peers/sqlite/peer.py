"""The Python peer: pySigma's SQLite backend, its queries run over tables of flattened events.

    .cache/bench/sqlite/bin/python bench/peers/sqlite/peer.py JOB.json EVENTS

Runs in an environment of its own (`requirements.txt` beside this file) and speaks as the other sides do: `go` times a
round over the first EVENTS of each stream, `dump PATH` writes the matches, `memory` tells the peak.

A round decodes the records, flattens them into one table in memory for each set of logsources, with a column for
each field and text compared without regard to case, as Zircolite does it, and runs the query of each rule on the tables
whose logsources it fits. Queries are made beforehand.
"""

import json
import re
import sqlite3
import sys
import time
from collections import defaultdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson
from sigma.backends.sqlite import sqliteBackend
from sigma.collection import SigmaCollection
from sigma.exceptions import SigmaError

MAX_COLUMNS = 1900
FULLTEXT = "_raw"


class Rules:
    """The query of each rule, as what follows WHERE, and the fields that all of them name."""

    def __init__(self, folder: Path) -> None:
        backend = sqliteBackend(table="events", collate_nocase=False, fulltext_field=FULLTEXT)
        self.refused: list[str] = []
        self.rules: list[tuple[str, dict[str, str], str]] = []
        for path in sorted(folder.rglob("*.yml")):
            try:
                for rule in SigmaCollection.from_yaml(path.read_text(encoding="utf-8")):
                    (query, *_) = backend.convert_rule(rule)
                    where = query.split(" WHERE ", 1)[1]
                    source = rule.logsource
                    named = {"product": source.product, "service": source.service, "category": source.category}
                    wanted = {key: value for key, value in named.items() if value}
                    self.rules.append((str(rule.id or rule.title), wanted, where))
            except (SigmaError, RuntimeError, ValueError, IndexError) as error:
                self.refused.append(f"{path.name}: {type(error).__name__}: {error}")


def flat(value: dict[str, Any], into: dict[str, Any], head: str = "") -> dict[str, Any]:
    """Nested objects under dotted names; lists and truth values as texts."""
    for key, inner in value.items():
        if isinstance(inner, dict):
            flat(inner, into, f"{head}{key}.")
        elif isinstance(inner, bool):
            into[head + key] = "true" if inner else "false"
        elif isinstance(inner, list):
            into[head + key] = json.dumps(inner)
        else:
            into[head + key] = inner
    return into


@lru_cache(maxsize=4096)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text)


def _regexp(pattern: str, value: Any) -> bool:
    return value is not None and _pattern(pattern).search(str(value)) is not None


class Side:
    """A round and its matches."""

    def __init__(self, job: dict[str, Any], events: int) -> None:
        began = time.perf_counter()
        self._rules = Rules(Path(job["rules"]))
        self._fits: dict[str, list[int]] = {}
        self._names: dict[int, set[str]] = {}
        self.ready = {
            "engine": "pySigma SQLite backend 2.1.1",
            "rules": len(self._rules.rules),
            "refused": self._rules.refused,
            "options": f"a table for each logsource, SQLite {sqlite3.sqlite_version}",
            "load_seconds": time.perf_counter() - began,
        }
        self._job = job
        self._streams: list[list[bytes]] = []
        for each in job["streams"]:
            share = max(1, round(events * each["events"] / sum(one["events"] for one in job["streams"])))
            self._streams.append(Path(each["path"]).read_bytes().splitlines()[:share])
        self.events = sum(map(len, self._streams))

    def run(self) -> list[tuple[int, int, str]]:
        found: list[tuple[int, int, str]] = []
        for number, (stream, records) in enumerate(zip(self._job["streams"], self._streams, strict=True)):
            kinds = {tuple(each["values"]): each["logsources"] for each in stream.get("kinds", ())}
            tables: dict[str, list[tuple[int, dict[str, Any]]]] = defaultdict(list)
            for record, raw in enumerate(records):
                fields = orjson.loads(raw)
                sources = stream["logsources"]
                if kinds:
                    sources = kinds.get(tuple(str(fields.get(name, "")) for name in stream["by"]), sources)
                fields = flat(fields, {})
                fields[FULLTEXT] = "\n".join(str(value) for value in fields.values() if value is not None)
                tables[json.dumps(sources)].append((record, fields))
            for sources, rows in tables.items():
                found.extend((number, record, rule) for record, rule in self._table(sources, rows))
        return found

    def _table(self, sources: str, rows: list[tuple[int, dict[str, Any]]]) -> list[tuple[int, str]]:
        rules = self._fitting(sources)
        if not rules:
            return []
        connection = sqlite3.connect(":memory:")
        connection.create_function("regexp", 2, _regexp, deterministic=True)
        here = {name.lower(): name for _, fields in rows for name in fields}
        for at in rules:
            for name in self._named(at):
                here.setdefault(name.lower(), name)
        columns = list(here.values())[:MAX_COLUMNS]
        numbers = {name.lower() for _, fields in rows for name, value in fields.items() if type(value) in (int, float)}
        spelt = ", ".join(
            f"`{name}` {'NUMERIC' if name.lower() in numbers else 'TEXT'} COLLATE NOCASE" for name in columns
        )
        connection.execute(f"CREATE TABLE events (record INTEGER, {spelt})")
        marks = ", ".join("?" * (len(columns) + 1))
        connection.executemany(
            f"INSERT INTO events VALUES ({marks})",  # noqa: S608
            ((record, *map(fields.get, columns)) for record, fields in rows),
        )
        found: list[tuple[int, str]] = []
        for at in rules:
            rule, _, where = self._rules.rules[at]
            query = f"SELECT record FROM events WHERE {where}"  # noqa: S608
            found.extend((record, rule) for (record,) in connection.execute(query))
        connection.close()
        return found

    def _named(self, at: int) -> set[str]:
        known = self._names.get(at)
        if known is not None:
            return known
        where = re.sub(r"'(?:[^']|'')*'", "''", self._rules.rules[at][2])
        quoted = set(re.findall(r"`([^`]+)`", where))
        bare = set(re.findall(r"\b([A-Za-z_]\w*)\b(?!\()", re.sub(r"`[^`]+`", "", where)))
        self._names[at] = named = quoted | {name for name in bare if name.upper() not in _WORDS}
        return named

    def _fitting(self, sources: str) -> list[int]:
        known = self._fits.get(sources)
        if known is None:
            logsources = json.loads(sources)
            known = [
                at
                for at, (_, wanted, _) in enumerate(self._rules.rules)
                if any(wanted.items() <= each.items() for each in logsources)
            ]
            self._fits[sources] = known
        return known


_WORDS = {
    *("AND", "OR", "NOT", "LIKE", "ESCAPE", "IS", "NULL", "REGEXP", "GLOB", "IN", "COLLATE", "NOCASE", "COALESCE"),
    *("CAST", "AS", "INTEGER", "REAL", "TEXT", "TYPEOF", "REPLACE", "CASE", "WHEN", "THEN", "ELSE", "END", "BETWEEN"),
    *(
        "STRFTIME",
        "TRUE",
        "FALSE",
        "INSTR",
        "LOWER",
        "EXISTS",
        "SELECT",
        "FROM",
        "WHERE",
        "LENGTH",
        "SUBSTR",
        "NUMERIC",
    ),
}


def memory(name: str) -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split(f"{name}:")[1].split()[0]) / 1024


def tell(said: dict[str, Any]) -> None:
    print(json.dumps(said), flush=True)


def main() -> None:
    path, events = sys.argv[1:]
    side = Side(json.loads(Path(path).read_text(encoding="utf-8")), int(events))
    tell({**side.ready, "loaded_mib": memory("VmRSS"), "events": side.events})
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    for line in sys.stdin:
        command, _, rest = line.strip().partition(" ")
        if command == "go":
            began, at = time.perf_counter(), time.process_time()
            found = side.run()
            seconds, cpu = time.perf_counter() - began, time.process_time() - at
            tell({"seconds": seconds, "cpu": cpu, "matches": len(found)})
        elif command == "dump":
            with Path(rest).open("w", encoding="utf-8") as file:
                file.writelines(f"{stream}\t{record}\t{rule}\n" for stream, record, rule in side.run())
            tell({"dumped": rest})
        elif command == "memory":
            tell({"peak_mib": memory("VmHWM")})


if __name__ == "__main__":
    main()
