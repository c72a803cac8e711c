"""Files of a log, read at any place: plain ones that may still grow, and compressed ones that will not."""

import errno
import gzip
import os
import stat
import zlib
from typing import Protocol

BLOCK_BYTES = 256 << 10
_LOOK_BACK_BYTES = 1 << 20

Identity = tuple[int, int]
"""(device, inode)."""


class Reader(Protocol):
    """One open file. `growing`: whether more bytes may come at its end."""

    growing: bool

    @property
    def identity(self) -> Identity:
        """Device and inode."""

    @property
    def modified_ns(self) -> int:
        """When it was last written, in nanoseconds since the epoch."""

    def read(self, offset: int, size: int) -> bytes:
        """Bytes from `offset` on, at most `size`, fewer at the end."""

    def size(self) -> int | None:
        """Bytes there are now; None when only reading can tell."""

    def close(self) -> None:
        """Let go of the file."""


class PlainReader:
    """A regular file; it stays readable when renamed or deleted.

    Raises:
        OSError: it cannot be opened, or is no regular file.
    """

    def __init__(self, path: str, *, growing: bool = True) -> None:
        self.growing = growing
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        found = os.fstat(self._descriptor)
        if not stat.S_ISREG(found.st_mode):
            self.close()
            raise OSError(errno.EINVAL, "is no regular file")
        self.identity: Identity = (found.st_dev, found.st_ino)

    @property
    def modified_ns(self) -> int:
        """When it was last written."""
        return os.fstat(self._descriptor).st_mtime_ns

    def read(self, offset: int, size: int) -> bytes:
        """Bytes from `offset` on."""
        return os.pread(self._descriptor, size, offset)

    def size(self) -> int | None:
        """Bytes there are now."""
        return os.fstat(self._descriptor).st_size

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)


class GzipReader:
    """A gzip file by its decompressed bytes. One that is cut off or damaged ends where it can be read to.

    Reading goes forward; looking back up to 1 MiB is free, further back starts over.

    Raises:
        OSError: it cannot be opened.
    """

    growing = False

    def __init__(self, path: str) -> None:
        self._raw = open(path, "rb")  # noqa: SIM115 - closed by `close`
        found = os.fstat(self._raw.fileno())
        self.identity: Identity = (found.st_dev, found.st_ino)
        self.modified_ns = found.st_mtime_ns
        self._rewind()

    def _rewind(self) -> None:
        self._raw.seek(0)
        self._file = gzip.GzipFile(fileobj=self._raw, mode="rb")
        self._window = bytearray()
        self._start = 0

    def read(self, offset: int, size: int) -> bytes:
        """Decompressed bytes from `offset` on."""
        if offset < self._start:
            self._rewind()
        while self._start + len(self._window) < offset + size:
            block = self._next_block()
            if not block:
                break
            self._window += block
            excess = min(offset - _LOOK_BACK_BYTES - self._start, len(self._window))
            if excess > 0:
                del self._window[:excess]
                self._start += excess
        begin = max(offset - self._start, 0)
        return bytes(self._window[begin : begin + size])

    def _next_block(self) -> bytes:
        try:
            return self._file.read(BLOCK_BYTES)
        except (EOFError, zlib.error, gzip.BadGzipFile):
            return b""

    def size(self) -> int | None:
        """Unknown without reading all of it."""
        return None

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
        self._raw.close()


def open_reader(path: str, *, growing: bool = True) -> Reader:
    """The right reader for a path, told by `.gz` at its end.

    Raises:
        OSError: it cannot be opened, or is no regular file.
    """
    return GzipReader(path) if path.endswith(".gz") else PlainReader(path, growing=growing)
