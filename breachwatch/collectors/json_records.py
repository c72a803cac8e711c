r"""JSON files cut into records: a value a line, an array of them, values in a row, or a list within an envelope.

The cutter counts brackets outside strings and never holds more than one record, so a file may be of any size. A record
keeps its bytes, but for line feeds between its parts, which become blanks. A value that is no object is a record too,
which its parser will refuse: so that positions are those of the file's own list.
"""

import re

import orjson

from breachwatch.collectors.lines import MAX_RECORD_BYTES, Record

_SAMPLE_LINES = 20
_DEEPEST_INDENT = 256
_TO_BRACKET = re.compile(rb'[^"{}\[\]]*+(?:"[^"\\]*+(?:\\.[^"\\]*+)*"[^"{}\[\]]*+)*', re.DOTALL)
_STRING_REST = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*', re.DOTALL)
_VALUE = re.compile(rb'(?:"[^"\\]*+(?:\\.[^"\\]*+)*"|[^\s,\x1e"]++)+', re.DOTALL)
_SECOND_LINE = re.compile(rb"\n([ \t]*)")
_OPENING, _CLOSING, _LIST = b"{[", b"}]", 0x5B


def stands_in_lines(head: bytes, envelope: str = "") -> bool:
    """Whether a file is a value a line, by its first bytes; else it is to be cut by brackets.

    A line that is no JSON among others that are is a fault of that line alone. An array, an envelope or an object that
    takes several lines is told by its first line, which is then no object by itself.
    """
    lines = [line for line in head.split(b"\n")[: _SAMPLE_LINES + 1] if line.strip()]
    if len(lines) > 1 and not head.endswith(b"\n") and len(head.split(b"\n")) <= _SAMPLE_LINES + 1:
        lines.pop()  # perhaps cut off
    if not lines:
        return True
    if not lines[0].lstrip().startswith((b"{", b"[", b"\x1e")):
        return True
    objects = [found for line in lines if (found := _object(line)) is not None]
    if any(envelope in found and isinstance(found[envelope], list) for found in objects):
        return False
    return len(objects) * 2 > len(lines)


def _object(line: bytes) -> dict[str, object] | None:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


