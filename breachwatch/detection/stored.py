"""Windows as bytes and back: a head for each, and pages of events and references that are stored only when changed.

The page that events are being added to lies in the head, so that a group that sees one event costs one write.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from breachwatch.detection.entries import Entry, Pages
from breachwatch.detection.episodes import Episode, Sample
from breachwatch.detection.rules import Correlation
from breachwatch.detection.window import SUBJECTS_PER_PAGE, Frame, Window, key_of
from breachwatch.kernel.ids import SubjectRef

VERSION = 1
EVENTS, SUBJECTS = "/events/", "/subjects/"


def changes_of(window: Window) -> dict[str, bytes | None]:
    """What must be stored (or, None, deleted) since the last call, by full key; remembers it as stored."""
    changed: dict[str, bytes | None] = {window.key: _head(window)}
    for number in window.event_pages.changed - {window.event_pages.open}:
        page = window.event_pages.pages.get(number)
        body = [orjson.Fragment(_row(each)) for each in page.values()] if page else None
        for each in page.values() if page else ():
            each.row = None
        changed[f"{window.key}{EVENTS}{number}"] = _bytes(body) if body else None
    if window.subject_pages is not None:
        for number in window.subject_pages.changed:
            refs = window.subject_pages.pages.get(number)
            changed[f"{window.key}{SUBJECTS}{number}"] = _bytes(list(refs)) if refs else None
        window.subject_pages.changed.clear()
    window.event_pages.changed.clear()
    for key in [key for key, body in changed.items() if body is None and key not in window.stored]:
        del changed[key]
    window.stored.update(key for key, body in changed.items() if body is not None)
    window.stored.difference_update(key for key, body in changed.items() if body is None)
    return changed


def head_of(blob: bytes) -> Mapping[str, Any] | None:
    """A stored head as plain data; None if an incompatible version wrote it."""
    try:
        head = orjson.loads(blob)
    except orjson.JSONDecodeError:
        return None
    return head if isinstance(head, dict) and head.get("v") == VERSION else None


def window_of(frame: Frame, key: str, head: Mapping[str, Any], pages: Mapping[str, bytes]) -> Window:
    """The window that was stored under a key. `pages`: every page of it by full key."""
    window = Window(frame, tuple(head["group"]))
    window.newest, window.touched = head["newest"], head["touched"]
    window.stored = {key, *pages}
    subject_pages: Pages[None] = Pages(SUBJECTS_PER_PAGE)
    events = {head["open"]: head["events"]}
    for name, blob in pages.items():
        number = int(name.rsplit("/", 1)[1])
        if name.startswith(key + EVENTS):
            events[number] = orjson.loads(blob)
        else:
            subject_pages.pages[number] = dict.fromkeys(orjson.loads(blob))
            subject_pages.next = max(subject_pages.next, number + 1)
    window.subject_pages = subject_pages if subject_pages.pages else None
    _restore_events(window, events)
    window.event_pages.next = head["open"] + 1
    window.episodes = [_episode(row, subject_pages) for row in head["episodes"]]
    return window


def _restore_events(window: Window, events: Mapping[int, list[list[Any]]]) -> None:
    """Take the events back that may still count; a page that holds none of them is deleted with the next changes."""
    oldest = window.newest - window.correlation.horizon_us
    kept: list[Entry] = []
    for number, rows in events.items():
        members = [_restored(window.correlation, row, number) for row in rows if row[0] >= oldest]
        if members:
            window.event_pages.pages[number] = {each.key: each for each in members}
            kept.extend(members)
        else:
            window.event_pages.changed.add(number)
    window.adopt(kept)


def _bytes(body: Any) -> bytes:
    return orjson.dumps(body)


def _head(window: Window) -> bytes:
    correlation = window.correlation
    episodes = [
        {
            "first": each.first,
            "end": each.end_us,
            "id": each.id,
            "told": each.told,
            "count": each.count,
            "records": each.records,
            "sources": sorted(each.sources),
            "samples": [tuple(sample) for sample in each.samples],
            "pages": each.pages,
            "superseded": each.superseded,
        }
        for each in window.episodes
    ]
    open_page = window.event_pages.pages.get(window.event_pages.open, {})
    return _bytes(
        {
            "v": VERSION,
            "playbook": correlation.playbook,
            "rule": correlation.id,
            "shape": correlation.shape,
            "group": window.group,
            "newest": window.newest,
            "touched": window.touched,
            "episodes": episodes,
            "open": window.event_pages.open,
            "events": [orjson.Fragment(_row(each)) for each in open_page.values()],
        }
    )


def _episode(row: Mapping[str, Any], pages: Pages[None]) -> Episode:
    subjects = {ref for page in row["pages"] for ref in pages.pages.get(page, ())}
    return Episode(
        first=(row["first"][0], row["first"][1]),
        end_us=row["end"],
        id=row["id"],
        told=row["told"],
        count=row["count"],
        records=row["records"],
        sources=set(row["sources"]),
        samples=[Sample(*sample) for sample in row["samples"]],
        subjects=subjects,
        pages=list(row["pages"]),
        superseded=list(row["superseded"]),
    )


def _row(entry: Entry) -> bytes:
    """An event as JSON, made once for as long as it stays as it is and its page is open."""
    if entry.row is None:
        flags = entry.armed | entry.marked << 1 | entry.completed << 2
        short = (entry.at, entry.event, entry.input, flags, entry.counted, entry.sources)
        entry.row = _bytes(short if entry.marked else (*short, entry.subjects, entry.records, entry.sample))
    return entry.row


def _restored(correlation: Correlation, row: list[Any], page: int) -> Entry:
    at, event, index, flags, counted, sources, *rest = row
    subjects, records, sample = rest or ((), 0, None)
    return Entry(
        at=at,
        event=event,
        key=key_of(correlation, event, index),
        input=index,
        counted=tuple(counted),
        subjects=tuple(SubjectRef(ref) for ref in subjects),
        records=records,
        sample=sample,
        sources=tuple(sources),
        armed=bool(flags & 1),
        marked=bool(flags & 2),
        completed=bool(flags & 4),
        page=page,
    )
