"""Placeholders of Sigma rules (`|expand` and `%name%`): what only the operator of a site can fill in.

Each placeholder stands for any of the texts that the operator gives for its name; `*` and `?` in them are wildcards as
in a rule. (Sigma rules specification 2.1, expand.)
"""

import re
from collections.abc import Mapping, Sequence

from sigma.types import SigmaString, SpecialChars

MAX_TEXTS = 20_000
"""Most texts that one value may become."""
Placeholders = Mapping[str, Sequence[str]]
_NAMED = re.compile(r"%([^%\\]+)%")


class NoValuesError(Exception):
    """A placeholder that nothing was given for; `name` is its name."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def expanded(text: str, placeholders: Placeholders, *, regex: bool = False) -> list[str]:
    """A value with every placeholder replaced, in every combination.

    Args:
        text: as written in the rule.
        placeholders: the texts each name stands for.
        regex: the value is a regular expression, so that what is put in must be one too.

    Raises:
        NoValuesError: a name has no texts.
        OverflowError: more than `MAX_TEXTS` combinations.
    """
    made = [""]
    end = 0
    for found in _NAMED.finditer(text):
        values = placeholders.get(found[1])
        if not values:
            raise NoValuesError(found[1])
        if len(made) * len(values) > MAX_TEXTS:
            raise OverflowError(f"more than {MAX_TEXTS} texts would stand for this value")
        put_in = [_as_regex(value) for value in values] if regex else values
        made = [head + text[end : found.start()] + value for head in made for value in put_in]
        end = found.end()
    return [head + text[end:] for head in made]


def _as_regex(value: str) -> str:
    """A text with wildcards as a regular expression that takes just what it says."""
    wild: dict[object, str] = {SpecialChars.WILDCARD_MULTI: ".*", SpecialChars.WILDCARD_SINGLE: "."}
    return "".join(re.escape(part) if isinstance(part, str) else wild.get(part, "") for part in SigmaString(value).s)
