r"""One scan of a record for the witnesses of all rules, by Hyperscan; and the traps of looking before reading.

A text that a rule asks for stands in the record as it is, unless the record is *odd*:

- JSON may write any character as `\u0041`, and a slash as `\/`.
- The Kelvin sign, the dotted capital I and the long s turn into `k`, `i` and `s` where case does not count.
- In text logs, what is no UTF-8, NUL and the escapes of servers (`\x2e`, `\"`) are read as something else.

The same scan finds out; an odd record is read, and the event is sought in as `plain_form` writes it, always in one way.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import hyperscan
import orjson

from breachwatch.detection.matching.predicates import text_of
from breachwatch.detection.matching.views import leaves
from breachwatch.detection.matching.witnesses import NOT_ASCII, Clause

_FOLDED = {b"\xe2\x84\xaa": b"k", b"\xc4\xb0": b"i\xcc\x87", b"\xc5\xbf": b"s"}
_ODD_JSON = (*(b"\\u%c" % digit for digit in b"0123456789abcdefABCDEF"), b"\\/", *_FOLDED)
_ODD_TEXT = (b"\\x", b'\\"', b"\\\\", *_FOLDED)
_BEYOND_ASCII = -1
_NOT_TEXT = -2
MAX_PLANS = 8192
"""Most sets of literals whose consequences are remembered."""

Writing = Literal["json", "none"]
"""How texts stand in what is scanned: as JSON writes them, or as they are."""


class Plan(NamedTuple):
    """What follows from the literals of one record. `rules`: those that may match, ascending; `odd`: look again.

    `asked`: room for whoever asks the rules, to remember which of them by kind of event.
    """

    rules: tuple[int, ...]
    odd: bool
    asked: dict[Any, Any]


class Scan:
    """Scans records for clauses.

    Args:
        clauses: by rule, literals of which a record must hold one; None for rules that are not the scan's business.
        writing: how texts stand in what is scanned.
        packed: the compiled form that `packed` of an equal scan gave, to be spared the compiling.

    Attributes:
        literals: what is sought, by number.
        everything: the plan of a record of which nothing is known.
        nothing: that of one that holds no literal.
    """

    def __init__(
        self,
        clauses: Sequence[Clause | None],
        writing: Writing,
        packed: bytes = b"",
    ) -> None:
        by_literal: dict[str, list[int]] = {}
        for at, clause in enumerate(clauses):
            for literal in clause or ():
                by_literal.setdefault(literal, []).append(at)
        self._not_ascii = tuple(by_literal.pop(NOT_ASCII, ()))
        self.literals = sorted(by_literal)
        self._rules = [tuple(by_literal[literal]) for literal in self.literals]
        self.everything = Plan(tuple(at for at, clause in enumerate(clauses) if clause), odd=False, asked={})
        self.nothing = Plan((), odd=False, asked={})
        self._writing = writing
        self._watches_ascii = bool(self._not_ascii) or writing == "none"
        self._plans: dict[tuple[int, ...], Plan] = {}
        self._found: list[int] = []
        self._database = _loaded(packed) or _compiled(self.literals, writing)
        self._database.scratch = hyperscan.Scratch(self._database)
        self._scan = self._database.scan
        self._hit = _collector(self._found)

    @property
    def packed(self) -> bytes:
        """The compiled form, for this kind of processor and this edition of Hyperscan."""
        packed: bytes = hyperscan.dumpb(self._database)
        return packed

    def plan(self, record: bytes) -> Plan:
        """Which rules a record may match. Never raises: what cannot be scanned may match all of them."""
        found = self._found
        try:
            self._scan(record, self._hit)
        except (hyperscan.error, ValueError, OverflowError):
            found.clear()
            return self.everything
        if self._watches_ascii and not record.isascii():
            found.append(_BEYOND_ASCII)
            if self._writing == "none" and not _is_utf8(record):
                found.append(_NOT_TEXT)
        if self._writing == "none" and b"\0" in record:  # which the scan cannot be asked for
            found.append(_NOT_TEXT)
        if not found:
            return self.nothing
        key = tuple(found)
        found.clear()
        return self._plans.get(key) or self._planned(key)

    def forget(self) -> None:
        """Make all plans anew, and forget what was remembered with them."""
        self._plans.clear()
        self.nothing.asked.clear()
        self.everything.asked.clear()

    def literals_in(self, text: bytes) -> list[int]:
        """The numbers of the literals that stand in a text, and of nothing else."""
        self._scan(text, self._hit)
        found = [number for number in self._found if number < len(self.literals)]
        self._found.clear()
        return found

    def _planned(self, key: tuple[int, ...]) -> Plan:
        rules: set[int] = set()
        odd = False
        for number in key:
            if number == _BEYOND_ASCII:
                rules.update(self._not_ascii)
            elif number == _NOT_TEXT or number >= len(self._rules):
                odd = True
            else:
                rules.update(self._rules[number])
        if len(self._plans) >= MAX_PLANS:
            self._plans.clear()
        plan = self._plans[key] = Plan(tuple(sorted(rules)), odd, {})
        return plan


def plain_form(fields: Mapping[str, Any], writing: Writing) -> bytes | None:
    """An event's values written in the one way in which every text stands as it is sought.

    Returns:
        None when they cannot be written, such as half a surrogate pair: then nothing can be said.
    """
    try:
        if writing == "json":
            plain = orjson.dumps(fields)
        else:
            plain = "\n".join(text for leaf in leaves(fields) if (text := text_of(leaf)) is not None).encode()
    except (TypeError, ValueError, RecursionError):
        return None
    if plain.isascii():
        return plain
    folded = plain
    for letter, ascii_letter in _FOLDED.items():
        folded = folded.replace(letter, ascii_letter)
    return plain if folded == plain else plain + b"\n" + folded


def _is_utf8(record: bytes) -> bool:
    try:
        record.decode()
    except UnicodeDecodeError:
        return False
    return True


def _collector(found: list[int]) -> Any:
    append = found.append

    def hit(number: int, _start: int, _end: int, _flags: int, _context: object) -> None:
        append(number)

    return hit


def _written(literal: str, writing: Writing) -> bytes:
    return orjson.dumps(literal)[1:-1] if writing == "json" else literal.encode()


def _compiled(literals: Sequence[str], writing: Writing) -> Any:
    odd = _ODD_JSON if writing == "json" else _ODD_TEXT
    texts = [*(_written(each, writing) for each in literals), *odd]
    once = hyperscan.HS_FLAG_SINGLEMATCH
    flags = [once | hyperscan.HS_FLAG_CASELESS] * len(literals) + [once] * len(odd)
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    database.compile(expressions=texts, ids=list(range(len(texts))), elements=len(texts), flags=flags, literal=True)
    return database


def _loaded(packed: bytes) -> Any:
    """None for what was compiled for another processor or by another edition."""
    try:
        return hyperscan.loadb(packed, hyperscan.HS_MODE_BLOCK) if packed else None
    except hyperscan.error:
        return None
