"""Stages small enough to see through, and alerts by hand; also used by processes that tests start."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from breachwatch.kernel.ids import AlertId, SubjectRef, derive, event_id
from breachwatch.kernel.streams import Alert, Chunk, DeadLetter, Match, Tally

START = datetime(2026, 3, 27, 13, tzinfo=UTC)


@dataclass(frozen=True)
class Detected:
    matches: list[Match]
    dead: list[DeadLetter]
    tally: Tally
    broken_rules: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Correlated:
    alerts: list[Alert]
    late: int = 0


class WordDetector:
    """Reads `hit GROUP PERSON`, ignores `dull`, cannot read `torn`, and has a bug with `bug`."""

    def __init__(self) -> None:
        self.seen = 0
        self.broken_rules: dict[str, str] = {}

    def match(self, chunk: Chunk) -> Detected:
        matches, dead, ignored, events = [], [], 0, 0
        for ordinal, record in enumerate(chunk.records, chunk.first_ordinal):
            self.seen += 1
            match record.decode("latin-1").split():
                case ["hit", group, person]:
                    events += 1
                    name = event_id(chunk.origin, ordinal)
                    values = {"group": group}
                    subject = SubjectRef(f"s-{person}")
                    matches.append(Match("words", "hit", name, ordinal, chunk.source, values, (subject,)))
                case ["dull"]:
                    ignored += 1
                case ["bug"]:
                    raise ZeroDivisionError(record)
                case _:
                    dead.append(DeadLetter(chunk.source, chunk.origin, ordinal, "torn"))
        tally = Tally(
            len(chunk.records),
            events,
            0,
            {"dull": ignored} if ignored else {},
            {"torn": len(dead)} if dead else {},
        )
        return Detected(matches, dead, tally, dict(self.broken_rules))


class CountCorrelator:
    """An alert for each group at its third hit, growing with each one more."""

    def __init__(self) -> None:
        self._groups: dict[str, dict[str, list[str]]] = {}
        self._changed: set[str] = set()
        self.shortfalls: dict[str, int] = {}
        self.refused: list[str] = []

    def finish(self) -> Correlated:
        return Correlated([])

    def feed(
        self, matches: Iterable[Match], clock: tuple[str, int] | None = None, received_us: int | None = None
    ) -> Correlated:
        touched: dict[str, list[SubjectRef]] = {}
        for match in matches:
            group = match.values["group"]
            if group == "unlucky":
                raise ZeroDivisionError(group)
            events = self._groups.setdefault(group, {})
            if match.event_id not in events:
                events[match.event_id] = list(match.subjects)
                touched.setdefault(group, []).extend(match.subjects)
                self._changed.add(group)
        return Correlated([self._alert(group, new) for group, new in touched.items() if len(self._groups[group]) >= 3])

    def _alert(self, group: str, new: list[SubjectRef]) -> Alert:
        events = self._groups[group]
        if len(events) == 3:
            new = [SubjectRef(one) for subjects in events.values() for one in subjects]
        return alert(group, revision=len(events), subjects=new, subject_count=len(events))

    def drain_changes(self) -> Sequence[tuple[str, bytes | None]]:
        changes = [(group, json.dumps(self._groups[group]).encode()) for group in sorted(self._changed)]
        self._changed.clear()
        return changes

    def restore(self, stored: Iterable[tuple[str, bytes]]) -> None:
        self._groups = {group: json.loads(blob) for group, blob in stored}


def alert(group: str, *, revision: int = 1, subjects: Iterable[str] = (), **more: Any) -> Alert:
    known: dict[str, Any] = {
        "id": AlertId(derive("al", "words", group)),
        "revision": revision,
        "playbook": "words",
        "rule": "hit",
        "title": "Three hits",
        "level": "high",
        "group": {"group": group},
        "first_event_at": START,
        "last_event_at": START + timedelta(seconds=revision),
        "count": revision,
        "subjects": tuple(SubjectRef(one) for one in subjects),
        "subject_count": 1,
        "records": 1,
        "sources": ("words",),
        "samples": ({"message": "hit"},),
        "raises_incident": True,
    }
    return Alert(**{**known, **more})


def chunk(*records: str | bytes, origin: str = "file:/words#1", first: int = 0, **more: Any) -> Chunk:
    raw = tuple(one.encode() if isinstance(one, str) else one for one in records)
    return Chunk(more.pop("source", "words"), origin, first, more.pop("received_at", START), raw, **more)
