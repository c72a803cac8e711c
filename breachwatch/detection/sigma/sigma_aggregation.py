"""The old way of counting, `selection | count() by src_ip > 10` with a `timeframe`, as rules and one correlation.

Sigma has replaced it by correlations; rules written before still go round. What it becomes:

- `count()` is an `event_count`, `count(field)` a `value_count`, `sum` and `avg` a `value_sum` and a `value_avg`;
- `min(field) < n` and `max(field) > n` hold as soon as one event has such a value, so they become a part of the rule;
- `a | near b and c` is a `temporal` of the selections; after `not` stands what an event must not meet to be counted.

Without a `timeframe` it is counted within a day.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sigma.correlations import SigmaCorrelationTimespan
from sigma.exceptions import SigmaError

from breachwatch.detection.conditions import AllOf, Compare, Condition, Not, Where
from breachwatch.detection.rules import Op
from breachwatch.detection.sigma.sigma_condition import (
    ConditionError,
    Expression,
    Joined,
    Name,
    Negated,
    Some,
    read_expression,
)
from breachwatch.detection.sigma.sigma_correlation import MAX_TIMESPAN_S, CorrelationTerms
from breachwatch.detection.sigma.sigma_detection import DetectionReader
from breachwatch.kernel.yaml import KeyPath

DAY = "1d"
_COUNT = re.compile(
    r"(?P<how>count|sum|avg|min|max) ?\((?P<field>[^()]*)\) ?(?:by (?P<group>[^<>=!]+))?"
    r"(?P<op>>=|<=|==|!=|=|>|<) ?(?P<bound>-?\d{1,18}(?:\.\d{1,18})?)",
    re.IGNORECASE,
)
_OPS: Mapping[str, Op] = {">": "gt", ">=": "gte", "<": "lt", "<=": "lte", "=": "eq", "==": "eq", "!=": "neq"}
_AT: KeyPath = ("detection", "condition")
_KINDS: Mapping[str, str] = {"sum": "value_sum", "avg": "value_avg"}


class AggregationError(Exception):
    """Counting that cannot be read, or that no stream can decide; `at` is the place."""

    def __init__(self, message: str, at: KeyPath = _AT) -> None:
        super().__init__(message)
        self.at = at


@dataclass(slots=True)
class Counting:
    """What a counting rule becomes: conditions of the rules whose events are counted, and what is counted of them.

    `terms` is None where one matching event is enough, so that the rule stays a rule. Its references are to be filled
    in with the names that the rules get.
    """

    conditions: list[Condition]
    terms: CorrelationTerms | None
    ways: tuple[frozenset[int], ...] = ()


def read_counting(reader: DetectionReader, condition: Condition) -> Counting:
    """What a rule that counts becomes.

    Args:
        reader: has read the rule; `counted` says what stands behind the `|`.
        condition: what stands before it.

    Raises:
        AggregationError: it cannot be read, or cannot be decided.
    """
    timespan_us = _timeframe(reader)
    near = re.match(r"near (?P<wanted>.+)", reader.counted, re.IGNORECASE)
    if near:
        return _near(reader, condition, near["wanted"], timespan_us)
    counting = _COUNT.fullmatch(reader.counted)
    if counting is None:
        raise AggregationError(f'cannot read the counting "{reader.counted}"; such as `count() by src_ip > 10`')
    how, counted, op = counting["how"].lower(), counting["field"].strip(), _OPS[counting["op"]]
    group = [each.strip() for each in (counting["group"] or "").split(",") if each.strip()]
    bound = float(counting["bound"])
    bound = int(bound) if bound.is_integer() else bound
    if how != "count" and not counted:
        raise AggregationError(f"`{how}()` must name the field whose values it takes")
    if how in {"min", "max"}:
        return Counting([AllOf((condition, _extreme(how, counted, op, bound)))], None)
    kind = _KINDS.get(how) or ("value_count" if counted else "event_count")
    if how == "count" and ((op in {"lt"} and bound <= 1) or (op in {"lte", "eq"} and bound < 1)):
        raise AggregationError("a group of which there is no event is never seen, so nothing can count less than one")
    terms = CorrelationTerms(
        kind=kind,  # type: ignore[arg-type]
        references=[],
        group_by=[(each, _AT) for each in group],
        timespan_us=timespan_us,
        tests=((op, bound),),
        counted=(counted,) if counted else (),
    )
    return Counting([condition], terms)


def _timeframe(reader: DetectionReader) -> int:
    written = reader.node.data["detection"].get("timeframe", DAY)
    at: KeyPath = ("detection", "timeframe")
    try:
        seconds = SigmaCorrelationTimespan(written).seconds
    except SigmaError as error:
        raise AggregationError(f'"{written}" is no timeframe; such as 30s, 10m, 2h or 1d', at) from error
    if seconds > MAX_TIMESPAN_S:
        raise AggregationError("a timeframe of more than 366 days would remember too much", at)
    return seconds * 1_000_000


def _extreme(how: str, field: str, op: Op, bound: float) -> Condition:
    one_is_enough = {"min": {"lt", "lte"}, "max": {"gt", "gte"}}[how]
    if op not in one_is_enough:
        raise AggregationError(
            f"`{how}` with this comparison asks about every event of the timeframe, which no stream can tell in time"
        )
    return Where(field, Compare(op, bound))  # type: ignore[arg-type]


def _near(reader: DetectionReader, condition: Condition, wanted: str, timespan_us: int) -> Counting:
    try:
        expression = read_expression(wanted)
    except ConditionError as error:
        raise AggregationError(f"cannot read what stands after `near`: {error}") from error
    unwanted = [each for part in _parts(expression) if isinstance(part, Negated) for each in [part.part]]
    positive = [part for part in _parts(expression) if not isinstance(part, Negated)]
    alternatives = [part for part in positive if isinstance(part, Joined)]
    if len(alternatives) > 1 or any(not isinstance(each, Name | Some) for one in alternatives for each in one.parts):
        raise AggregationError("`near` takes selections joined by `and`, and one group of them joined by `or`")
    plain = [part for part in positive if not isinstance(part, Joined)]
    conditions = [condition, *_resolved(reader, plain)]
    sure = frozenset(range(len(conditions)))
    ways: tuple[frozenset[int], ...] = (sure,)
    if alternatives:
        others = _resolved(reader, alternatives[0].parts)
        ways = tuple(sure | {len(conditions) + number} for number in range(len(others)))
        conditions += others
    for left_out in _resolved(reader, unwanted):
        conditions = [AllOf((each, Not(left_out))) for each in conditions]
    if len(conditions) == 1:
        raise AggregationError("`near` names nothing that must be near")
    terms = CorrelationTerms(
        kind="temporal", references=[], group_by=[], timespan_us=timespan_us, tests=(("gte", len(sure)),)
    )
    return Counting(conditions, terms, ways)


def _parts(expression: Expression) -> Sequence[Expression]:
    return expression.parts if isinstance(expression, Joined) and expression.every else (expression,)


def _resolved(reader: DetectionReader, expressions: Sequence[Expression]) -> list[Condition]:
    made = [reader.condition_of(each) for each in expressions]
    known = [each for each in made if each is not None]
    if len(known) < len(made):
        raise AggregationError("")
    return known
