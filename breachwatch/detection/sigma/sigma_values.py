"""What one value of a Sigma rule asks of a field, once pySigma has applied the modifiers to it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, cast

from sigma.conditions import ConditionAND
from sigma.exceptions import SigmaError, SigmaRegularExpressionError
from sigma.modifiers import modifier_mapping
from sigma.policy import SigmaPolicy
from sigma.policy.regex_engine import RegexEngine
from sigma.rule import SigmaDetectionItem
from sigma.types import (
    CompareOperators,
    Placeholder,
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaString,
    SigmaTimestampPart,
    SpecialChars,
)

from breachwatch.detection.conditions import (
    AllOf,
    AnyOf,
    ClockPart,
    Compare,
    Condition,
    Exists,
    Network,
    Not,
    Null,
    Number,
    Pattern,
    SameAs,
    Text,
    Truth,
    Wanted,
    Where,
    Wild,
)
from breachwatch.detection.sigma.sigma_regex import PatternError, pattern

_OPS: Mapping[CompareOperators, Literal["lt", "lte", "gt", "gte"]] = {
    CompareOperators.LT: "lt",
    CompareOperators.LTE: "lte",
    CompareOperators.GT: "gt",
    CompareOperators.GTE: "gte",
}
_KINDS = {str: "a text", int: "a number", float: "a number", bool: "true or false", type(None): "nothing"}
_INCOMPATIBLE = "incompatible to value type"


class UnsupportedError(Exception):
    """Sigma that is right but that nothing here can decide; the text says why."""


class _Unread(RegexEngine):
    """Leaves regular expressions unread: `sigma_regex` reads them, and says more about those it refuses."""

    def compile(self, pattern: str, flags: int = 0) -> Any:
        return None

    @property
    def error(self) -> type[Exception]:
        return SigmaRegularExpressionError


POLICY = SigmaPolicy(regex_engine=_Unread())
"""How pySigma is to read rules for us."""


def item_of(key: str | None, values: Sequence[Any]) -> SigmaDetectionItem:
    """One line of a selection as pySigma understands it, modifiers applied.

    Raises:
        UnsupportedError: the values do not go with the modifiers, and why.
    """
    try:
        return SigmaDetectionItem.from_mapping(key, list(values), policy=POLICY)
    except SigmaError as error:
        raise UnsupportedError(_said(str(error), key or "", values)) from error
    except (TypeError, ValueError, AttributeError, KeyError, RecursionError) as error:
        raise UnsupportedError(f'these values do not go with "{key}"') from error


def condition_of(item: SigmaDetectionItem) -> Condition:
    """What one line of a selection asks.

    Raises:
        UnsupportedError: nothing here can decide it, and why.
    """
    field = item.field or None
    if not item.value and field is None:
        raise UnsupportedError("a keyword must be a text, a number or a regular expression")
    parts = [_where(field, each) for each in item.value] or [Where(field, Null())]
    linked = all_of(parts) if item.value_linking is ConditionAND else any_of(parts)
    return Not(linked) if item.negated else linked


def all_of(parts: Sequence[Condition]) -> Condition:
    """Every part, without a shell around a single one."""
    return parts[0] if len(parts) == 1 else AllOf(tuple(parts))


def any_of(parts: Sequence[Condition]) -> Condition:
    """At least one part, without a shell around a single one."""
    return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))


def _said(message: str, key: str, values: Sequence[Any]) -> str:
    """What pySigma says, in words for the author of a rule."""
    if _INCOMPATIBLE in message:
        named = [each for each in key.split("|")[1:] if modifier_mapping[each].__name__ == message.split()[1]]
        modifier = named[0] if named else message.split()[1]
        kinds = sorted({_KINDS[type(value)] for value in values if type(value) in _KINDS})
        return f'"{modifier}" cannot be asked of {" or ".join(kinds) or "this"}'
    return message.rstrip(".")


def _where(field: str | None, value: Any) -> Condition:
    if isinstance(value, SigmaExpansion):
        return any_of([_where(field, each) for each in value.values])
    wanted = _wanted(value)
    if field is None:
        if isinstance(wanted, Number):
            wanted = Text((str(wanted.value),))
        if not isinstance(wanted, Text | Pattern):
            raise UnsupportedError("a keyword must be a text, a number or a regular expression")
    return Where(field, wanted)


def _wanted(value: Any) -> Wanted:
    for kind, read in _READERS:
        if isinstance(value, kind):
            return read(value)
    raise UnsupportedError(f"{type(value).__name__} is not supported: only a search engine could decide it")


def _text(value: SigmaString) -> Wanted:
    return Text(tuple(_part(each) for each in value.s) or ("",), cased=isinstance(value, SigmaCasedString))


def _part(part: Any) -> str | Wild:
    if isinstance(part, Placeholder):
        raise UnsupportedError(no_values(part.name))
    return part if isinstance(part, str) else Wild(part is SpecialChars.WILDCARD_MULTI)


def no_values(placeholder: str) -> str:
    """Why a rule with this placeholder cannot be used."""
    return f"nothing says what the placeholder %{placeholder}% stands for"


def _regex(value: SigmaRegularExpression) -> Wanted:
    if value.contains_placeholder():
        named = next(part.name for part in value.regexp.s if isinstance(part, Placeholder))
        raise UnsupportedError(no_values(named))
    try:
        return pattern(str(value.regexp), "".join(sorted(value.sigma_to_re_flag[each] for each in value.flags)))
    except PatternError as error:
        raise UnsupportedError(str(error)) from error


def _compared(value: SigmaCompareExpression) -> Wanted:
    if value.op not in _OPS:
        raise UnsupportedError("this comparison is not supported")
    if isinstance(value.number, SigmaTimestampPart):
        return ClockPart(_clock(value.number), _OPS[value.op], int(value.number.number))
    return Compare(_OPS[value.op], value.number.number)


def _clock(part: SigmaTimestampPart) -> Any:
    return cast(Any, part.timestamp_part.name.lower())


_READERS: Sequence[tuple[type, Callable[[Any], Wanted]]] = (
    (SigmaString, _text),
    (SigmaTimestampPart, lambda value: ClockPart(_clock(value), "eq", int(value.number))),
    (SigmaNumber, lambda value: Number(value.number)),
    (SigmaCompareExpression, _compared),
    (SigmaBool, lambda value: Truth(value.boolean)),
    (SigmaNull, lambda _value: Null()),
    (SigmaExists, lambda value: Exists(value.exists)),
    (SigmaRegularExpression, _regex),
    (SigmaCIDRExpression, lambda value: Network(str(value.network))),
    (SigmaFieldReference, lambda value: SameAs(value.field, begins=value.starts_with, ends=value.ends_with)),
)
