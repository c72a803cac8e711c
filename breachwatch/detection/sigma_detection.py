"""The `detection` part of a Sigma rule as a condition tree; every fault with the place of its key or value.

pySigma applies modifiers to values and parses condition strings; the walk is ours, for the places' sake.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

from sigma.conditions import ConditionAND, ConditionIdentifier, ConditionNOT, ConditionOR, ConditionSelector
from sigma.conditions import SigmaCondition as ConditionText
from sigma.exceptions import SigmaError, SigmaRegularExpressionError
from sigma.modifiers import modifier_mapping
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
    fields_of,
)
from breachwatch.kernel.errors import Problem
from breachwatch.kernel.shapes import did_you_mean
from breachwatch.kernel.yaml import KeyPath, Node

MAX_CONDITION = 4096
_OPS: Mapping[CompareOperators, Literal["lt", "lte", "gt", "gte"]] = {
    CompareOperators.LT: "lt",
    CompareOperators.LTE: "lte",
    CompareOperators.GT: "gt",
    CompareOperators.GTE: "gte",
}
_RE2 = "regular expressions are RE2: no look-around, no back-references"


class UnsupportedError(Exception):
    """Sigma that is right but that nothing here can decide; the text says why."""


class DetectionReader:
    """Reads the detection of one document. `problems` grows; `fields` tells where each field was named."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.problems: list[Problem] = []
        self.fields: list[tuple[str, KeyPath]] = []
        self._found: dict[str, Condition] = {}

    def read(self) -> Condition | None:
        """The rule's condition; None when `problems` says why not."""
        detection = self.node.data.get("detection")
        if not isinstance(detection, dict):
            self._refuse(("detection",), "a rule needs a `detection` mapping with selections and a `condition`")
            return None
        if "timeframe" in detection:
            self._refuse(
                ("detection", "timeframe"),
                "`timeframe` belongs to the old way of counting",
                "write a document with `correlation:` and its `timespan`",
                key=True,
            )
        for name, definition in detection.items():
            if name not in {"condition", "timeframe"}:
                made = self._definition(definition, ("detection", name))
                if made is not None:
                    self._found[name] = made
        return self._condition(detection)

    def _refuse(self, at: KeyPath, message: str, hint: str = "", *, key: bool = False) -> Condition | None:
        self.problems.append(self.node.problem(at, message, hint, key=key))
        return None

    def _definition(self, definition: Any, at: KeyPath) -> Condition | None:
        """A selection: a mapping (all must hold), a list of mappings (any), or keywords."""
        if isinstance(definition, dict) and definition:
            parts = [self._item(key, value, (*at, key)) for key, value in definition.items()]
            return _all([part for part in parts if part is not None])
        if isinstance(definition, list) and any(isinstance(member, dict | list) for member in definition):
            found = [self._definition(member, (*at, index)) for index, member in enumerate(definition)]
            return _any([part for part in found if part is not None])
        if definition in ({}, [], None):
            self._refuse(at, f'selection "{at[-1]}" is empty')
            return None
        return self._item(None, definition, at)

    def _item(self, key: str | None, value: Any, at: KeyPath) -> Condition | None:
        """One field with its modifiers and values, or keywords."""
        field, *modifiers = (key or "").split("|")
        unknown = [each for each in modifiers if each not in modifier_mapping]
        for each in unknown:
            self._refuse(at, f'unknown modifier "{each}"', did_you_mean(each, modifier_mapping), key=True)
        nested = [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, dict | list)]
        if nested:
            self._refuse(at, f'"{key}" must have a value or a list of values, not a mapping or nested list')
        if unknown or nested:
            return None
        try:
            item = SigmaDetectionItem.from_mapping(key, value)
            parts = [self._wanted(field or None, each) for each in item.value] or [Where(field, Null())]
        except SigmaRegularExpressionError as error:
            return self._refuse(at, str(error), _RE2)
        except (SigmaError, UnsupportedError) as error:
            return self._refuse(at, str(error))
        except (TypeError, ValueError, AttributeError, RecursionError):
            return self._refuse(at, f'these values do not go with "{key}"')
        linked = _all(parts) if item.value_linking is ConditionAND else _any(parts)
        self.fields.extend((name, at) for name in sorted(fields_of(linked)))
        return Not(linked) if item.negated else linked

    def _wanted(self, field: str | None, value: Any) -> Condition:
        if isinstance(value, SigmaExpansion):
            return _any([self._wanted(field, each) for each in value.values])
        wanted = _value(value)
        if field is None and not isinstance(wanted, Text | Pattern | Number):
            raise UnsupportedError("a keyword must be a text, a number or a regular expression")
        return Where(field, wanted)

    def _condition(self, detection: Mapping[str, Any]) -> Condition | None:
        written = detection.get("condition")
        texts = written if isinstance(written, list) else [written]
        if not texts or not all(isinstance(text, str) and text.strip() for text in texts):
            return self._refuse(("detection", "condition"), "a rule needs a `condition` that combines its selections")
        parts = [self._parse(str(text)) for text in texts]
        complete = [part for part in parts if part is not None]
        return _any(complete) if len(complete) == len(parts) and not self.problems else None

    def _parse(self, text: str) -> Condition | None:
        at: KeyPath = ("detection", "condition")
        if "|" in text:
            hint = "write a document with `correlation:`, `type: event_count` or `value_count`"
            return self._refuse(at, "counting behind `|` is not Sigma any more", hint)
        if len(text) > MAX_CONDITION:
            return self._refuse(at, f"a condition of more than {MAX_CONDITION} characters")
        try:
            return self._resolve(ConditionText(text, cast(Any, None)).parse(postprocess=False), at)
        except SigmaError as error:
            return self._refuse(at, f"cannot read the condition: {error}")
        except RecursionError:
            return self._refuse(at, "the condition is nested too deeply")

    def _resolve(self, parsed: Any, at: KeyPath) -> Condition | None:
        match parsed:
            case ConditionIdentifier(identifier=name):
                return self._named(name, at)
            case ConditionSelector(args=[quantifier, pattern], pattern=_):
                return self._selected(str(quantifier), str(pattern), at)
            case ConditionNOT(args=[part]):
                inner = self._resolve(part, at)
                return None if inner is None else Not(inner)
            case ConditionAND(args=args) | ConditionOR(args=args):
                parts = [self._resolve(part, at) for part in args]
                known = [part for part in parts if part is not None]
                if len(known) < len(parts):
                    return None
                return _all(known) if isinstance(parsed, ConditionAND) else _any(known)
            case _:
                return self._refuse(at, "cannot read the condition")

    def _named(self, name: str, at: KeyPath) -> Condition | None:
        if name in self._found:
            return self._found[name]
        selections = [each for each in self.node.data["detection"] if each not in {"condition", "timeframe"}]
        if name not in selections:
            self._refuse(at, f'the condition names "{name}", which is no selection', did_you_mean(name, selections))
        return None

    def _selected(self, quantifier: str, pattern: str, at: KeyPath) -> Condition | None:
        selections = [each for each in self.node.data["detection"] if each not in {"condition", "timeframe"}]
        wanted = ".*" if pattern == "them" else re.escape(pattern).replace(r"\*", ".*")
        hidden = pattern.startswith("_")
        names = [each for each in selections if re.fullmatch(wanted, each) and (hidden or not each.startswith("_"))]
        if not names:
            return self._refuse(
                at, f'no selection is called like "{pattern}"', did_you_mean(pattern.strip("*_"), selections)
            )
        parts = [self._found[name] for name in names if name in self._found]
        if len(parts) < len(names):
            return None
        return _all(parts) if quantifier == "all" else _any(parts)


