"""One path of a log, followed through every rotation: which generations it has, and what is read from each."""

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from breachwatch.collectors.followed import Batch, Followed
from breachwatch.collectors.generations import KEPT_DONE, Generation, from_position, to_position
from breachwatch.collectors.readers import Identity, Reader, open_reader
from breachwatch.collectors.rotations import Sibling, siblings
from breachwatch.kernel.ports import Waypoint, passing
from breachwatch.kernel.streams import Chunk

log = logging.getLogger(__name__)
Append = Callable[[Chunk, Mapping[str, Any] | None], object]
_QUIET_LOOKS = 10
"""After the folder changed it is listed at this many looks more: file times are coarser than looks."""


@dataclass(slots=True)
class Surroundings:
    """What every path of one tail shares. `problems`: path to why it cannot be read. `missing`: rests not found."""

    source: str
    append: Append
    position: Callable[[str], Mapping[str, Any] | None]
    now: Callable[[], datetime]
    linger: timedelta
    most: int
    waypoint: Waypoint = passing
    stopping: bool = False
    problems: dict[str, str] = field(default_factory=dict)
    missing: int = 0

    def note(self, path: str, problem: str) -> None:
        """Remember what is wrong with a path and log it once; empty when nothing is."""
        if problem and self.problems.get(path) != problem:
            log.warning("%s: %s", path, problem)
        if problem:
            self.problems[path] = problem
        else:
            self.problems.pop(path, None)


Look = tuple[Identity, int]
"""A file as it was once looked at: its identity and when it was written."""


