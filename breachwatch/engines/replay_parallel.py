"""A replay on every core: workers read and match parts of the files, one correlator takes their matches in file order.

However many workers there are, parts, chunks and their order are the same, and so are the alerts. Workers are forks:
what was compiled before is theirs as well, and the same person is the same reference to each.
"""

import logging
import marshal
import os
import queue
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from itertools import cycle
from multiprocessing import get_all_start_methods, get_context
from multiprocessing.connection import Connection
from operator import attrgetter
from typing import Any, Generic, TypeVar

from breachwatch.engines.replay import replay
from breachwatch.engines.stages import Correlator, Detected, Detector, process
from breachwatch.kernel.errors import ContentError, Problem, UnavailableError
from breachwatch.kernel.streams import Alert, Chunk, DeadLetter, Match, Tally

Part = TypeVar("Part")
Advance = Callable[[int], object]
Read = Callable[[Part, Advance], Iterable[Chunk]]
"""The chunks of a part; tells how many bytes of it were read since it last told."""

_AHEAD = 4
"""Parts a worker may be asked for before its first answer is taken."""
_WAITING = 64
"""Messages of a worker that may wait: what bounds the memory of a replay."""
_CHUNKS_A_MESSAGE = 8


@dataclass(frozen=True, slots=True)
class Matched:
    """What matching a chunk gave, kept for whoever correlates it."""

    matches: Sequence[Match] = ()
    tally: Tally = field(default_factory=Tally)
    broken_rules: Mapping[str, str] = field(default_factory=dict)
    dead: Sequence[DeadLetter] = ()


@dataclass(frozen=True, slots=True)
class MatchedChunk(Chunk):
    """A chunk that was matched already; its records are gone."""

    detected: Matched = field(default_factory=Matched)


class Given:
    """The match stage where matching is done: gives out what each chunk carries.

    A rule that was switched off in one worker is off for every later chunk, as it would be if there were one worker.
    """

    def __init__(self) -> None:
        self._broken: dict[str, str] = {}

    def match(self, chunk: Chunk) -> Detected:
        """What the chunk carries, less the matches of rules that broke before it."""
        if not isinstance(chunk, MatchedChunk):
            raise TypeError(f"{chunk.origin} was not matched yet")
        found = chunk.detected
        if self._broken:
            kept = [match for match in found.matches if match.rule not in self._broken]
            found = Matched(kept, found.tally, {**found.broken_rules, **self._broken})
        self._broken.update(found.broken_rules)
        return found