def _all(parts: Sequence[Condition]) -> Condition:
    return parts[0] if len(parts) == 1 else AllOf(tuple(parts))


def _any(parts: Sequence[Condition]) -> Condition:
    return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))


def _value(value: Any) -> Wanted:
    """What one value, with its modifiers applied by pySigma, asks of a field."""
    match value:
        case SigmaString():
            return Text(tuple(_part(each) for each in value.s) or ("",), cased=isinstance(value, SigmaCasedString))
        case SigmaNumber() | SigmaCompareExpression():
            return _number(value)
        case SigmaBool(boolean=boolean):
            return Truth(boolean)
        case SigmaNull():
            return Null()
        case SigmaExists(exists=exists):
            return Exists(exists)
        case SigmaRegularExpression(flags=flags):
            if value.contains_placeholder():
                raise UnsupportedError(_NO_PLACEHOLDERS)
            return Pattern(str(value.regexp), "".join(sorted(value.sigma_to_re_flag[each] for each in flags)))
        case SigmaCIDRExpression(network=network):
            return Network(str(network))
        case SigmaFieldReference(field=field, starts_with=begins, ends_with=ends):
            return SameAs(field, begins=begins, ends=ends)
        case _:
            raise UnsupportedError(f"{type(value).__name__} is not supported")


def _number(value: Any) -> Wanted:
    match value:
        case SigmaTimestampPart():
            return ClockPart(cast(Any, value.timestamp_part.name.lower()), "eq", int(value.number))
        case SigmaNumber(number=number):
            return Number(number)
        case SigmaCompareExpression(number=SigmaTimestampPart() as part, op=op) if op in _OPS:
            return ClockPart(cast(Any, part.timestamp_part.name.lower()), _OPS[op], int(part.number))
        case SigmaCompareExpression(number=number, op=op) if op in _OPS:
            return Compare(_OPS[op], number.number)
        case _:
            raise UnsupportedError("this comparison is not supported")


_NO_PLACEHOLDERS = "placeholders such as %name% are not supported: nothing here says what they stand for"


def _part(part: Any) -> str | Wild:
    if isinstance(part, Placeholder):
        raise UnsupportedError(_NO_PLACEHOLDERS)
    return part if isinstance(part, str) else Wild(part is SpecialChars.WILDCARD_MULTI)
