r"""Witnesses: texts of which a record must hold at least one, or a rule cannot match.

A witness is a *clause*: a set of literals, lower-case ASCII of three characters or more. If an event meets the
condition, then at least one of the clause's literals stands somewhere in the text of one of its values. Nothing is
claimed of records that hold one. What proves no such thing (`not`, null, comparisons, networks) gives no clause.

Three traps are kept out here, the others in `scan.py`:

- Numbers are compared as they would be written, and may be written in several ways (`404`, `4.04e2`); a literal that
  could be part of a number is no witness.
- `str.lower` and case-blind patterns fold some other letters onto ASCII; literals are cut at everything that is not
  printable ASCII.
- A field that is worked out at reading need not stand in the record: `Seen` says which do.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from breachwatch.detection.conditions import AllOf, AnyOf, Condition, Pattern, SameAs, Text, Where
from breachwatch.detection.matching.regex_literals import literals_of
from breachwatch.detection.matching.views import WORKED_OUT
from breachwatch.sources.source import Raw, Source

MIN_LITERAL = 3
"""Shortest literal worth looking for, in characters; two will do where neither is a letter, digit or blank."""
MAX_LITERAL = 64
"""Longest piece of a literal that is looked for; what is longer is as rare already."""
MAX_CLAUSE = 400
"""Most literals of one clause: a longer list of alternatives is found in nearly every record."""

NOT_ASCII = "\x80"
"""Stands in a clause for any character beyond ASCII: what a text with one, and no longer ASCII piece, must hold."""

Clause = frozenset[str]
"""Literals, at least one of which must occur. Empty: nothing can match."""

IMPOSSIBLE: Clause = frozenset()

_WORD = re.compile(r"[A-Za-z]{3,}")
_RUN = re.compile(r"[A-Za-z!#$%&'()*;<=>?@^`|~]+")
_CUT = re.compile(r"[^\x20-\x7e]+")
_RARE_PAIR = re.compile(r"[!#$%&'()*+;<=>?@\[\]^`{|}~]{2}")
_NUMERIC = re.compile(r"-?\d*(?:\.\d*)?(?:e[+-]?\d*)?|[+-]\d*")


@dataclass(frozen=True, slots=True)
class Seen:
    """What of a source's events is in the text that is scanned.

    `source`: whose fields. `everything`: the text is made of the event's own fields, derived ones too; otherwise it is
    the raw record, and the source's `raw` tells what stands in it.
    """

    source: Source
    everything: bool

    def pieces_in(self, field: str | None) -> "Callable[[str], tuple[str, ...]] | None":
        """How a text that the field's value holds is cut into pieces that stand in what is scanned; None: it need not.

        A keyword is about every value but those worked out beside the record (`views.WORKED_OUT`).
        """
        if field is not None and field in self.source.constants and field not in self.source.attributes:
            return None
        if self.everything:
            return pieces
        raw = self.source.raw
        if raw is None:
            return None
        if field is None:
            made = {path for path in raw.derived if not path.startswith(WORKED_OUT)}
            whole, in_words = not made, made <= raw.pieced
            return None if raw.verbatim is not None else pieces if whole else _cut_of(raw) if in_words else None
        path = self.source.native(field)
        if path is None:
            return pieces
        prefixes = {".".join(path[:length]) for length in range(1, len(path) + 1)}
        dotted = ".".join(path)
        made = {each for each in raw.derived if each in prefixes or each.startswith(f"{dotted}.")}
        if made:
            return _cut_of(raw) if made <= raw.pieced else None
        return pieces if raw.verbatim is None or prefixes & raw.verbatim else None


Cost = Callable[[Clause], float]
"""How often a clause is expected to let a record through, from 0 to 1 or more; the least is chosen."""


def witness(condition: Condition, seen: Seen, cost: Cost) -> Clause | None:
    """The cheapest clause of a condition.

    Args:
        condition: with the guard of its source, if it has one.
        seen: what the scanned text tells.
        cost: of clauses; for alternatives each is chosen by itself, which need not be best for their union.

    Returns:
        A clause; None where nothing can be proven.
    """
    match condition:
        case AllOf(parts=parts):
            found = [clause for part in parts if (clause := witness(part, seen, cost)) is not None]
            return min(found, key=cost, default=None)
        case AnyOf(parts=parts):
            return _any_of(parts, seen, cost)
        case Where():
            return min(_of_test(condition, seen), key=cost, default=None)
    return None


def _any_of(parts: Sequence[Condition], seen: Seen, cost: Cost) -> Clause | None:
    union: set[str] = set()
    for part in parts:
        clause = witness(part, seen, cost)
        if clause is None:
            return None
        union |= clause
        if len(union) > MAX_CLAUSE:
            return None
    return _without_longer(union)


def _without_longer(union: set[str]) -> Clause:
    """Without literals that contain another of the same clause: that one is found wherever they are."""
    if len(union) < 2 or len(union) > 60:
        return frozenset(union)
    return frozenset(each for each in union if not any(other != each and other in each for other in union))


def _of_test(where: Where, seen: Seen) -> Iterator[Clause]:
    """Every clause that one test gives."""
    cut = seen.pieces_in(where.field)
    if isinstance(where.wanted, SameAs) or cut is None:
        return
    match where.wanted:
        case Text(parts=parts):
            for part in parts:
                if isinstance(part, str):
                    yield from (frozenset((piece,)) for piece in cut(part))
                    if not part.isascii() and cut is pieces:
                        yield frozenset((NOT_ASCII,))
        case Pattern(expression=expression, flags=flags, besides=besides):
            yield from pattern_clauses(expression, flags, cut)
            for is_wanted, beside in besides:
                if is_wanted:
                    yield from pattern_clauses(beside, flags, cut)


@lru_cache(maxsize=4096)
def pattern_clauses(expression: str, flags: str, cut: Callable[[str], tuple[str, ...]]) -> tuple[Clause, ...]:
    """The clauses of a regular expression: of each, one literal stands in whatever it finds."""
    found: list[Clause] = []
    for alternatives in literals_of(expression, flags):
        best = [max(cut(each), key=len, default=None) for each in alternatives]
        if all(best) and len(best) <= MAX_CLAUSE:
            found.append(frozenset(each for each in best if each))
    return tuple(found)


@lru_cache(maxsize=65_536)
def pieces(text: str) -> tuple[str, ...]:
    """The parts of a text that may be sought in a record: lower-case, printable ASCII, long enough, and no numbers."""
    cut = (piece[:MAX_LITERAL].lower() for piece in _CUT.split(text))
    return tuple(
        piece
        for piece in cut
        if (len(piece) >= MIN_LITERAL or _RARE_PAIR.fullmatch(piece)) and not _NUMERIC.fullmatch(piece)
    )


def words(text: str) -> tuple[str, ...]:
    """The runs of ASCII letters in a text: what stands in the record of a value that was put together."""
    return tuple(word[:MAX_LITERAL].lower() for word in _WORD.findall(text))


def runs(text: str) -> tuple[str, ...]:
    """As `words`, but with signs that nothing is put together with where records are JSON."""
    return tuple(piece for run in _RUN.findall(text) for piece in pieces(run))


def _cut_of(raw: Raw) -> Callable[[str], tuple[str, ...]]:
    return runs if raw.escapes == "json" else words
