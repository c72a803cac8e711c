"""Sorts what the store holds by the correlation it belongs to; what is damaged is left out, with its reason."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import orjson

from breachwatch.detection.correlating.clocks import Clocks
from breachwatch.detection.correlating.framing import VERSION, DamagedError, framed
from breachwatch.detection.correlating.row_pages import is_rows
from breachwatch.detection.correlating.shelf import Shelf
from breachwatch.detection.correlating.stored import EVENTS, SUBJECTS, fill, head_of
from breachwatch.detection.correlating.window import Window

CLOCKS = "clocks"
"""The key under which clocks are stored."""


@dataclass(slots=True)
class Stored:
    """`unowned`: keys that nobody needs any more. `refused`: what could not be read, and why.

    `renamed`: what an earlier version stored under another name, to be stored under this one.
    """

    windows: list[tuple[Shelf, list[Window]]] = field(default_factory=list)
    pages: list[tuple[Shelf, list[tuple[str, bytes]]]] = field(default_factory=list)
    unowned: set[str] = field(default_factory=set)
    refused: list[str] = field(default_factory=list)
    renamed: dict[str, bytes] = field(default_factory=dict)


def stored_clocks(clocks: Clocks) -> bytes:
    """Clocks as they are stored."""
    ahead = {"ahead": clocks.ahead} if clocks.ahead else {}
    return framed(orjson.dumps({"v": VERSION, "clocks": clocks.by_source, **ahead}))


def clocks_of(blob: bytes | None) -> tuple[Clocks, list[str]]:
    """Clocks as they were stored, and why they could not be read; without either they begin anew."""
    if blob is None:
        return Clocks(), []
    try:
        head = head_of(blob)
        said = ({str(name): int(at) for name, at in head.get(what, {}).items()} for what in ("clocks", "ahead"))
        return Clocks(*said), []
    except (DamagedError, ValueError, TypeError, KeyError, AttributeError) as error:
        return Clocks(), [f"{CLOCKS}: {error}"]


def sorted_out(blobs: dict[str, bytes], shelves: Sequence[Shelf]) -> Stored:
    """Every value of the store, by whose it is.

    Args:
        blobs: by key; what is taken is removed.
        shelves: empty ones, to which windows and pages of rows may belong.
    """
    found = Stored()
    _rename(blobs, shelves, found)
    for shelf in shelves:
        pages = [(key, blob) for key, blob in blobs.items() if shelf.rows.owns(key)]
        for key, _ in pages:
            del blobs[key]
        if pages:
            found.pages.append((shelf, pages))
    _windows(blobs, shelves, found)
    return found


def _rename(blobs: dict[str, bytes], shelves: Sequence[Shelf], found: Stored) -> None:
    """Pages of rows that an earlier version wrote get the names of today."""
    rows = [key for key in blobs if is_rows(key)]
    strange = [key for key in rows if not any(shelf.rows.owns(key) for shelf in shelves)]
    for key in strange:
        name = next(filter(None, (shelf.rows.named_anew(key) for shelf in shelves)), "")
        if name and name not in blobs:
            blobs[name] = found.renamed[name] = blobs.pop(key)
            found.unowned.add(key)


def _windows(blobs: Mapping[str, bytes], shelves: Sequence[Shelf], found: Stored) -> None:
    heads: dict[str, bytes] = {}
    pages: dict[str, dict[str, bytes]] = {}
    for key, blob in blobs.items():
        if is_rows(key):  # of a correlation that is gone, or works otherwise
            found.unowned.add(key)
            continue
        owner = key.split(EVENTS)[0].split(SUBJECTS)[0]
        if owner == key:
            heads[key] = blob
        else:
            pages.setdefault(owner, {})[key] = blob
    by_rule = {
        (each.correlation.playbook, each.correlation.id, shape): each
        for each in shelves
        for shape in (*each.correlation.earlier_shapes, each.correlation.shape)
    }
    made: dict[int, tuple[Shelf, list[Window]]] = {}
    for key, blob in heads.items():
        own = pages.pop(key, {})
        try:
            head = head_of(blob)
            shelf = by_rule.get((head["playbook"], head["rule"], head["shape"]))
            if shelf is None:
                found.unowned.update((key, *own))
                continue
            group = tuple(map(str, head["group"]))
            window = shelf.new(group[0] if len(group) == 1 else group)
            fill(window, key, head, own)
        except (DamagedError, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
            found.unowned.update((key, *own))
            found.refused.append(f"{key}: {type(error).__name__ if not str(error) else error}")
        else:
            made.setdefault(id(shelf), (shelf, []))[1].append(window)
    found.windows = list(made.values())
    for orphans in pages.values():
        found.unowned.update(orphans)
