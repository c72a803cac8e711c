"""Windows as bytes and back: a head for each, and pages of events and references that are stored only when changed.

Version 2 added a checksum, and to heads what sampling and judging need; version 1 is read as it is.

The page that events are being added to lies in the head, so that a group that sees one event costs one write.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from breachwatch.detection.correlating.entries import Entry, Pages
from breachwatch.detection.correlating.episodes import Episode, Sample
from breachwatch.detection.correlating.frame import key_of
from breachwatch.detection.correlating.framing import VERSION, DamagedError, framed, unframed
from breachwatch.detection.correlating.plain import plain_bytes
from breachwatch.detection.correlating.settling import SettledWindow
from breachwatch.detection.correlating.window import SUBJECTS_PER_PAGE, Window
from breachwatch.detection.rules import Correlation
from breachwatch.kernel.ids import SubjectRef

ARMED, MARKED, COMPLETED = 1, 2, 4
_READABLE = (1, VERSION)
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


def everything_of(window: Window) -> dict[str, bytes]:
    """All of a window as it would be stored anew, by full key; nothing changes."""
    found = {window.key: _head(window)}
    for number, page in window.event_pages.pages.items():
        if number != window.event_pages.open and page:
            found[f"{window.key}{EVENTS}{number}"] = _bytes([orjson.Fragment(_row(each)) for each in page.values()])
    for number, refs in window.subject_pages.pages.items() if window.subject_pages else ():
        found[f"{window.key}{SUBJECTS}{number}"] = _bytes(list(refs))
    return found


def head_of(blob: bytes) -> Mapping[str, Any]:
    """A stored head as plain data.

    Raises:
        DamagedError: it is not what was written, or a version that cannot be read wrote it.
    """
    head = _loaded(blob)
    if not isinstance(head, dict) or head.get("v") not in _READABLE:
        raise DamagedError("no version that can be read")
    return head


def fill(window: Window, key: str, head: Mapping[str, Any], pages: Mapping[str, bytes]) -> None:
    """Make a new window what was stored under a key. `pages`: every page of it by full key.

    Raises:
        DamagedError, ValueError, TypeError, KeyError, IndexError: some part of it is not what was written.
    """
    window.restore_key(key)
    window.newest, window.touched = int(head["newest"]), int(head["touched"])
    window.stored = {key, *pages}
    sampling = window.sampling
    sampling.halvings, sampling.entering, sampling.until_us = head.get("sampling", (0, 0, 0))
    if isinstance(window, SettledWindow):
        window.judged_us, window.limit_us = head["judged"], head["limit"]
    subject_pages: Pages[None] = Pages(SUBJECTS_PER_PAGE)
    events = {head["open"]: head["events"]}
    for name, blob in pages.items():
        number = int(name.rsplit("/", 1)[1])
        if name.startswith(key + EVENTS):
            events[number] = _loaded(blob)
        else:
            subject_pages.pages[number] = dict.fromkeys(_loaded(blob))
            subject_pages.next = max(subject_pages.next, number + 1)
    window.subject_pages = subject_pages if subject_pages.pages else None
    _restore_events(window, events)
    window.event_pages.next = head["open"] + 1
    window.episodes = [_episode(row, subject_pages) for row in head["episodes"]]


def _restore_events(window: Window, events: Mapping[int, list[list[Any]]]) -> None:
    """Take the events back that may still count; a page that holds none of them is deleted with the next changes."""
    oldest = window.keep_from()
    kept: list[Entry] = []
    for number, rows in events.items():
        members = [entry_from(window.correlation, row, number) for row in rows if row[0] >= oldest]
        if members:
            window.event_pages.pages[number] = {each.key: each for each in members}
            kept.extend(members)
        else:
            window.event_pages.changed.add(number)
    window.adopt(kept)


def _bytes(body: Any) -> bytes:
    return framed(orjson.dumps(body))


def _loaded(blob: bytes) -> Any:
    try:
        return orjson.loads(unframed(blob))
    except orjson.JSONDecodeError:
        raise DamagedError("altered since it was written") from None


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
            "estimated": each.estimated,
        }
        for each in window.episodes
    ]
    settled = {"judged": window.judged_us, "limit": window.limit_us} if isinstance(window, SettledWindow) else {}
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
            "sampling": (window.sampling.halvings, window.sampling.entering, window.sampling.until_us),
            **settled,
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
        estimated=bool(row.get("estimated", False)),
        grown=False,
    )


def _row(entry: Entry) -> bytes:
    """An event as JSON, made once for as long as it stays as it is and its page is open."""
    if entry.row is None:
        flags = entry.armed * ARMED | entry.marked * MARKED | entry.completed * COMPLETED
        short = (entry.at, entry.event, entry.input, flags, entry.counted, entry.sources)
        sample = None if entry.sample is None else orjson.Fragment(entry.sample)
        entry.row = plain_bytes(short if entry.marked else (*short, entry.subjects, entry.records, sample))
    return entry.row


def entry_from(correlation: Correlation, row: list[Any], page: int = -1) -> Entry:
    """An event from its row."""
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
        sample=None if sample is None else plain_bytes(sample),
        sources=tuple(sources),
        armed=bool(flags & ARMED),
        marked=bool(flags & MARKED),
        completed=bool(flags & COMPLETED),
        page=page,
    )
