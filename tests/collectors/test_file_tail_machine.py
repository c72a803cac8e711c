"""Every line exactly once, in order, whatever writers, rotation, operators and crashes do in between."""

import gzip
import os
import shutil
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from breachwatch.collectors.file_tail import FileTail
from breachwatch.kernel.errors import UnavailableError
from breachwatch.kernel.streams import Chunk


class _KilledError(BaseException):
    """The process ends here."""


class TailMachine(RuleBasedStateMachine):
    """A writer, a log rotation, and a tail that is stopped, killed and refused now and then.

    `lives`: what was ever written, one entry for each life of the file; the last is the one being written.
    """

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="breachwatch-tail-"))
        self.path = self.folder / "app.log"
        self.at = datetime(2026, 3, 27, 13, tzinfo=UTC)
        self.lives: list[bytearray] = [bytearray()]
        self.may_be_lost: list[bytearray] = []
        self.lines_written = 0
        self.chunks: list[Chunk] = []
        self.positions: dict[str, Mapping[str, Any]] = {}
        self.trouble = ""
        self.tail: FileTail | None = None
        self.old: tuple[Path, bytearray] | None = None

    # ------------------------------------------------------------------ the tail

    def append(self, chunk: Chunk, position: Mapping[str, Any] | None = None) -> None:
        trouble, self.trouble = self.trouble, ""
        if trouble == "refuse":
            raise UnavailableError("full")
        if trouble == "kill before":
            raise _KilledError
        self.chunks.append(chunk)
        assert position is not None
        self.positions[str(position["key"])] = position
        if trouble == "kill after":
            raise _KilledError

    def start(self) -> None:
        self.tail = FileTail(
            self.path, "app", self.append, self.positions.get, lambda: self.at,
            linger=timedelta(seconds=30), max_records=2,
        )  # fmt: skip

    def look(self) -> None:
        if self.tail is None:
            self.start()
        assert self.tail is not None
        try:
            self.tail.poll()
        except UnavailableError:
            return
        except _KilledError:
            self.down()

    @initialize()
    def begin(self) -> None:
        self.write(1, False)
        self.look()

    @rule()
    def poll(self) -> None:
        self.look()

    @rule()
    def down(self) -> None:
        if self.tail is not None:
            self.tail.close()
        self.tail = None

    @rule(trouble=st.sampled_from(["refuse", "kill before", "kill after"]))
    def poll_in_trouble(self, trouble: str) -> None:
        self.trouble = trouble
        self.look()
        self.trouble = ""

    @rule()
    def time_passes(self) -> None:
        self.old = None
        self.at += timedelta(seconds=31)
        self.look()

    # ------------------------------------------------------------------ the writer

    def _line(self) -> bytes:
        self.lines_written += 1
        return b"%06d" % self.lines_written

    @rule(lines=st.integers(1, 5), part=st.booleans())
    def write(self, lines: int, part: bool) -> None:
        text = b"".join(self._line() + b"\n" for _ in range(lines)) + (self._line() if part else b"")
        self._write(self.path, self.lives[-1], text)

    @precondition(lambda self: self.old is not None)
    @rule(part=st.booleans())
    def write_into_the_rotated_file(self, part: bool) -> None:
        """The writer was not yet told to reopen its log."""
        assert self.old is not None
        self._write(*self.old, self._line() + (b"" if part else b"\n"))

    def _write(self, path: Path, life: bytearray, text: bytes) -> None:
        with path.open("ab") as file:
            file.write(text)
        life += text

    # ------------------------------------------------------------------ rotation

    def _shift(self) -> Path:
        for number in range(40, 0, -1):
            for ending in ("", ".gz"):
                name = self.folder / f"app.log.{number}{ending}"
                if name.exists():
                    name.rename(self.folder / f"app.log.{number + 1}{ending}")
        if self.old is not None and self.old[0].name != "app.log":
            self.old = None
        return self.folder / "app.log.1"

    @rule(recreate=st.booleans())
    def rotate_by_renaming(self, recreate: bool) -> None:
        if not self.path.exists():
            return
        first = self._shift()
        self.path.rename(first)
        # nothing tells an empty file from another, so what a writer adds to one that is already rotated is not promised
        self.old = (first, self.lives[-1]) if self.lives[-1] else None
        self.lives.append(bytearray())
        if recreate:
            self.path.touch()

    @rule()
    def rotate_by_copying(self) -> None:
        if not self.path.exists():
            return
        shutil.copyfile(self.path, self._shift())
        os.truncate(self.path, 0)
        self.lives.append(bytearray())

    @rule()
    def compress(self) -> None:
        self.old = None
        for plain in self.folder.glob("app.log.*"):
            if plain.suffix != ".gz":
                about = plain.stat()
                packed = plain.with_name(plain.name + ".gz")
                packed.write_bytes(gzip.compress(plain.read_bytes()))
                os.utime(packed, ns=(about.st_atime_ns, about.st_mtime_ns))
                plain.unlink()

    @rule(how=st.sampled_from(["empty", "delete", "replace"]))
    def lose(self, how: str) -> None:
        """What nobody read and nobody kept a copy of may be gone; nothing else."""
        if not self.path.exists():
            return
        self.may_be_lost.append(self.lives.pop())
        if how == "empty":
            os.truncate(self.path, 0)
        else:
            self.path.unlink()
        if how == "replace":
            self.path.touch()
        self.lives.append(bytearray())

    # ------------------------------------------------------------------ the promise

    @invariant()
    def nothing_twice_and_nothing_out_of_order(self) -> None:
        origins: dict[str, list[bytes]] = {}
        for chunk in self.chunks:
            known = origins.setdefault(chunk.origin, [])
            assert chunk.first_ordinal == len(known), "ordinals have no gap and none comes twice"
            known.extend(chunk.records)
        for known in origins.values():
            assert known == sorted(known), "lines of one file come in their order"
        every = [line for known in origins.values() for line in known]
        assert len(every) == len(set(every)), "no line comes twice"

    def teardown(self) -> None:
        for _ in range(3):
            self.time_passes()
            for _ in range(12):
                self.look()
        self.down()
        shutil.rmtree(self.folder)
        seen = {record for chunk in self.chunks for record in chunk.records}
        last = self.lives.pop()
        *whole, part = bytes(last).split(b"\n")
        must = {line for life in self.lives for line in bytes(life).split(b"\n")} | set(whole)
        may = {line for life in self.may_be_lost for line in bytes(life).split(b"\n")} | {part}
        assert must - seen - {b""} == set(), "no line is lost"
        made_up = [line for line in seen - must if not any(known.startswith(line) for known in may)]
        assert made_up == [], "no line is made up; of one that is lost, its beginning may have been seen"


TailMachine.TestCase.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
TestEveryLineExactlyOnce = TailMachine.TestCase
