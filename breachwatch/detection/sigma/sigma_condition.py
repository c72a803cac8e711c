"""Sigma condition expressions: `selection and not 1 of filter_*`, and the old counting behind `|` set apart.

Read in one pass whose time grows with the text alone, so that no condition can stall whoever loads it. Precedence is
`not`, then `and`, then `or`. (Sigma rules specification 2.1, condition.)
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

MAX_LENGTH = 8192
MAX_NESTING = 48
_TOKEN = re.compile(r"[()|]|[^\s()|]+")
_WORDS = {"and", "or", "not"}


class ConditionError(Exception):
    """A condition that cannot be read; the text says what and near which word."""


@dataclass(frozen=True, slots=True)
class Name:
    """One selection."""

    name: str


@dataclass(frozen=True, slots=True)
class Some:
    """`1 of`, `any of`, `3 of` (`least` so many), or `all of` (`least` None) the selections that a pattern names."""

    least: int | None
    pattern: str


@dataclass(frozen=True, slots=True)
class Negated:
    """`not`."""

    part: "Expression"


@dataclass(frozen=True, slots=True)
class Joined:
    """`and` (`every`) or `or`."""

    every: bool
    parts: tuple["Expression", ...]


Expression = Name | Some | Negated | Joined


def read_condition(text: str) -> tuple[Expression, str]:
    """A condition as a tree, and what stands behind its `|` ("" where nothing does).

    Raises:
        ConditionError: it is none, or is too long or too deep.
    """
    wanted, _, counted = text.partition("|")
    if len(text) > MAX_LENGTH:
        raise ConditionError(f"a condition of more than {MAX_LENGTH} characters")
    return read_expression(wanted), " ".join(counted.split())


def read_expression(text: str) -> Expression:
    """A condition without counting.

    Raises:
        ConditionError: as `read_condition`.
    """
    if len(text) > MAX_LENGTH:
        raise ConditionError(f"a condition of more than {MAX_LENGTH} characters")
    return _Parser(_TOKEN.findall(" ".join(text.split()))).whole()


def names_in(expression: Expression) -> list[str]:
    """Every selection that is named outright, in order, each once."""
    match expression:
        case Name(name=name):
            return [name]
        case Negated(part=part):
            return names_in(part)
        case Joined(parts=parts):
            return list(dict.fromkeys(name for part in parts for name in names_in(part)))
    return []


class _Parser:
    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    def whole(self) -> Expression:
        if not self._tokens:
            raise ConditionError("the condition says nothing")
        read = self._joined("or")
        if self._at < len(self._tokens):
            raise ConditionError(f'`and` or `or` is missing before "{self._tokens[self._at]}"')
        return read

    def _next(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _joined(self, word: str) -> Expression:
        parts = [self._joined("and") if word == "or" else self._negated()]
        while self._next().lower() == word:
            self._at += 1
            parts.append(self._joined("and") if word == "or" else self._negated())
        return parts[0] if len(parts) == 1 else Joined(word == "and", tuple(parts))

    def _negated(self) -> Expression:
        if self._next().lower() != "not":
            return self._operand()
        self._at += 1
        return Negated(self._deeper(self._negated))

    def _deeper(self, read: Callable[[], Expression]) -> Expression:
        self._depth += 1
        if self._depth > MAX_NESTING:
            raise ConditionError(f"the condition is nested deeper than {MAX_NESTING} levels")
        made = read()
        self._depth -= 1
        return made

    def _operand(self) -> Expression:
        word = self._next()
        if word in {"", ")"} or word.lower() in _WORDS:
            before = f' after "{self._tokens[self._at - 1]}"' if self._at else ""
            raise ConditionError(f"a selection is missing{before}")
        self._at += 1
        if word == "(":
            inside = self._deeper(lambda: self._joined("or"))
            if self._next() != ")":
                raise ConditionError('a "(" is never closed')
            self._at += 1
            return inside
        if self._next().lower() == "of":
            return self._some(word)
        if "*" in word:
            raise ConditionError(f'"{word}" names several selections; write `1 of {word}` or `all of {word}`')
        return Name(word)

    def _some(self, quantifier: str) -> Expression:
        self._at += 1
        pattern = self._next()
        if pattern in {"", "(", ")"} or pattern.lower() in _WORDS:
            raise ConditionError(f"`{quantifier} of` needs `them` or a pattern such as `selection*`")
        self._at += 1
        how = quantifier.lower()
        if how == "all":
            return Some(None, pattern)
        if how == "any":
            return Some(1, pattern)
        if not quantifier.isascii() or not quantifier.isdigit() or int(quantifier) < 1:
            raise ConditionError(f'"{quantifier} of" is not `all of`, `any of` or a number')
        return Some(int(quantifier), pattern)