def usable_cores() -> int:
    """How many processes may run here at a time."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def replay_parts(
    parts: Iterable[Part],
    read: Read[Part],
    detector: Detector,
    correlator: Correlator,
    *,
    workers: int,
    advance: Advance,
) -> tuple[list[Alert], Tally]:
    """Take the parts through both stages, in their order; as `replay` does with chunks.

    Raises:
        ContentError: a part cannot be read.
        UnavailableError: a worker was ended from outside.
    """
    return replay(matched(parts, read, detector, workers=workers, advance=advance), Given(), correlator)


def matched(
    parts: Iterable[Part], read: Read[Part], detector: Detector, *, workers: int, advance: Advance
) -> Generator[MatchedChunk, None, None]:
    """Every chunk of the parts, matched, in the order of the parts whoever was first.

    Args:
        parts: what is asked for one by one, never far ahead.
        read: gives the chunks of a part; runs in the workers.
        detector: as it is now; each worker has a copy of its own.
        workers: processes beside this one; 1, or a system that cannot fork, and all is done here.
        advance: told of bytes as their chunks come out.
    """
    if workers <= 1 or "fork" not in get_all_start_methods():
        for part in parts:
            for chunk in read(part, advance):
                yield _match(chunk, detector)
        return
    team: list[_Worker[Part]] = []
    try:
        for _ in range(workers):
            team.append(_Worker(read, detector, team))
        for worker in team:
            worker.listen()
        yield from _in_order(parts, team, advance)
    finally:
        for worker in team:
            worker.end()


def _in_order(parts: Iterable[Part], team: "Sequence[_Worker[Part]]", advance: Advance) -> Iterator[MatchedChunk]:
    asked: deque[_Worker[Part]] = deque()
    for part, worker in zip(parts, cycle(team), strict=False):
        worker.ask(part)
        asked.append(worker)
        if len(asked) > _AHEAD * len(team):
            yield from asked.popleft().answer(advance)
    while asked:
        yield from asked.popleft().answer(advance)


class _Kept:
    """Stands where the correlator stands, and keeps what it is fed."""

    alerts: tuple[Alert, ...] = ()
    late = 0

    def __init__(self) -> None:
        self.matches: list[Match] = []

    def feed(self, matches: Iterable[Match]) -> "_Kept":
        self.matches.extend(matches)
        return self

    def drain_changes(self) -> Sequence[tuple[str, bytes | None]]:
        return ()

    def restore(self, stored: Iterable[tuple[str, bytes]]) -> None:
        """Nothing is stored."""


def _match(chunk: Chunk, detector: Detector) -> MatchedChunk:
    """Match a chunk, shielded as an engine shields it."""
    kept = _Kept()
    outcome = process(chunk, detector, kept)
    return MatchedChunk(
        chunk.source,
        chunk.origin,
        chunk.first_ordinal,
        chunk.received_at,
        (),
        detected=Matched(kept.matches, outcome.tally, outcome.broken_rules),
    )


class _Worker(Generic[Part]):
    """One process that matches parts, seen from the one that asks it."""

    def __init__(self, read: Read[Part], detector: Detector, earlier: "Sequence[_Worker[Part]]") -> None:
        context = get_context("fork")
        self._asking: Connection
        self._answers: Connection
        tasks, self._asking = context.Pipe(duplex=False)
        self._answers, answering = context.Pipe(duplex=False)
        not_its_own = [end for each in earlier for end in (each._asking, each._answers)]
        not_its_own += [self._asking, self._answers]
        self._process = context.Process(target=_work, args=(tasks, answering, not_its_own, read, detector), daemon=True)
        self._process.start()
        tasks.close()
        answering.close()
        self._heard: queue.Queue[bytes | None] = queue.Queue(_WAITING)
        self._ended = threading.Event()

    def listen(self) -> None:
        """Begin to take answers: only once no more processes are forked, which would inherit a thread's locks."""
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while not self._ended.is_set():
            try:
                message: bytes | None = self._answers.recv_bytes()
            except (EOFError, OSError):
                message = None
            while not self._ended.is_set():
                try:
                    self._heard.put(message, timeout=0.1)
                    break
                except queue.Full:
                    continue
            if message is None:
                return

    def ask(self, part: Part) -> None:
        """Give it a part; a handful may wait."""
        try:
            self._asking.send(part)
        except OSError:
            raise _gone() from None

    def answer(self, advance: Advance) -> Iterator[MatchedChunk]:
        """The chunks of the part that it was first asked for and that was not answered yet."""
        while True:
            message = self._heard.get()
            if message is None:
                raise _gone()
            size, chunks, problems, last = marshal.loads(message)  # noqa: S302 - written by a fork of this process
            for chunk in chunks:
                yield _unpacked(chunk)
            advance(size)
            if problems:
                raise ContentError([Problem(*each) for each in problems])
            if last:
                return

    def end(self) -> None:
        """Let it go, whatever it is doing."""
        self._ended.set()
        self._process.terminate()
        self._process.join()
        self._asking.close()
        self._answers.close()


def _gone() -> UnavailableError:
    return UnavailableError("a worker of the replay was ended from outside; is there memory enough? try --workers 1")


def _work(
    tasks: Connection, answering: Connection, not_its_own: Sequence[Connection], read: Read[Any], detector: Detector
) -> None:
    """The life of a worker: parts in, packed chunks out, until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    logging.disable()
    for end in not_its_own:
        end.close()
    while True:
        try:
            part = tasks.recv()
        except EOFError:
            return
        _answer(answering, read, detector, part)


def _answer(answering: Connection, read: Read[Any], detector: Detector, part: Any) -> None:
    packed: list[Any] = []
    size = 0

    def advance(count: int) -> None:
        nonlocal size
        size += count

    def send(problems: Sequence[Any] = (), *, last: bool = False) -> None:
        nonlocal size
        message: Any = (size, packed, problems, last)
        answering.send_bytes(marshal.dumps(message))
        packed.clear()
        size = 0

    try:
        for chunk in read(part, advance):
            packed.append(_packed(_match(chunk, detector)))
            if len(packed) == _CHUNKS_A_MESSAGE:
                send()
    except ContentError as error:
        send([(each.path, each.line, each.column, each.message, each.hint) for each in error.problems], last=True)
    else:
        send(last=True)


# `marshal` takes plain values only, and a third of the time of `pickle`: a match is a tuple on its way.

_OF_MATCH = attrgetter(*(each.name for each in fields(Match)))
_OF_TALLY = attrgetter(*(each.name for each in fields(Tally)))


def _packed(chunk: MatchedChunk) -> tuple[Any, ...]:
    found = chunk.detected
    return (
        (chunk.source, chunk.origin, chunk.first_ordinal, chunk.received_at.isoformat()),
        [_OF_MATCH(match) for match in found.matches],
        _OF_TALLY(found.tally),
        dict(found.broken_rules),
    )


def _unpacked(packed: tuple[Any, ...]) -> MatchedChunk:
    (source, origin, first_ordinal, received_at), matches, tally, broken = packed
    detected = Matched([Match(*each) for each in matches], Tally(*tally), broken)
    return MatchedChunk(source, origin, first_ordinal, datetime.fromisoformat(received_at), (), detected=detected)
