"""The `correlation` part of a Sigma document: what it counts, over which rules, in which time."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from math import comb
from typing import Any, cast

from sigma.correlations import (
    SigmaCorrelationRule,
    SigmaCorrelationTimespan,
    SigmaCorrelationType,
)
from sigma.exceptions import SigmaError

from breachwatch.detection.rules import EXACT_VALUES, MAX_EVENTS, CorrelationKind, Op
from breachwatch.detection.sigma.sigma_condition import (
    ConditionError,
    Expression,
    Joined,
    Name,
    Negated,
    Some,
    names_in,
    read_expression,
)
from breachwatch.kernel.errors import Problem
from breachwatch.kernel.shapes import did_you_mean
from breachwatch.kernel.yaml import KeyPath, Node

KINDS = tuple(each.name.lower() for each in SigmaCorrelationType)
MAX_EXACT = 10_000_000
MEDIAN = 50
"""The percentile of a `value_percentile` that names none."""
MAX_TIMESPAN_S = 366 * 86_400
MAX_WAYS = 64
_KEYS = ("type", "rules", "group-by", "timespan", "condition", "aliases", "generate")
_OPERATORS: tuple[Op, ...] = ("lt", "lte", "gt", "gte", "eq", "neq")
_OF_NUMBERS = {"value_sum", "value_avg", "value_percentile", "value_median"}
_HERE: KeyPath = ("correlation",)


@dataclass(slots=True)
class CorrelationTerms:
    """A correlation as written. `references`: rules by id or name, in order, with their places.

    `tests`: what must be true of the count, sum, average or percentile, all of it. `ways`: sets of references one of
    which must be complete (`temporal` kinds). `generate` is None when not written.
    """

    kind: CorrelationKind
    references: list[tuple[str, KeyPath]]
    group_by: list[tuple[str, KeyPath]]
    timespan_us: int
    tests: tuple[tuple[Op, float], ...] = (("gte", 1),)
    counted: tuple[str, ...] = ()
    ways: tuple[frozenset[str], ...] = ()
    aliases: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    generate: bool | None = None
    percentile: int = 0
    exact_up_to: int = EXACT_VALUES


def read_terms(node: Node) -> tuple[CorrelationTerms | None, list[Problem]]:
    """The terms of a correlation document, or everything that is wrong with them."""
    given = node.data["correlation"]
    if not isinstance(given, dict):
        return None, [node.problem(_HERE, "`correlation` must be a mapping")]
    problems = [*_keys(node, given), *_values(node, given), *_own(node)]
    if problems:
        return None, problems
    try:
        SigmaCorrelationRule.from_dict({"title": "x", "correlation": with_one_test(given)}, collect_errors=False)
    except SigmaError as error:
        return None, [node.problem(_place_of(str(error), given), str(error))]
    except ConditionError as error:
        return None, [node.problem((*_HERE, "condition"), f"cannot read the condition: {error}")]
    except (TypeError, ValueError, AttributeError, KeyError):
        return None, [node.problem(_HERE, "this is not a correlation that Sigma allows")]
    kind = cast(CorrelationKind, given["type"])
    terms = CorrelationTerms(
        kind=kind,
        references=_listed(given.get("rules"), (*_HERE, "rules")),
        group_by=_listed(given.get("group-by"), (*_HERE, "group-by")),
        timespan_us=SigmaCorrelationTimespan(given["timespan"]).seconds * 1_000_000,
        aliases=given.get("aliases") or {},
        generate=given.get("generate", node.data.get("generate")),
        exact_up_to=_exact_up_to(node.data),
    )
    return _finished(node, given, terms)


def _finished(
    node: Node, given: Mapping[str, Any], terms: CorrelationTerms
) -> tuple[CorrelationTerms | None, list[Problem]]:
    at = (*_HERE, "condition")
    condition = given.get("condition")
    if isinstance(condition, str):
        try:
            expression = read_expression(condition)
            terms.ways = tuple(dict.fromkeys(_ways_of(expression)))
        except (ConditionError, ValueError) as error:
            return None, [node.problem(at, f"cannot read the condition: {error}")]
        problem = _unlike(names_in(expression), terms)
        if problem:
            return None, [node.problem(at, problem)]
        if terms.kind == "temporal_ordered" and len(terms.ways) > 1:
            return None, [node.problem(at, "alternatives have no order; write one correlation for each")]
    else:
        names = [reference for reference, _ in terms.references]
        temporal = terms.kind.startswith("temporal")
        terms.tests = _tests(condition, len(names) if temporal else 1)
        problem = _temporal_problem(terms, len(names)) if temporal else _count_problem(terms)
        if problem:
            return None, [node.problem(at, problem)]
        if temporal:
            terms.ways = tuple(frozenset(some) for some in combinations(names, _at_least(terms)))
    if isinstance(condition, dict) and not terms.kind.startswith("temporal"):
        counted = condition.get("field")
        terms.counted = tuple(counted) if isinstance(counted, list) else (str(counted),) if counted else ()
        if terms.kind == "value_percentile":
            terms.percentile = int(condition.get("percentile", MEDIAN))
    return terms, list(_twice(node, terms))


def _count_problem(terms: CorrelationTerms) -> str:
    if terms.kind in _OF_NUMBERS:
        return ""
    floors = [bound + (op == "gt") for op, bound in terms.tests if op in {"gt", "gte", "eq"}]
    ceilings = [bound - (op == "lt") for op, bound in terms.tests if op in {"lt", "lte", "eq"}]
    if max(floors, default=1) < 1 or min(ceilings, default=1) < 1:
        return "a group of which there is no event is never seen; count at least 1"
    if floors and ceilings and max(floors) > min(ceilings):
        return "no number satisfies all of these comparisons"
    if max(floors, default=0) > MAX_EVENTS and terms.kind == "event_count":
        return f"no more than {MAX_EVENTS} events of a group are remembered"
    return ""


def _temporal_problem(terms: CorrelationTerms, rules: int) -> str:
    if any(op not in {"gt", "gte", "eq"} for op, _ in terms.tests):
        return "rules that stay away are not seen on a stream; use `gt` or `gte`"
    least = _at_least(terms)
    if least < 1:
        return "nothing at all would satisfy this; count at least 1"
    if least > rules:
        return f"only {rules} rules are listed"
    if terms.kind == "temporal_ordered" and least < rules:
        return "an order needs all of its rules; leave the condition out"
    if least < rules and (rules > MAX_WAYS or comb(rules, least) > MAX_WAYS):
        return f"more than {MAX_WAYS} combinations of rules would satisfy this"
    return ""


def _at_least(terms: CorrelationTerms) -> int:
    return max(int(bound) + (op == "gt") for op, bound in terms.tests)


def _tests(condition: Any, default: int) -> tuple[tuple[Op, float], ...]:
    if not isinstance(condition, dict):
        return (("gte", default),)
    return tuple((op, condition[op]) for op in _OPERATORS if op in condition)


def with_one_test(given: Mapping[str, Any]) -> dict[str, Any]:
    """A correlation with the first of its comparisons alone, as pySigma takes it: it knows no ranges.

    An expression over rules, which it reads in exponential time, is left out.

    Raises:
        ConditionError: such an expression cannot be read.
    """
    condition = given.get("condition")
    if isinstance(condition, str):
        plain = {key: value for key, value in given.items() if key != "condition"}
        return plain if given.get("rules") else {**plain, "rules": names_in(read_expression(condition))}
    if not isinstance(condition, dict):
        return dict(given)
    first = next((op for op in _OPERATORS if op in condition), "")
    return {**given, "condition": {k: v for k, v in condition.items() if k not in _OPERATORS or k == first}}


def _exact_up_to(document: Mapping[str, Any]) -> int:
    custom = document.get("custom")
    ours = custom.get("breachwatch") if isinstance(custom, dict) else None
    return int(ours.get("exact_up_to", EXACT_VALUES)) if isinstance(ours, dict) else EXACT_VALUES


def _own(node: Node) -> Iterator[Problem]:
    """What a rule says to this program alone, under `custom: breachwatch:`; other programs' customs are theirs."""
    custom = node.data.get("custom")
    ours = custom.get("breachwatch") if isinstance(custom, dict) else None
    if ours is None:
        return
    at: KeyPath = ("custom", "breachwatch")
    if not isinstance(ours, dict):
        yield node.problem(at, "`custom.breachwatch` is a mapping such as `exact_up_to: 100000`")
        return
    for key, value in ours.items():
        if key != "exact_up_to":
            yield node.problem((*at, key), f'unknown key "{key}"', did_you_mean(key, ["exact_up_to"]), key=True)
        elif not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_EXACT:
            yield node.problem((*at, key), f"`exact_up_to` is a whole number up to {MAX_EXACT}")


