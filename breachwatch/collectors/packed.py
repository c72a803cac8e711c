"""Whole files as blocks of plain bytes, whatever they are packed with; told by their first bytes, not their names.

gzip, zstd, bzip2 and xz, also several streams one after another. UTF-16 with a byte order mark, as PowerShell exports
it, becomes UTF-8. Memory is bounded whatever a file claims, and a file that swells beyond reason is refused.
"""

import bz2
import codecs
import lzma
import os
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import zstandard

from breachwatch.kernel.errors import ContentError, Problem

BLOCK_BYTES = 256 << 10
SWELLS_BEYOND_BYTES = 1 << 30
"""Up to here a file may swell by any factor."""
MOST_SWELLING = 250
"""Logs shrink to a tenth, very dull ones to a hundredth; what becomes 250 times larger than it was is a bomb."""
_MEMORY_BYTES = 128 << 20
_FRAME_HEAD_BYTES, _SAME_BYTE = 18, 1

Advance = Callable[[int], object]
"""Told how many bytes of the file, as it lies on the disk, were read since it was last told."""

_MAGIC = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
}
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_DAMAGED = (EOFError, zlib.error, lzma.LZMAError, zstandard.ZstdError, ValueError)


def packing(head: bytes) -> str:
    """What a file is packed with, by its first bytes: `gzip`, `zstd`, `bzip2`, `xz`, or nothing."""
    return next((name for magic, name in _MAGIC.items() if head.startswith(magic)), "")


def head_of(path: Path, size: int = BLOCK_BYTES) -> bytes:
    """The first bytes of a file, unpacked; fewer where it is shorter or damaged.

    Raises:
        ContentError: it cannot be read.
    """
    held = bytearray()
    try:
        for block in plain_blocks(path, lambda _bytes: None):
            held += block
            if len(held) >= size:
                break
    except ContentError:
        if not held and not os.path.isfile(path):
            raise
    return bytes(held[:size])


def plain_blocks(path: Path, advance: Advance) -> Iterator[bytes]:
    """The bytes of a file in blocks of about 256 KiB, unpacked, in UTF-8 and without a byte order mark.

    Raises:
        ContentError: it cannot be read, is cut off or damaged, or swells beyond reason; what could be read was given
            out before.
    """
    try:
        with open(path, "rb") as file:
            packed = packing(file.read(8))
            file.seek(0)
            yield from _decoded(_counted(path, file, packed, advance))
    except OSError as error:
        raise _problem(path, f"cannot be read: {error.strerror or error}") from error


def _counted(path: Path, file: IO[bytes], packed: str, advance: Advance) -> Iterator[bytes]:
    told = given = 0
    try:
        for block in _unpacked(file, packed):
            yield block
            given += len(block)
            at = file.tell()
            advance(at - told)
            told = at
            if packed and given > SWELLS_BEYOND_BYTES and given > at * MOST_SWELLING:
                message = f"was refused: it swells to more than {MOST_SWELLING} times its size"
                raise _problem(path, message, "unpack it yourself if you trust it")
        advance(file.tell() - told)
    except OSError as error:
        if error.errno is not None:
            raise
        raise _problem(path, f"is no whole {packed} file") from error
    except _DAMAGED as error:
        raise _problem(path, f"is no whole {packed} file", "was it cut off?") from error


def _unpacked(file: IO[bytes], packed: str) -> Iterator[bytes]:
    match packed:
        case "":
            yield from iter(lambda: file.read(BLOCK_BYTES), b"")
        case "gzip":
            yield from _streams(file, _Gzip)
        case "zstd":
            yield from _zstd(file)
        case "bzip2":
            yield from _streams(file, bz2.BZ2Decompressor)
        case _:
            yield from _streams(file, lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY_BYTES))


def _zstd(file: IO[bytes]) -> Iterator[bytes]:
    """The blocks of zstd frames, each at most 128 KiB. Source: RFC 8878, section 3.1.

    The library would give out all that a piece of input makes, however much, and does not tell a frame that was cut
    off from one that has ended; so the blocks are walked here.
    """
    decompressor = zstandard.ZstdDecompressor(max_window_size=_MEMORY_BYTES)
    while head := file.read(_FRAME_HEAD_BYTES):
        if len(head) >= 8 and head[1:4] == b"\x2a\x4d\x18" and head[0] & 0xF0 == 0x50:  # a frame to be skipped
            file.seek(8 - len(head) + int.from_bytes(head[4:8], "little"), os.SEEK_CUR)
            continue
        parameters, size = zstandard.get_frame_parameters(head), zstandard.frame_header_size(head)
        file.seek(size - len(head), os.SEEK_CUR)
        frame = decompressor.decompressobj()
        frame.decompress(head[:size])
        last = False
        while not last:
            header = _exactly(file, 3)
            told = int.from_bytes(header, "little")
            last, kind, length = bool(told & 1), told >> 1 & 3, told >> 3
            if block := frame.decompress(header + _exactly(file, 1 if kind == _SAME_BYTE else length)):
                yield block
        if parameters.has_checksum and (block := frame.decompress(_exactly(file, 4))):
            yield block


def _exactly(file: IO[bytes], size: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise EOFError
    return data


class _Gzip:
    """zlib's decompressor with the face of the others."""

    def __init__(self) -> None:
        self._unit = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)

    @property
    def needs_input(self) -> bool:
        return not self._unit.unconsumed_tail

    @property
    def eof(self) -> bool:
        return self._unit.eof

    @property
    def unused_data(self) -> bytes:
        return self._unit.unused_data

    def decompress(self, data: bytes, most: int) -> bytes:
        return self._unit.decompress(self._unit.unconsumed_tail + data, most)


def _streams(file: IO[bytes], fresh: Callable[[], Any]) -> Iterator[bytes]:
    """The blocks of streams of one kind after another; zeros between and behind them are padding."""
    unit, begun, data = fresh(), False, b""
    while True:
        if not data and unit.needs_input:
            data = file.read(BLOCK_BYTES // 4)
            if not data:
                break
        if not begun:
            data = data.lstrip(b"\0")
            if not data:
                continue
        begun = True
        block = unit.decompress(data, BLOCK_BYTES)
        data = b""
        if block:
            yield block
        if unit.eof:
            data, unit, begun = unit.unused_data, fresh(), False
    if begun:
        raise EOFError


def _decoded(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Blocks without a byte order mark, and in UTF-8 where it says UTF-16."""
    decoder: codecs.IncrementalDecoder | None = None
    first = True
    for block in blocks:
        plain = block
        if first:
            first = False
            mark, encoding = next(((mark, name) for mark, name in _MARKS if block.startswith(mark)), (b"", ""))
            plain = block[len(mark) :]
            if encoding.startswith("utf-16"):
                decoder = codecs.getincrementaldecoder(encoding)("replace")
        if decoder is not None:
            plain = decoder.decode(plain).encode("utf-8", "replace")
        if plain:
            yield plain
    if decoder is not None and (last := decoder.decode(b"", final=True)):
        yield last.encode("utf-8", "replace")


def _problem(path: Path, message: str, hint: str = "") -> ContentError:
    return ContentError([Problem(str(path), 0, 0, message, hint)])