class PathTail:
    """Follows one path.

    The order of `_followed` is the order in which the generations were written; the last may be the one at the path.
    """

    def __init__(self, path: str, around: Surroundings) -> None:
        self.path = path
        self.key = f"file:{path}@{around.source}"
        self._around = around
        self._followed: list[Followed] = []
        self._history: list[Generation] = []
        self._foreign: set[Look | int] = set()
        self._known: set[Look] = set()
        self._folder_ns = 0
        self._looks = _QUIET_LOOKS
        self._resumed = False

    def poll(self) -> int:
        """Look at the path and take what is new; returns the number of records.

        Raises:
            UnavailableError: the spool takes nothing now; the next call goes on where this one was.
            OSError: the file system fails.
        """
        if not self._resumed:
            self._resume()
            self._resumed = True
        self._look()
        taken = sum(self._drain(one) for one in list(self._followed))
        return taken + self._retire()

    @property
    def idle(self) -> bool:
        """Whether nothing is at the path any more and everything that was there is done."""
        return self._resumed and not self._followed

    def owns(self, identity: Identity) -> bool:
        """Whether this file is, or was, a generation of this path."""
        known = (*(one.generation for one in self._followed), *self._history)
        readers = (one.reader.identity for one in self._followed if one.reader is not None)
        return identity in readers or any(one.identity == identity for one in known)

    def close(self) -> None:
        """Let go of every file."""
        for one in self._followed:
            if one.reader is not None:
                one.reader.close()
        self._followed.clear()

    # ------------------------------------------------------------------ what is there

    def _resume(self) -> None:
        known = from_position(self._around.position(self.key))
        self._history = [one for one in known if one.done]
        for one in known:
            if one.done:
                continue
            reader = self._locate(one)
            if reader is None:
                self._miss(one)
            else:
                self._followed.append(Followed(one, reader, superseded=True, quiet_since=self._around.now()))
        if not known:
            for sibling in self._siblings():
                self._foreign |= {_look_of(sibling), sibling.modified_ns}

    def _look(self) -> None:
        present = self._present()
        here = next((one for one in self._followed if one.reader and one.reader.identity == present), None)
        changed = self._folder_changed()
        if here is not None and not here.intact():
            self._truncated(here)
            changed, here = True, None
        for one in self._followed:
            if one is not here and not one.superseded:
                one.superseded, one.quiet_since = True, self._around.now()
        if here is not None:
            here.superseded = False
        if changed and (here is None or not here.generation.offset):
            self._follow_newer(here)
        if present is not None and here is None:
            self._open_path()

    def _follow_newer(self, here: Followed | None) -> None:
        newer = [Followed(Generation(), reader, True, self._around.now()) for reader in self._newer()]
        if newer:
            for one in self._followed:
                if one.reader is None and not one.generation.offset:
                    one.partial = b""  # it was never taken, so its copy is among the newer files
        at = self._followed.index(here) if here is not None else len(self._followed)
        self._followed[at:at] = newer

    def _present(self) -> Identity | None:
        try:
            about = os.stat(self.path)
        except FileNotFoundError:
            self._around.note(self.path, "")
            return None
        except OSError as error:
            self._around.note(self.path, f"cannot be read: {error.strerror}")
            return None
        return about.st_dev, about.st_ino

    def _open_path(self) -> None:
        try:
            reader = open_reader(self.path)
        except OSError as error:
            self._around.note(self.path, f"cannot be read: {error.strerror or error}")
            return
        self._around.note(self.path, "")
        again = next((one for one in self._history if one.identity == reader.identity and one.continues(reader)), None)
        if again is not None:
            self._history.remove(again)
        generation = replace(again, done=False) if again else Generation(place=os.path.realpath(self.path))
        self._followed.append(Followed(generation, reader))

    def _truncated(self, here: Followed) -> None:
        """The file at the path began anew under its own inode: the rest may be in a copy."""
        if here.reader is not None:
            here.reader.close()
        here.reader = None
        here.superseded, here.quiet_since = True, self._around.now()
        if here.generation.offset:
            here.reader = self._in_siblings(here.generation)
            here.restart()
            log.info("%s was truncated%s", self.path, "; going on in its copy" if here.reader else "")

    # ------------------------------------------------------------------ finding generations

    def _locate(self, generation: Generation) -> Reader | None:
        """Where a generation is after a time in which nobody looked."""
        places = dict.fromkeys((self.path, generation.place))
        for place in filter(None, places):
            reader = self._try(place)
            if reader is None:
                continue
            same = reader.identity[1] == generation.inode or generation.unmistakable
            if same and generation.continues(reader):
                return reader
            reader.close()
        return self._in_siblings(generation)

    def _in_siblings(self, generation: Generation) -> Reader | None:
        found = self._siblings()
        by_inode = [one for one in found if one.identity[1] == generation.inode]
        for sibling in (*by_inode, *reversed(found)):
            reader = self._try(sibling.path)
            if reader is None:
                continue
            if generation.continues(reader):
                return reader
            reader.close()
        return None

    def _newer(self) -> list[Reader]:
        """Files beside the path that were written after everything that is known, oldest first."""
        every = self._siblings()
        known = [index for index, one in enumerate(every) if self._knows(one)]
        found = every
        if known:
            last = every[known[-1]]
            found = [one for one in every[known[-1] + 1 :] if one.modified_ns >= last.modified_ns]
        elif since := self._last_written():
            found = [one for one in every if one.modified_ns > since]
        unread = [one for one in found if not self._is_foreign(one)]
        self._foreign |= {_look_of(one) for one in every if one not in unread} - self._known
        return [reader for one in unread if (reader := self._try(one.path)) is not None]

    def _is_foreign(self, sibling: Sibling) -> bool:
        return _look_of(sibling) in self._foreign or (sibling.compressed and sibling.modified_ns in self._foreign)

    def _knows(self, sibling: Sibling) -> bool:
        look = _look_of(sibling)
        if any(one.reader is not None and one.reader.identity == sibling.identity for one in self._followed):
            self._known.add(look)
            return True
        if look in self._known or self._is_foreign(sibling):
            return look in self._known
        reader = self._try(sibling.path)
        if reader is None:
            return False
        try:
            taken = (*self._history, *(one.generation for one in self._followed))
            known = any(one.begins(reader) and (one.outgrows(reader) or one.continues(reader)) for one in taken)
        finally:
            reader.close()
        self._known |= {look} if known else set()
        return known

    def _last_written(self) -> int:
        open_ones = [one.reader.modified_ns for one in self._followed if one.reader and one.generation.offset]
        return max((*open_ones, *(one.modified_ns for one in self._history)), default=0)

    def _siblings(self) -> list[Sibling]:
        try:
            return siblings(self.path)
        except OSError:
            return []

    def _try(self, path: str) -> Reader | None:
        try:
            return open_reader(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            if path != self.path:
                self._around.note(path, f"cannot be read: {error.strerror or error}")
            return None

    def _folder_changed(self) -> bool:
        try:
            changed_ns = os.stat(os.path.dirname(self.path) or ".").st_mtime_ns
        except OSError:
            return False
        self._looks = _QUIET_LOOKS if changed_ns != self._folder_ns else max(self._looks - 1, 0)
        self._folder_ns = changed_ns
        return self._looks > 0

    # ------------------------------------------------------------------ taking lines

    def _drain(self, one: Followed) -> int:
        taken = 0
        while not self._around.stopping and (batch := one.next_batch(self._around.most)):
            taken += self._store(one, batch)
        if taken and one.superseded:
            one.quiet_since = self._around.now()
        return taken

    def _store(self, one: Followed, batch: Batch) -> int:
        around = self._around
        if not batch.after.number:
            batch = batch._replace(after=replace(batch.after, number=self._next_number()))
        around.waypoint("tail:after-read")
        origin = f"file:{self.path}#{batch.after.number}"
        chunk = Chunk(around.source, origin, one.generation.ordinal, around.now(), batch.records, batch.oversized)
        around.append(chunk, self._position(one, batch.after))
        one.took(batch)
        return len(batch.records)

    def _next_number(self) -> int:
        numbers = (*(one.number for one in self._history), *(one.generation.number for one in self._followed))
        return max(numbers, default=0) + 1

    def _position(self, changed: Followed, after: Generation) -> Mapping[str, Any]:
        followed = [after if one is changed else one.generation for one in self._followed]
        known = sorted((*self._history, *followed), key=lambda one: one.number)
        return to_position(self.key, known)

    def _retire(self) -> int:
        """Finish generations that are no longer at the path and will not grow; their last line may lack its end."""
        taken = 0
        for one in list(self._followed):
            if self._around.stopping or not self._finished(one):
                continue
            if one.altered and one.reader is not None:
                one.reader.close()
                one.reader = None
            rest = one.rest()
            if rest is not None:
                taken += self._store(one, rest._replace(after=replace(rest.after, done=True)))
            if one.reader is not None:
                one.reader.close()
            self._followed.remove(one)
            if one.generation.number:
                self._history = [*self._history, replace(one.generation, done=True)][-KEPT_DONE:]
        return taken

    def _finished(self, one: Followed) -> bool:
        if not one.superseded or not (one.caught_up or one.altered):
            return False
        if one.reader is None or one.altered or not one.reader.growing:
            return True
        return one.quiet_since is None or self._around.now() - one.quiet_since >= self._around.linger

    def _miss(self, generation: Generation) -> None:
        self._around.missing += 1
        self._history = [*self._history, replace(generation, done=True)][-KEPT_DONE:]
        log.warning(
            "%s: the file read before (generation %d) was not found again; lines added to it since are not read",
            self.path,
            generation.number,
        )


def _look_of(sibling: Sibling) -> Look:
    return sibling.identity, sibling.modified_ns