def _keys(node: Node, given: Mapping[str, Any]) -> Iterator[Problem]:
    for key in list(given)[: 2 * len(_KEYS)]:
        if key not in _KEYS:
            yield node.problem(
                (*_HERE, key), f'unknown key "{key}"', did_you_mean(key, set(_KEYS) - set(given)), key=True
            )
    kind = given.get("type")
    if kind not in KINDS:
        said = f'"{kind}" is no correlation type' if kind is not None else "a correlation needs a `type`"
        yield node.problem((*_HERE, "type"), said, did_you_mean(kind, KINDS))


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
    if not isinstance(node.data.get("generate", False), bool):
        yield node.problem(("generate",), "`generate` is true or false")


def _condition(node: Node, given: Mapping[str, Any]) -> Iterator[Problem]:
    at = (*_HERE, "condition")
    condition, kind = given.get("condition"), given.get("type")
    temporal = isinstance(kind, str) and kind.startswith("temporal")
    if condition is None and temporal:
        return
    if isinstance(condition, str) and temporal:
        return
    if not isinstance(condition, dict):
        yield node.problem(at, f"{_a(kind)} needs a `condition` such as `gte: 10`")
        return
    known = {*_OPERATORS, "field"} | ({"percentile"} if kind == "value_percentile" else set())
    for key in condition:
        if key not in known:
            hint = did_you_mean(key, sorted(known))
            yield node.problem((*at, key), f'unknown key "{key}"', hint, key=True)
    operators = [key for key in condition if key in _OPERATORS]
    for operator in operators:
        yield from _bound(node, (*at, operator), condition[operator], whole=kind not in _OF_NUMBERS)
    if not operators:
        yield node.problem(at, "a condition compares: `gt`, `gte`, `lt`, `lte`, `eq` or `neq`")
    if isinstance(kind, str) and kind.startswith("value_"):
        yield from _field(node, at, condition.get("field"), kind)
    percentile = condition.get("percentile", MEDIAN)
    if not isinstance(percentile, int) or isinstance(percentile, bool) or not 0 <= percentile <= 100:
        yield node.problem((*at, "percentile"), "`percentile` is a whole number from 0 to 100")


