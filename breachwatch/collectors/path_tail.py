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
        self._known: dict[Look, Generation] = {}
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
        missed = False
        for one in known:
            if one.done:
                continue
            reader = self._locate(one, [other for other in known if other is not one])
            if reader is None:
                missed = True
                self._miss(one)
            else:
                self._followed.append(Followed(one, reader, superseded=True, quiet_since=self._around.now()))
        if missed:
            self._follow_newer()  # it may have been empty, and be a packed file with a late line now
        if not known:
            for sibling in self._siblings():
                self._foreign |= {_look_of(sibling), sibling.modified_ns}

    def _look(self) -> None:
        present = self._present()
        here = next((one for one in self._followed if one.reader and one.reader.identity == present), None)
        changed = self._folder_changed()
        for one in self._followed:
            if one.reader is not None and not one.intact():
                self._truncated(one)
                changed, here = True, None if one is here else here
        for one in self._followed:
            if one is not here and not one.superseded:
                one.superseded, one.quiet_since = True, self._around.now()
        if here is not None:
            here.superseded = False
        if changed and (here is None or not here.generation.offset):
            self._follow_newer()
        if present is not None and here is None:
            self._open_path()

    def _follow_newer(self) -> None:
        order = {one.identity: index for index, one in enumerate(self._siblings())}
        newer = self._newer()
        if newer:
            for one in self._followed:
                if one.reader is None and not one.generation.offset:
                    one.partial = b""  # it was never taken, so its copy is among the newer files
        for reader in newer:
            place = order.get(reader.identity, len(order))
            later = (
                index
                for index, one in enumerate(self._followed)
                if not one.generation.offset and (not one.reader or order.get(one.reader.identity, len(order)) > place)
            )
            at = next(later, len(self._followed))
            self._followed.insert(at, Followed(_fresh(reader), reader, True, self._around.now()))

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
        generation = replace(again, done=False) if again else replace(_fresh(reader), place=os.path.realpath(self.path))
        self._followed.append(Followed(generation, reader))

    def _truncated(self, one: Followed) -> None:
        """A file began anew under its own inode: the rest of what it held may be in a copy."""
        if one.reader is not None:
            one.reader.close()
        one.reader = None
        one.superseded, one.quiet_since = True, self._around.now()
        if one.generation.offset:
            one.reader = self._in_siblings(one.generation, [])
            one.restart()
            log.info("%s was truncated%s", self.path, "; going on in its copy" if one.reader else "")

    # ------------------------------------------------------------------ finding generations

    def _locate(self, generation: Generation, others: list[Generation]) -> Reader | None:
        """Where a generation is after a time in which nobody looked."""
        places = dict.fromkeys((self.path, generation.place))
        for place in filter(None, places):
            reader = self._try(place)
            if reader is None:
                continue
            same = reader.identity[1] == generation.inode or generation.unmistakable
            if same and _goes_on(generation, reader, others):
                return reader
            reader.close()
        return self._in_siblings(generation, others)

    def _in_siblings(self, generation: Generation, others: list[Generation]) -> Reader | None:
        found = self._siblings()
        by_inode = [one for one in found if one.identity[1] == generation.inode]
        for sibling in (*by_inode, *reversed(found)):
            reader = self._try(sibling.path)
            if reader is None:
                continue
            if _goes_on(generation, reader, others):
                return reader
            reader.close()
        return None

    def _newer(self) -> list[Reader]:
        """Files beside the path that were written after everything that is known, oldest first."""
        every = found = self._siblings()
        known = [(index, taken) for index, one in enumerate(every) if (taken := self._taken_from(one))]
        if known:
            last, taken = known[-1]
            found = [one for one in every[last + 1 :] if one.modified_ns >= taken.since_ns]
        elif since := max((one.since_ns for one in self._taken_ones()), default=0):
            found = [one for one in every if one.modified_ns >= since]
        unread = [one for one in found if not self._is_foreign(one) and not self._is_open(one)]
        open_ones = {one.reader.identity for one in self._followed if one.reader is not None}
        rest = {_look_of(one) for one in every if one not in unread and one.identity not in open_ones}
        self._foreign |= rest - self._known.keys()
        return [reader for one in unread if (reader := self._try(one.path)) is not None]

    def _is_foreign(self, sibling: Sibling) -> bool:
        return _look_of(sibling) in self._foreign or (sibling.compressed and sibling.modified_ns in self._foreign)

    def _taken_from(self, sibling: Sibling) -> Generation | None:
        """The generation that this file is, if anything was taken from it."""
        for one in self._followed:
            if one.reader is not None and one.reader.identity == sibling.identity:
                return one.generation if one.generation.offset else None
        look = _look_of(sibling)
        if look in self._known or self._is_foreign(sibling):
            return self._known.get(look)
        reader = self._try(sibling.path)
        if reader is None:
            return None
        try:
            taken = next((one for one in self._taken_ones() if one.holds(reader)), None)
        finally:
            reader.close()
        if taken is not None:
            self._known[look] = taken
        return taken

    def _taken_ones(self) -> list[Generation]:
        return [*self._history, *(one.generation for one in self._followed if one.generation.offset)]

    def _is_open(self, sibling: Sibling) -> bool:
        """Whether it is being read already, itself or as the file it was packed from."""
        if any(one.reader is not None and one.reader.identity == sibling.identity for one in self._followed):
            return True
        reader = self._try(sibling.path)
        if reader is None:
            return False
        try:
            return any(one.untouched_original_of(reader) for one in self._followed)
        finally:
            reader.close()

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
        """All generations as of now; of one nothing was taken from, only if it is no longer found at the path."""
        followed = []
        for one in self._followed:
            generation = after if one is changed else one.generation
            if one.superseded and one.partial and not generation.offset:
                generation = generation.glimpsed(one.partial)
            if generation.offset or one.superseded:
                followed.append(generation)
        return to_position(self.key, [*self._history, *followed])

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
        if not generation.head_bytes:
            return
        self._around.missing += 1
        self._history = [*self._history, replace(generation, done=True)][-KEPT_DONE:]
        log.warning(
            "%s: the file read before (generation %d) was not found again; lines added to it since are not read",
            self.path,
            generation.number,
        )


def _goes_on(generation: Generation, reader: Reader, others: list[Generation]) -> bool:
    """Whether a file is this generation. One that was empty is known by its inode alone, which another may have now."""
    if generation.head_bytes:
        return generation.continues(reader)
    return reader.identity == generation.identity and not any(other.holds(reader) for other in others)


def _fresh(reader: Reader) -> Generation:
    device, inode = reader.identity
    return Generation(device=device, inode=inode)


def _look_of(sibling: Sibling) -> Look:
    return sibling.identity, sibling.modified_ns