class JsonSplitter:
    """Cuts a stream of bytes into JSON values.

    Args:
        envelope: key of an outermost object under which the list of its records stands; all else of it is left out.
        max_bytes: how much of an over-long record is kept.
    """

    def __init__(self, envelope: str = "", max_bytes: int = MAX_RECORD_BYTES) -> None:
        self._envelope = (
            re.compile(rb"(?<!\\)" + re.escape(orjson.dumps(envelope)) + rb"\s*:\s*\Z") if envelope else None
        )
        self._max_bytes = max_bytes
        self._held = bytearray()
        self._size = 0
        self._depth = 0
        self._base = 0
        """At which depth records begin: 0, 1 within an array, 2 within an envelope's list."""
        self._skipping = False
        self._in_string = False
        self._escaped = False
        self._indent = -1
        """How far the line is indented that the record opens; -1 when something stands before it."""
        self._at_line_start = True
        self._out: list[Record] = []

    def feed(self, data: bytes) -> list[Record]:
        """Take the next bytes; returns the records they complete."""
        at, size = 0, len(data)
        while at < size:
            if self._in_string:
                at = self._string(data, at)
                continue
            if self._depth > self._base:
                at = self._inside(data, at)
                continue
            found = _TO_BRACKET.match(data, at)
            end = found.end() if found else at
            if end > at:
                self._text(data[at:end])
            if end == size:
                break
            byte = data[end]
            if byte == 0x22:  # a string that this block does not end
                self._begin_string()
                at = end + 1
            else:
                at = end + 1
                if byte in _OPENING:
                    self._open(data, end)
                else:
                    self._close(data[end:at])
        self._at_line_start = data.endswith(b"\n")
        out, self._out = self._out, []
        return out

    def flush(self) -> list[Record]:
        """The stream has ended: what is left of a value is a record too."""
        self._emit()
        self._depth = self._base = 0
        self._skipping = self._in_string = self._escaped = False
        out, self._out = self._out, []
        return out

    # ------------------------------------------------------------------ what is met

    def _string(self, data: bytes, at: int) -> int:
        if self._escaped:
            self._keep(data[at : at + 1])
            self._escaped = False
            return at + 1
        found = _STRING_REST.match(data, at)
        end = found.end() if found else at
        if end < len(data):
            self._in_string = data[end] != 0x22
            self._escaped = self._in_string  # a backslash that ends the block
            end += 1
        self._keep(data[at:end])
        return end

    def _inside(self, data: bytes, at: int) -> int:
        """Within a record, to its end or that of the block: nearly all bytes pass here, so nothing is done twice."""
        start, depth, base, size = at, self._depth, self._base, len(data)
        while at < size:
            found = _TO_BRACKET.match(data, at)
            at = found.end() if found else at
            if at == size:
                break
            byte = data[at]
            if byte in _CLOSING:
                depth -= 1
                at += 1
                if depth == base:
                    self._keep(data[start:at])
                    self._depth = depth
                    self._end_of_record()
                    return at
            elif byte in _OPENING and not self._looks_special(data, at, depth):
                depth += 1
                at += 1
            else:
                self._keep(data[start:at])
                self._depth = depth
                if byte in _OPENING:
                    self._open(data, at)
                else:  # a string that this block does not end
                    self._begin_string()
                return at + 1
        self._keep(data[start:])
        self._depth = depth
        return size

    def _looks_special(self, data: bytes, at: int, depth: int) -> bool:
        """Whether a bracket may open the list of an envelope, or the record after one that was never closed."""
        if self._skipping:
            return False
        if data[at] == _LIST:
            return depth == 1 and self._base == 0 and self._envelope is not None
        return self._indent >= 0 and (at == 0 or data[at - 1] in b" \t\n") and self._begins_another(data, at)

    def _end_of_record(self) -> None:
        if self._skipping:
            self._skipping = False
        else:
            self._emit()

    def _begin_string(self) -> None:
        self._keep(b'"')
        self._in_string = True

    def _text(self, text: bytes) -> None:
        """What stands between records: blanks and commas, or values that are neither objects nor arrays."""
        end = 0
        for value in _VALUE.finditer(text):
            if value.start() > end:
                self._emit()
            self._keep(value[0])
            end = value.end()
        if end < len(text):
            self._emit()

    def _open(self, data: bytes, at: int) -> None:
        byte = data[at : at + 1]
        if self._depth == self._base and not self._skipping:
            if self._depth == 0 and byte == b"[":
                self._emit()
                self._depth = self._base = 1
                return
            if self._held:
                self._emit()
            self._indent = self._indentation(data, at)
        elif self._depth == 1 and self._base == 0 and byte == b"[" and self._is_envelope():
            self._drop()
            self._depth = self._base = 2
            return
        elif byte == b"{" and self._base < self._depth and self._begins_another(data, at):
            # The record before was never closed: it alone is lost.
            self._emit()
            self._depth = self._base
            self._indent = self._indentation(data, at)
        self._keep(byte)
        self._depth += 1

    def _close(self, byte: bytes) -> None:
        """A bracket closes that no record opened."""
        if self._depth == 0:
            self._keep(byte)
            self._emit()
        else:
            self._end_of_list()

    def _end_of_list(self) -> None:
        self._emit()
        self._depth -= 1
        self._skipping = self._base == 2  # the rest of the envelope
        self._base = 0

    # ------------------------------------------------------------------ what is held

    def _is_envelope(self) -> bool:
        return self._envelope is not None and self._envelope.search(bytes(self._held[-512:])) is not None

    def _begins_another(self, data: bytes, at: int) -> bool:
        """Whether an object begins where, by its indentation, only the next record can."""
        if self._indent < 0 or self._skipping or self._indentation(data, at) != self._indent:
            return False
        second = _SECOND_LINE.search(bytes(self._held[:4096]))
        return second is None or len(second[1]) != self._indent

    def _indentation(self, data: bytes, at: int) -> int:
        """How far the line is indented on which only blanks stand before this place; -1 when more does."""
        begin = data.rfind(b"\n", max(at - _DEEPEST_INDENT, 0), at) + 1
        if not begin and not (self._at_line_start and at < _DEEPEST_INDENT):
            return -1
        before = data[begin:at]
        return -1 if before.strip(b" \t") else len(before)

    def _keep(self, part: bytes) -> None:
        if self._skipping:
            return
        self._size += len(part)
        room = self._max_bytes + 1 - len(self._held)
        if room > 0:
            self._held += part[:room]

    def _drop(self) -> None:
        self._held.clear()
        self._size = 0

    def _emit(self) -> None:
        body = bytes(self._held).strip()
        if body:
            size = max(self._size, len(body))
            if size > self._max_bytes:
                body = body[: self._max_bytes]
            else:
                size = len(body)
            self._out.append(Record(body.replace(b"\n", b" ").replace(b"\r", b" "), size))
        self._drop()
