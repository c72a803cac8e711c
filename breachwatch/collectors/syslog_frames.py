"""Syslog on the wire: which bytes are one message, and which part of a message an application wrote. Pure.

Sources: RFC 6587 (framing over TCP), RFC 5424 and RFC 3164 (messages).
"""

import re

from breachwatch.collectors.lines import MAX_RECORD_BYTES, CappedBuffer, Record, cut

_COUNT = re.compile(rb"([1-9][0-9]{0,8}) <")
_MAY_BECOME_COUNT = re.compile(rb"[1-9][0-9]{0,8}(?: )?\Z")
_BETWEEN = b"\n\r\0 "
_PRIORITY = rb"<[0-9]{1,3}>"
_PARAMETER = rb' [^ =\]"]+="(?:[^"\\\]]|\\.)*"'
_NEW = re.compile(
    _PRIORITY + rb"[1-9][0-9]{0,2} (?:[^ ]+ ){5}(?:-|(?:\[[^ =\]\"]+(?:" + _PARAMETER + rb")*\])+)(?: |\Z)", re.DOTALL
)
_OLD = re.compile(
    _PRIORITY
    + rb"(?:[A-Z][a-z]{2} [ 0-9][0-9] [0-9]{2}:[0-9]{2}:[0-9]{2}|[0-9]{4}-[0-9]{2}-[0-9]{2}T[^ ]+) [^ ]+ "
    + rb"[^\s:\[]{1,128}(?:\[[^\]]*\])?: ?"
)
_PRI_ONLY = re.compile(_PRIORITY)
_MARK = b"\xef\xbb\xbf"


class Framer:
    """Cuts a TCP stream into syslog messages, each framed by octet count or by a line feed, whichever it begins like.

    A message begins with `<`. `123 <` is therefore a count, and anything else runs to the next line feed. Line feeds
    within a counted message become `#012`, so that a record stays one line.

    Args:
        max_bytes: how much of an over-long message is kept.
    """

    def __init__(self, max_bytes: int = MAX_RECORD_BYTES) -> None:
        self._message = CappedBuffer(max_bytes)
        self._max_bytes = max_bytes
        self._undecided = b""
        self._left = 0
        self._in_line = False

    def feed(self, data: bytes) -> list[Record]:
        """Take the next bytes; returns the messages they complete."""
        data, self._undecided = self._undecided + data, b""
        records: list[Record] = []
        at = 0
        while at < len(data):
            if self._left:
                at = self._counted(data, at, records)
            elif self._in_line:
                at = self._line(data, at, records)
            elif data[at] in _BETWEEN:
                at += 1
            else:
                at = self._begin(data, at)
        return records

    def flush(self) -> list[Record]:
        """The sender has gone: what is left of a message is a record too."""
        self._message.add(self._undecided)
        self._undecided, self._left, self._in_line = b"", 0, False
        return [_one_line(self._message.take())] if self._message.size else []

    def _begin(self, data: bytes, at: int) -> int:
        count = _COUNT.match(data, at)
        if count:
            self._left = int(count[1])
            return count.end() - 1
        if _MAY_BECOME_COUNT.match(data, at):
            self._undecided = data[at:]
            return len(data)
        self._in_line = True
        return at

    def _counted(self, data: bytes, at: int, records: list[Record]) -> int:
        part = data[at : at + self._left]
        self._message.add(part)
        self._left -= len(part)
        if not self._left:
            records.append(_one_line(self._message.take()))
        return at + len(part)

    def _line(self, data: bytes, at: int, records: list[Record]) -> int:
        end = data.find(b"\n", at)
        if end < 0:
            self._message.add(data[at:])
            return len(data)
        self._message.add(data[at:end])
        self._in_line = False
        records.append(_one_line(self._message.take()))
        return end + 1


def datagram(data: bytes) -> Record | None:
    """One UDP datagram as one message; None when it is empty. Source: RFC 5426, section 3.1."""
    record = _one_line(cut(data))
    return record if record.body else None


def _one_line(record: Record) -> Record:
    body = record.body.rstrip(b"\n\r\0")
    size = record.size - (len(record.body) - len(body))
    return Record(body.replace(b"\n", b"#012") if b"\n" in body else body, size)


def unwrapped(record: Record) -> Record:
    """The part of a message that the application wrote: MSG, without header, structured data and byte order mark.

    Where no syslog header is found the record comes back as it was. An `@cee:` cookie before JSON is taken off too.
    """
    body = record.body
    head = _NEW.match(body) or _OLD.match(body) or _PRI_ONLY.match(body)
    if head:
        body = body[head.end() :].removeprefix(_MARK).lstrip(b" ").removeprefix(b"@cee:").lstrip(b" ")
    return Record(body, record.size - (len(record.body) - len(body)))
