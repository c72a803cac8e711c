"""The `correlation` part of a Sigma document: what it counts, over which rules, in which time."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from math import comb
from typing import Any, cast

from sigma.correlations import (
    CorrelationConditionAND,
    CorrelationConditionOR,
    SigmaCorrelationRule,
    SigmaCorrelationTimespan,
    SigmaCorrelationType,
    SigmaExtendedCorrelationCondition,
    SigmaRuleReference,
)
from sigma.exceptions import SigmaError

from breachwatch.detection.rules import MAX_EVENTS, CorrelationKind
from breachwatch.kernel.errors import Problem
from breachwatch.kernel.shapes import did_you_mean
from breachwatch.kernel.yaml import KeyPath, Node

KINDS = ("event_count", "value_count", "temporal", "temporal_ordered")
MAX_TIMESPAN_S = 366 * 86_400
MAX_WAYS = 64
_KEYS = ("type", "rules", "group-by", "timespan", "condition", "aliases", "generate")
_OPERATORS = ("lt", "lte", "gt", "gte", "eq", "neq")
_HERE: KeyPath = ("correlation",)


@dataclass(slots=True)
class CorrelationTerms:
    """A correlation as written. `references`: rules by id or name, in order, with their places.

    `ways`: sets of references one of which must be complete (`temporal` kinds). `generate` is None when not written.
    """

    kind: CorrelationKind
    references: list[tuple[str, KeyPath]]
    group_by: list[tuple[str, KeyPath]]
    timespan_us: int
    threshold: int = 1
    counted: tuple[str, ...] = ()
    ways: tuple[frozenset[str], ...] = ()
    aliases: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    generate: bool | None = None


def read_terms(node: Node) -> tuple[CorrelationTerms | None, list[Problem]]:
    """The terms of a correlation document, or everything that is wrong with them."""
    given = node.data["correlation"]
    if not isinstance(given, dict):
        return None, [node.problem(_HERE, "`correlation` must be a mapping")]
    problems = [*_keys(node, given), *_values(node, given)]
    if problems:
        return None, problems
    try:
        SigmaCorrelationRule.from_dict({"title": "x", "correlation": given}, collect_errors=False)
    except SigmaError as error:
        return None, [node.problem(_place_of(str(error), given), str(error))]
    except (TypeError, ValueError, AttributeError, KeyError):
        return None, [node.problem(_HERE, "this is not a correlation that Sigma allows")]
    kind = cast(CorrelationKind, given["type"])
    terms = CorrelationTerms(
        kind=kind,
        references=_listed(given.get("rules"), (*_HERE, "rules")),
        group_by=_listed(given.get("group-by"), (*_HERE, "group-by")),
        timespan_us=SigmaCorrelationTimespan(given["timespan"]).seconds * 1_000_000,
        aliases=given.get("aliases") or {},
        generate=given.get("generate"),
    )
    return _finished(node, given, terms)


def _finished(
    node: Node, given: Mapping[str, Any], terms: CorrelationTerms
) -> tuple[CorrelationTerms | None, list[Problem]]:
    at = (*_HERE, "condition")
    condition = given.get("condition")
    if isinstance(condition, str):
        try:
            terms.ways = _ways_of(condition)
        except ValueError as error:
            return None, [node.problem(at, str(error))]
        known = {reference for reference, _ in terms.references}
        terms.references.extend((each, at) for each in _in_order(condition) if each not in known)
        if terms.kind == "temporal_ordered" and len(terms.ways) > 1:
            return None, [node.problem(at, "alternatives have no order; write one correlation for each")]
    else:
        names = [reference for reference, _ in terms.references]
        terms.threshold = _threshold(condition, len(names) if terms.kind.startswith("temporal") else 1)
        problem = _count_problem(terms, len(names))
        if problem:
            return None, [node.problem(at, problem)]
        if terms.kind.startswith("temporal"):
            terms.ways = tuple(frozenset(some) for some in combinations(names, terms.threshold))
    if terms.kind == "value_count" and isinstance(condition, dict):
        counted = condition.get("field")
        terms.counted = tuple(counted) if isinstance(counted, list) else (str(counted),)
    return terms, list(_twice(node, terms))


def _count_problem(terms: CorrelationTerms, rules: int) -> str:
    if terms.threshold < 1:
        return "nothing at all would satisfy this; count at least 1"
    if terms.threshold > MAX_EVENTS:
        return f"no more than {MAX_EVENTS} events of a group are remembered"
    if terms.kind.startswith("temporal"):
        if terms.threshold > rules:
            return f"only {rules} rules are listed"
        if terms.kind == "temporal_ordered" and terms.threshold < rules:
            return "an order needs all of its rules; leave the condition out"
        if comb(rules, terms.threshold) > MAX_WAYS:
            return f"more than {MAX_WAYS} combinations of rules would satisfy this"
    return ""


def _threshold(condition: Any, default: int) -> int:
    if not isinstance(condition, dict):
        return default
    return int(condition["gte"]) if "gte" in condition else int(condition["gt"]) + 1


def _keys(node: Node, given: Mapping[str, Any]) -> Iterator[Problem]:
    for key in given:
        if key not in _KEYS:
            yield node.problem(
                (*_HERE, key), f'unknown key "{key}"', did_you_mean(key, set(_KEYS) - set(given)), key=True
            )
    kind = given.get("type")
    if kind not in KINDS:
        known = isinstance(kind, str) and kind.upper() in SigmaCorrelationType.__members__
        reason = "is not supported yet" if known else "is no correlation type"
        hint = f"supported: {', '.join(KINDS)}" if known else did_you_mean(kind, KINDS)
        yield node.problem((*_HERE, "type"), f'"{kind}" {reason}', hint)


def _values(node: Node, given: Mapping[str, Any]) -> Iterator[Problem]:
    for key in ("rules", "group-by"):
        value = given.get(key)
        if value is not None and not _texts(value):
            yield node.problem((*_HERE, key), f"`{key}` must be a name or a list of names")
    if not given.get("rules") and not isinstance(given.get("condition"), str):
        yield node.problem((*_HERE, "rules"), "a correlation needs `rules`, the names of what it correlates")
    try:
        seconds = SigmaCorrelationTimespan(given.get("timespan", "")).seconds
        if seconds > MAX_TIMESPAN_S:
            yield node.problem((*_HERE, "timespan"), "a timespan of more than 366 days would remember too much")
    except SigmaError:
        shown = (
            f'"{given.get("timespan")}" is no timespan' if "timespan" in given else "a correlation needs a `timespan`"
        )
        yield node.problem((*_HERE, "timespan"), shown, "such as 30s, 10m, 2h or 1d")
    yield from _condition(node, given)
    aliases = given.get("aliases")
    if aliases is not None and not (isinstance(aliases, dict) and all(isinstance(e, dict) for e in aliases.values())):
        yield node.problem(
            (*_HERE, "aliases"), "`aliases` maps a name to the field of each rule: `name: {rule: field}`"
        )
    if not isinstance(given.get("generate", False), bool):
        yield node.problem((*_HERE, "generate"), "`generate` is true or false")


def _condition(node: Node, given: Mapping[str, Any]) -> Iterator[Problem]:
    at = (*_HERE, "condition")
    condition, kind = given.get("condition"), given.get("type")
    temporal = isinstance(kind, str) and kind.startswith("temporal")
    if condition is None and temporal:
        return
    if isinstance(condition, str) and temporal:
        return
    if not isinstance(condition, dict):
        yield node.problem(at, f"a {kind} needs a `condition` such as `gte: 10`")
        return
    for key in condition:
        if key not in {*_OPERATORS, "field"}:
            hint = did_you_mean(key, ["gt", "gte", "field"])
            yield node.problem((*at, key), f'unknown key "{key}"', hint, key=True)
    operators = [key for key in condition if key in _OPERATORS]
    for operator in operators:
        if operator not in {"gt", "gte"}:
            reason = "is not decidable on a stream until its window ends"
            yield node.problem((*at, operator), f"`{operator}` {reason}", "use `gt` or `gte`", key=True)
        elif not isinstance(condition[operator], int) or isinstance(condition[operator], bool):
            yield node.problem((*at, operator), f"`{operator}` must be a whole number")
    if len(operators) != 1:
        yield node.problem(at, "a condition has exactly one of `gt` and `gte`")
    if kind == "value_count" and not _texts(condition.get("field")):
        yield node.problem(at, "a value_count needs the `field` whose values it counts")


def _texts(value: Any) -> bool:
    return isinstance(value, str) or (
        isinstance(value, list) and bool(value) and all(isinstance(each, str) for each in value)
    )


def _listed(value: Any, at: KeyPath) -> list[tuple[str, KeyPath]]:
    if value is None:
        return []
    return [(value, at)] if isinstance(value, str) else [(each, (*at, index)) for index, each in enumerate(value)]


def _twice(node: Node, terms: CorrelationTerms) -> Iterator[Problem]:
    for kind, members in (("rule", terms.references), ("field", terms.group_by)):
        seen: set[str] = set()
        for name, at in members:
            if name in seen:
                yield node.problem(at, f'{kind} "{name}" is listed twice')
            seen.add(name)


def _ways_of(expression: str) -> tuple[frozenset[str], ...]:
    """A boolean expression over rules as alternatives, each a set of rules all of which must be there.

    Raises:
        ValueError: not an expression, one with `not`, or one with too many alternatives.
    """
    try:
        parsed = SigmaExtendedCorrelationCondition(expression).parsed
    except SigmaError as error:
        raise ValueError(str(error)) from error
    return tuple(_expanded(parsed))


def _expanded(parsed: Any) -> list[frozenset[str]]:
    match parsed:
        case SigmaRuleReference(reference=reference):
            return [frozenset({reference})]
        case CorrelationConditionOR(args=args):
            return [way for part in args for way in _expanded(part)]
        case CorrelationConditionAND(args=args):
            ways: list[frozenset[str]] = [frozenset()]
            for part in args:
                ways = [way | more for way in ways for more in _expanded(part)]
                if len(ways) > MAX_WAYS:
                    raise ValueError(f"more than {MAX_WAYS} alternatives")
            return ways
        case _:
            raise ValueError("`not` is not decidable on a stream until its window ends")


def _in_order(expression: str) -> list[str]:
    return SigmaExtendedCorrelationCondition(expression).get_referenced_rules()


def _place_of(message: str, given: Mapping[str, Any]) -> KeyPath:
    """The key that a message of pySigma speaks about."""
    said = message.lower()
    named = (key for key in ("group-by", "aliases", "generate", "condition", "timespan", "rules") if key[:5] in said)
    key = next(named, "")
    return (*_HERE, key) if key in given else _HERE
