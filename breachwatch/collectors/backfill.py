"""Old files into a topic of records, each record with the id it would have in a replay: sent twice is once.

What was acknowledged is noted, so that a run that was broken off goes on where it was.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import orjson

from breachwatch.collectors.inlet import PAUSES
from breachwatch.kernel.errors import ContentError, Problem, UnavailableError
from breachwatch.kernel.streams import Chunk

log = logging.getLogger(__name__)
BATCH_RECORDS = 20_000
BATCH_BYTES = 8 << 20
PATIENCE_SECONDS = 60.0
"""How long brokers may be away before a run is broken off."""
_NEXT_MILLISECOND = 0.002


class Writing(Protocol):
    """Writes values into a topic."""

    async def write(self, values: Sequence[bytes]) -> None:
        """All of them are durable when this returns; raises `UnavailableError` to be asked again."""

    async def close(self) -> None:
        """Let go of the brokers."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What a run did. `resumed`: records that an earlier run, broken off, had sent already."""

    files: int = 0
    records: int = 0
    resumed: int = 0


class Progress:
    """How far each file was sent, in a small file beside the state; it is gone once all of a run is done.

    Args:
        path: where.
        topic: into which topic.
        source: as which source.

    Raises:
        ContentError: the file is there and says nothing that was written here.
    """

    def __init__(self, path: Path, topic: str, source: str) -> None:
        self._path = path
        self._about = f"{topic} {source}"
        self._known: dict[str, Any] = {}
        if path.exists():
            try:
                self._known = dict(orjson.loads(path.read_bytes()))
            except (OSError, ValueError, TypeError) as error:
                hint = "remove it, and all files are sent from their beginning"
                raise ContentError([Problem(str(path), 0, 0, "cannot be read as progress", hint)]) from error

    def done(self, file: Path) -> int:
        """How many records of a file were sent; 0 when it changed since."""
        noted = self._known.get(self._key(file), {})
        return int(noted.get("done", 0)) if noted.get("file") == _look(file) else 0

    def note(self, file: Path, done: int) -> None:
        """So many of its records are durable."""
        self._known[self._key(file)] = {"file": _look(file), "done": done}
        self._write()

    def forget(self, files: Iterable[Path]) -> None:
        """All of these are done, and may be sent anew if somebody wants to."""
        for file in files:
            self._known.pop(self._key(file), None)
        if self._known:
            self._write()
        else:
            self._path.unlink(missing_ok=True)

    def _key(self, file: Path) -> str:
        return f"{self._about} {os.path.abspath(file)}"

    def _write(self) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self._path.with_suffix(".draft")
        draft.write_bytes(orjson.dumps(self._known))
        draft.replace(self._path)


def _look(file: Path) -> list[int]:
    """What tells that a file is not the one it was: its inode, size and time."""
    seen = file.stat()
    return [seen.st_ino, seen.st_size, seen.st_mtime_ns]


async def send_files(
    files: Sequence[Path],
    read: Callable[[Path], Iterator[Chunk]],
    writer: Writing,
    pack: Callable[[Chunk], bytes],
    progress: Progress,
    *,
    machine: str = "",
    patience: float = PATIENCE_SECONDS,
) -> Sent:
    """Send every record of the files, in order.

    Args:
        files: oldest first.
        read: gives the chunks of a file, the same each time.
        writer: of the topic of records.
        pack: makes a value of a chunk.
        progress: how far an earlier run came.
        machine: begins the origin, where several machines have a file of one path.
        patience: seconds that the brokers may be away.

    Raises:
        ContentError: a file cannot be read; what came before it is sent.
        UnavailableError: the brokers are away; the same command goes on from there.
    """
    total = Sent(files=len(files))
    try:
        for file in files:
            done = progress.done(file)
            if done:
                log.info("%s goes on after record %s", file, f"{done:,}")
            sent = await _send_file(read(file), writer, pack, machine, patience, done, _noter(progress, file))
            total = replace(total, records=total.records + sent, resumed=total.resumed + done)
            await asyncio.sleep(_NEXT_MILLISECOND)  # by the time of append, files are in order too
    finally:
        await writer.close()
    progress.forget(files)
    return total


def _noter(progress: Progress, file: Path) -> Callable[[int], None]:
    return lambda done: progress.note(file, done)


async def _send_file(
    chunks: Iterator[Chunk],
    writer: Writing,
    pack: Callable[[Chunk], bytes],
    machine: str,
    patience: float,
    done: int,
    note: Callable[[int], None],
) -> int:
    sent, reached, readable = 0, done, _until_fault(chunks)
    fault: list[ContentError] = []

    def gather() -> tuple[list[bytes], int]:
        """The next values, and up to which record they go."""
        nonlocal reached
        values: list[bytes] = []
        records = size = 0
        while records < BATCH_RECORDS and size < BATCH_BYTES:
            chunk = next(readable, None)
            if isinstance(chunk, ContentError):
                fault.append(chunk)
            if not isinstance(chunk, Chunk):
                break
            chunk = _rest(chunk, reached)
            if not chunk.records:
                continue
            if machine:
                chunk = replace(chunk, origin=f"{machine}/{chunk.origin}")
            values.append(pack(chunk))
            reached = chunk.first_ordinal + len(chunk.records)
            records, size = records + len(chunk.records), size + len(values[-1])
        return values, reached

    ahead = asyncio.ensure_future(asyncio.to_thread(gather))
    try:
        while True:
            values, upto = await ahead
            if not values and fault:
                raise fault[0]
            if not values:
                return sent
            ahead = asyncio.ensure_future(asyncio.to_thread(gather))
            await _patiently(writer, values, patience)
            note(upto)
            sent, done = sent + upto - done, upto
    finally:
        await asyncio.wait({ahead})


def _until_fault(chunks: Iterator[Chunk]) -> Iterator[Chunk | ContentError]:
    """The chunks of a file, and last what is wrong with it, if anything is: what could be read goes before."""
    try:
        yield from chunks
    except ContentError as error:
        yield error


def _rest(chunk: Chunk, done: int) -> Chunk:
    """What of a chunk is not sent yet."""
    skip = min(max(done - chunk.first_ordinal, 0), len(chunk.records))
    if not skip:
        return chunk
    oversized = tuple((index - skip, size) for index, size in chunk.oversized if index >= skip)
    return replace(chunk, first_ordinal=chunk.first_ordinal + skip, records=chunk.records[skip:], oversized=oversized)


async def _patiently(writer: Writing, values: Sequence[bytes], patience: float) -> None:
    loop = asyncio.get_running_loop()
    until, failures = loop.time() + patience, 0
    while True:
        try:
            await writer.write(values)
        except UnavailableError as error:
            pause = PAUSES[min(failures, len(PAUSES) - 1)]
            if loop.time() + pause > until:
                raise UnavailableError(
                    f"{error}; what was sent is noted: the same command goes on from there"
                ) from error
            log.warning("%s; trying again", error)
            await asyncio.sleep(pause)
            failures += 1
        else:
            return
