"""Sigma's regular expressions as conditions that RE2 can decide, in time that grows no faster than what it reads.

Sigma's expressions are PCRE without look-around that binds to a place in the text. Most of what people write of the
rest means the same in RE2 or can be said with two expressions; what cannot is refused.
"""

import re

from breachwatch.detection.conditions import Pattern
from breachwatch.detection.sigma.expressions import ExpressionError, compiled

MAX_LENGTH = 10_000
_INLINE = re.compile(r"\(\?([ims]+)\)")
_ANCHOR = re.compile(r"\^|\\A")
_NAMES = (
    (re.compile(r"\(\?<[=!]"), "looks behind (`(?<=` or `(?<!`)"),
    (re.compile(r"\(\?[=!]"), "looks ahead (`(?=` or `(?!`) elsewhere than right after a leading `^`"),
    (re.compile(r"\(\?>"), "has an atomic group (`(?>`)"),
    (re.compile(r"\(\?(?:\(|R|\d|&|P>)"), "has a conditional or recursive group"),
    (re.compile(r"[+*?}]\+"), "has a possessive quantifier"),
    (re.compile(r"\\[1-9]|\\k[<{']|\(\?P="), "refers back to a group"),
)
_ESCAPES = {"Z": r"\z", "h": r"[ \t]", "e": r"\x1b", "R": r"(?:\r\n|\n|\r)", "_": "_"}


class PatternError(Exception):
    """A regular expression that cannot be decided here; the text says why."""


def pattern(expression: str, flags: str = "") -> Pattern:
    """What an expression asks of a value.

    Look-ahead right after a leading `^` becomes expressions of its own: there it asks the same text from the same
    place as the rest does.

    Raises:
        PatternError: RE2 cannot decide it.
    """
    if len(expression) > MAX_LENGTH:
        raise PatternError(f"a regular expression of more than {MAX_LENGTH} characters")
    inline = _INLINE.match(expression)
    if inline:
        expression, flags = expression[inline.end() :], "".join(sorted({*flags, *inline[1]}))
    rest, besides = _taken_apart(expression, flags)
    return Pattern(_checked(rest, flags), flags, tuple((wanted, _checked(each, flags)) for wanted, each in besides))


def _taken_apart(expression: str, flags: str) -> tuple[str, list[tuple[bool, str]]]:
    """An expression without its leading look-ahead, and what that wants (True) or does not want to be found."""
    anchor = _ANCHOR.match(expression)
    besides: list[tuple[bool, str]] = []
    if anchor is None or "m" in flags or "(?" not in expression or _alternates(expression):
        return expression, besides
    at = anchor.end()
    while expression[at : at + 3] in {"(?!", "(?="}:
        end = _group_end(expression, at)
        besides.append((expression[at + 2] == "=", f"^(?:{expression[at + 3 : end - 1]})"))
        at = end
    return (f"^{expression[at:]}", besides) if besides else (expression, besides)


def _characters(expression: str, at: int = 0) -> list[tuple[int, str]]:
    """Where each character stands that has a meaning: escaped ones and those in classes are left out."""
    found: list[tuple[int, str]] = []
    in_class = False
    while at < len(expression):
        char = expression[at]
        if char == "\\":
            at += 2
            continue
        if in_class:
            in_class = char != "]"
        elif char == "[":
            in_class = True
            at += 1 + expression.startswith("^", at + 1)
            at += expression.startswith("]", at)
            continue
        else:
            found.append((at, char))
        at += 1
    return found


def _group_end(expression: str, start: int) -> int:
    """The place after the bracket that closes the one at `start`."""
    depth = 0
    for at, char in _characters(expression, start):
        depth += (char == "(") - (char == ")")
        if depth == 0:
            return at + 1
    raise PatternError("a group of the regular expression is never closed")


def _alternates(expression: str) -> bool:
    """Whether `|` stands outside of every group, so that an anchor at the beginning is that of one alternative."""
    depth = 0
    for _, char in _characters(expression):
        depth += (char == "(") - (char == ")")
        if char == "|" and depth == 0:
            return True
    return False


def _checked(expression: str, flags: str) -> str:
    """The expression as RE2 writes it.

    Raises:
        PatternError: it cannot be written so.
    """
    written = _rewritten(expression)
    try:
        compiled(written, flags)
    except ExpressionError as error:
        named = next((name for form, name in _NAMES if form.search(expression)), "")
        raise PatternError(f"the regular expression {named or f'cannot be read: {error}'}") from error
    return written


def _rewritten(expression: str) -> str:
    """Escapes that only other dialects know, in RE2's words."""
    made: list[str] = []
    at = 0
    while at < len(expression):
        char = expression[at]
        if char != "\\" or at + 1 == len(expression):
            made.append(char)
            at += 1
            continue
        after = expression[at + 1]
        unicode = re.match(r"u([0-9a-fA-F]{4})", expression[at + 1 : at + 6])
        if unicode:
            made.append(f"\\x{{{unicode[1]}}}")
            at += 6
            continue
        made.append(_ESCAPES.get(after, char + after))
        at += 2
    return "".join(made)
