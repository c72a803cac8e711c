"""Which texts must stand in whatever a regular expression finds.

Expressions are RE2's, and are read here by Python's own parser, which knows nearly the same language. Where the two
differ, this reading only ever claims less: what Python cannot read gives nothing, and so does what it would read
otherwise (POSIX classes).
"""

import re
import warnings
from collections.abc import Iterator
from re import _constants as code  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

MAX_WAYS = 64
"""Most alternatives followed in one place of an expression."""

Ways = frozenset[str]
"""Alternatives: one of these texts must occur. Their ASCII letters may be in either case."""


def literals_of(expression: str, flags: str = "") -> list[Ways]:
    """Sets of texts; of each set at least one occurs in any text in which the expression is found.

    Args:
        expression: what RE2 takes.
        flags: out of `ims`; `i` changes nothing here, since case is never claimed.
    """
    if "[:" in expression or "x" in flags:
        return []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = parser.parse(expression, re.UNICODE)
    except (re.error, OverflowError, RecursionError, ValueError):
        return []
    if tree.state.flags & re.VERBOSE:
        return []
    return list(_of_sequence(list(tree)))


def _of_sequence(items: list[tuple[Any, Any]]) -> Iterator[Ways]:
    run: list[str] = []
    for op, argument in _flat(items):
        if op is code.LITERAL:
            run.append(chr(argument))
            continue
        if op is code.IN and (letter := _one_letter(argument)) is not None:
            run.append(letter)
            continue
        if op is code.AT:
            continue
        if run:
            yield frozenset(("".join(run),))
            run = []
        yield from _of_other(op, argument)
    if run:
        yield frozenset(("".join(run),))


def _flat(items: list[tuple[Any, Any]]) -> Iterator[tuple[Any, Any]]:
    """The items of a sequence, those of its groups in their place, and what stands exactly once or a few times."""
    for op, argument in items:
        if op is code.SUBPATTERN:
            yield from _flat(list(argument[3]))
        elif op in {code.MAX_REPEAT, code.MIN_REPEAT} and argument[0] == argument[1] and 0 < argument[0] <= 8:
            for _ in range(argument[0]):
                yield from _flat(list(argument[2]))
        else:
            yield op, argument


def _of_other(op: Any, argument: Any) -> Iterator[Ways]:
    if op in {code.MAX_REPEAT, code.MIN_REPEAT} and argument[0] > 0:
        yield from _of_sequence(list(argument[2]))
    elif op is code.BRANCH and len(argument[1]) <= MAX_WAYS:
        union: set[str] = set()
        for branch in argument[1]:
            ways = max(_of_sequence(list(branch)), key=_worth, default=None)
            if ways is None:
                return
            union |= ways
        yield frozenset(union)


def _worth(ways: Ways) -> tuple[int, int]:
    return min(map(len, ways)), -len(ways)


def _one_letter(members: list[tuple[Any, Any]]) -> str | None:
    """The letter of a class that holds only that letter, in one or both cases."""
    if all(op is code.LITERAL for op, _ in members):
        letters = {chr(argument).lower() for _, argument in members}
        if len(letters) == 1:
            return letters.pop()
    return None
