"""Regular expressions by RE2: in time that grows no faster than the text, for attackers write what is sought in."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import re2  # type: ignore[import-untyped]

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False
_SMALL = re2.Options()
_SMALL.log_errors = False
_SMALL.max_mem = 512 << 10
"""What the largest expression may take, once its repeats are written out: a thousand of them load in seconds."""


class ExpressionError(ValueError):
    """RE2 does not take the expression; the text says why."""


@lru_cache(maxsize=8192)
def compiled(expression: str, flags: str = "") -> Any:
    """A compiled expression. `flags`: out of `ims`, ignore case, `^` and `$` at every line, `.` takes line ends too.

    Raises:
        ExpressionError: malformed, beyond what RE2 can do, or so large that it would take too much memory.
    """
    written = f"(?{flags}){expression}" if flags else expression
    try:
        re2.compile(written, options=_SMALL)
        return re2.compile(written, options=_OPTIONS)
    except re2.error as error:
        said = error.args[0] if error.args else "malformed"
        raise ExpressionError(said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)) from error
    except UnicodeEncodeError as error:
        raise ExpressionError("it holds half of a surrogate pair") from error


def seeker(expression: str, flags: str = "") -> Callable[[str], bool]:
    """The function that tells whether an expression is found anywhere in a text.

    It asks RE2 itself: `compiled(...).search` makes an object of what it finds, in five times the time.

    Raises:
        ExpressionError: see `compiled`.
    """
    match, anywhere, nowhere = compiled(expression, flags)._regexp.Match, re2._Anchor.UNANCHORED, (-1, -1)

    def found(text: str) -> bool:
        written = text.encode("utf-8", "replace")
        return bool(match(anywhere, written, 0, len(written))[0] != nowhere)

    return found


def sound(text: str) -> str:
    """RE2 reads UTF-8, which cannot write the lone surrogates that JSON can."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