def _a(kind: Any) -> str:
    return f"an {kind}" if str(kind).startswith("e") else f"a {kind}"


def _bound(node: Node, at: KeyPath, bound: Any, *, whole: bool) -> Iterator[Problem]:
    wanted = int if whole else int | float
    if not isinstance(bound, wanted) or isinstance(bound, bool):
        yield node.problem(at, f"`{at[-1]}` must be a {'whole ' if whole else ''}number")


def _field(node: Node, at: KeyPath, field: Any, kind: str) -> Iterator[Problem]:
    if not _texts(field):
        yield node.problem(at, f"a {kind} needs the `field` whose values it {'counts' if 'count' in kind else 'takes'}")
    elif kind != "value_count" and isinstance(field, list) and len(field) > 1:
        yield node.problem((*at, "field"), f"a {kind} takes the numbers of one field")


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


def _unlike(named: list[str], terms: CorrelationTerms) -> str:
    """What is wrong where rules are both listed and named in the condition; takes those named where none are listed."""
    listed = [reference for reference, _ in terms.references]
    if not listed:
        terms.references.extend((each, (*_HERE, "condition")) for each in named)
        return ""
    unused, unlisted = set(listed) - set(named), set(named) - set(listed)
    if unused:
        return f'the condition does not name "{min(unused)}", which `rules` lists'
    return f'the condition names "{min(unlisted)}", which `rules` does not list' if unlisted else ""


def _ways_of(expression: Expression) -> list[frozenset[str]]:
    """A boolean expression over rules as alternatives, each a set of rules all of which must be there.

    Raises:
        ValueError: one with `not`, with a pattern, or with too many alternatives.
    """
    ways: list[frozenset[str]] = []
    match expression:
        case Name(name=name):
            ways = [frozenset({name})]
        case Joined(every=False, parts=parts):
            ways = [way for part in parts for way in _ways_of(part)]
        case Joined(parts=parts):
            ways = [frozenset()]
            for part in parts:
                ways = [way | more for way in ways for more in _ways_of(part)]
                if len(ways) > MAX_WAYS:
                    break
        case Negated():
            raise ValueError("`not` is not decidable on a stream until its window ends")
        case Some():
            raise ValueError("a correlation names its rules one by one")
    if len(ways) > MAX_WAYS:
        raise ValueError(f"more than {MAX_WAYS} alternatives")
    return ways


def _place_of(message: str, given: Mapping[str, Any]) -> KeyPath:
    """The key that a message of pySigma speaks about."""
    said = message.lower()
    named = (key for key in ("group-by", "aliases", "generate", "condition", "timespan", "rules") if key[:5] in said)
    key = next(named, "")
    return (*_HERE, key) if key in given else _HERE
