"""Why a rule matches a record or does not: what each part of its condition asked, what it saw, whether it held."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

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
from breachwatch.detection.matching.compiler import Compiler
from breachwatch.detection.matching.rarity import choose
from breachwatch.detection.matching.scan import Scan, Writing, plain_form
from breachwatch.detection.matching.views import told
from breachwatch.detection.matching.witnesses import NOT_ASCII, Clause, Seen
from breachwatch.detection.rules import Rule
from breachwatch.sources.event import Dead, Event, Ignored
from breachwatch.sources.source import Source

MAX_SHOWN = 160
"""Longest text shown of a value, in characters."""
MAX_VALUES = 8
"""Most values of the event listed under a keyword that none of them holds."""

Kind = Literal["all", "any", "not", "test"]
_KINDS = {"all": "all of these", "any": "any of these", "not": "not this"}
_OPS = {"eq": "=", "lt": "<", "lte": "<=", "gt": ">", "gte": ">="}


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a condition, asked of one event.

    `held`: whether it is so. For a test: `field` as the rule calls it (None for a keyword), `path` where the source
    keeps it (empty where it has no such field), `wanted` in words, and `saw`, the value that was found, None if absent.
    `parts`: what it is made of; of a `not` there is one.
    """

    kind: Kind
    held: bool
    field: str | None = None
    path: str = ""
    wanted: str = ""
    saw: Any = None
    parts: tuple["Part", ...] = ()


@dataclass(frozen=True, slots=True)
class Glimpse:
    """What the scan before reading makes of the record.

    `sought`: literals of which the record must hold one, None when the rule has none and is asked of every event.
    `passes`: whether the rule is asked. `odd`: the record is written so that it must be read to tell.
    """

    sought: tuple[str, ...] | None
    passes: bool
    odd: bool = False


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a rule matches a record, or not.

    `outcome`: what the source made of the record, with `reason` unless it is an event. `guard`: which of the source's
    events the rule is for; None for all. `condition`: the rule's own; None without an event. `matches`: both hold.
    """

    rule: str
    source: str
    is_for_source: bool
    outcome: Literal["event", "ignored", "dead"]
    reason: str
    matches: bool
    glimpse: Glimpse
    guard: Part | None = None
    condition: Part | None = None

    def lines(self) -> list[str]:
        """The explanation as text, a line each, parts indented under what they are parts of."""
        verdict = "matches" if self.matches else "does not match"
        lines = [f"{self.rule}: {verdict} this record of {self.source}"]
        if not self.is_for_source:
            lines.append("  the rule's logsource is not for this source")
        if self.outcome != "event":
            return [*lines, f"  the record is {self.outcome}: {self.reason}"]
        if self.guard is not None:
            lines += ["  is it for such events?", *_lines(self.guard, 2)]
        if self.condition is not None:
            lines += ["  condition", *_lines(self.condition, 2)]
        return [*lines, f"  {_of_glimpse(self.glimpse)}"]


def explain(rule: Rule, source: Source, record: bytes, received_us: int) -> Explanation:
    """Why a rule matches a raw record of a source, or does not.

    Args:
        rule: any; its guard for the source is explained too.
        source: reads the record.
        record: raw, as it came.
        received_us: when, in microseconds since the epoch.
    """
    outcome = source.parse(record, received_us)
    glimpse = _glimpse(rule, source, record, outcome.fields if isinstance(outcome, Event) else None)
    is_for = source.name in rule.sources
    name = rule.title or rule.id
    if isinstance(outcome, Ignored | Dead):
        said: Literal["ignored", "dead"] = "ignored" if isinstance(outcome, Ignored) else "dead"
        return Explanation(name, source.name, is_for, said, outcome.reason, matches=False, glimpse=glimpse)
    asking = _Asking(source, outcome.fields)
    guard = rule.guards.get(source.name)
    guarded = asking.part(guard) if guard is not None else None
    condition = asking.part(rule.condition)
    matches = is_for and condition.held and (guarded is None or guarded.held)
    return Explanation(name, source.name, is_for, "event", "", matches, glimpse, guarded, condition)


class _Asking:
    """One event, asked part by part; nothing is skipped, whatever the parts before said."""

    def __init__(self, source: Source, fields: dict[str, Any]) -> None:
        self._source = source
        self._fields = fields
        self._compiler = Compiler(source)

    def part(self, condition: Condition) -> Part:
        match condition:
            case AllOf(parts=parts):
                made = tuple(self.part(part) for part in parts)
                return Part("all", all(part.held for part in made), parts=made)
            case AnyOf(parts=parts):
                made = tuple(self.part(part) for part in parts)
                return Part("any", any(part.held for part in made), parts=made)
            case Not(part=inner):
                part = self.part(inner)
                return Part("not", not part.held, parts=(part,))
            case Where(field=field, wanted=wanted):
                held = self._compiler.condition(condition)(self._fields)
                path = self._source.native(field) if field is not None else ()
                return Part("test", held, field, ".".join(path or ()), in_words(wanted), self._saw(field, wanted))
        raise TypeError(type(condition).__name__)

    def _saw(self, field: str | None, wanted: Wanted) -> Any:
        if field is None:
            return list(dict.fromkeys(map(_shown, told(self._fields))))[:MAX_VALUES]
        value = self._compiler.value_of(field)(self._fields)
        if isinstance(wanted, SameAs):
            return [value, self._compiler.value_of(wanted.field)(self._fields)]
        return value


def in_words(wanted: Wanted) -> str:
    """What is wanted of a value, as one would say it."""
    match wanted:
        case Text():
            return _text(wanted)
        case Pattern(expression=expression, flags=flags, besides=besides):
            more = "".join(f" and {'' if yes else 'not '}/{beside}/{flags}" for yes, beside in besides)
            return f"matches /{expression}/{flags}{more}"
        case Network(cidr=cidr):
            return f"is in {cidr}"
        case Number(value=value):
            return f"= {value}"
        case Truth(value=truth):
            return f"is {'true' if truth else 'false'}"
        case Null():
            return "is absent, null or empty"
        case Exists(wanted=exists):
            return "exists" if exists else "does not exist"
        case Compare(op=op, value=value):
            return f"{_OPS[op]} {value}"
        case ClockPart(part=part, op=op, value=value):
            return f"has {part} {_OPS[op]} {value}"
        case SameAs(field=field, begins=begins, ends=ends):
            how = {(True, True): "contains", (True, False): "begins with", (False, True): "ends with"}
            return f"{how.get((begins, ends), '=')} what {field} holds"


def _text(wanted: Text) -> str:
    cased = ", in this case" if wanted.cased else ""
    many = Wild(many=True)
    match wanted.parts:
        case (str() as whole,):
            return f'= "{whole}"{cased}'
        case (str() as start, last) if last == many:
            return f'begins with "{start}"{cased}'
        case (first, str() as end) if first == many:
            return f'ends with "{end}"{cased}'
        case (first, str() as inside, last) if first == last == many:
            return f'contains "{inside}"{cased}'
    written = "".join(part if isinstance(part, str) else "*" if part.many else "?" for part in wanted.parts)
    return f'is like "{written}"{cased}'


def _lines(part: Part, depth: int) -> Iterator[str]:
    mark = "yes" if part.held else "no "
    if part.kind != "test":
        yield f"{'  ' * depth}{mark} {_KINDS[part.kind]}"
        for inner in part.parts:
            yield from _lines(inner, depth + 1)
        return
    asked = f"{part.field} {part.wanted}" if part.field is not None else f"any value {part.wanted}"
    if part.field is None:
        saw = "" if part.held else f": saw {', '.join(part.saw) or 'nothing'}"
    elif part.field != part.path and part.path:
        saw = f": saw {_shown(part.saw)} in {part.path}"
    else:
        saw = f": saw {_shown(part.saw)}"
    yield f"{'  ' * depth}{mark} {asked}{saw}"


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    text = f'"{value}"' if isinstance(value, str) else str(value)
    printable = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text[: MAX_SHOWN + 1])
    return printable if len(printable) <= MAX_SHOWN else f"{printable[:MAX_SHOWN]}..."


def _of_glimpse(glimpse: Glimpse) -> str:
    if glimpse.sought is None:
        return "the scan cannot rule it out: the rule is asked of every event"
    if not glimpse.sought:
        return "the scan rules it out: no record can meet the condition"
    sought = " or ".join(
        "a character beyond ASCII" if each == NOT_ASCII else f'"{each}"' for each in glimpse.sought[:5]
    )
    more = f" or {len(glimpse.sought) - 5} others" if len(glimpse.sought) > 5 else ""
    if glimpse.passes:
        return (
            f"the scan lets it through: it holds {sought}{more}" if not glimpse.odd else "the scan read it to be sure"
        )
    return f"the scan rules it out: it holds no {sought}{more}"


def _glimpse(rule: Rule, source: Source, record: bytes, fields: dict[str, Any] | None) -> Glimpse:
    seen = Seen(source, everything=source.raw is None)
    clause: Clause | None = choose([rule.condition_for(source.name)], seen)[0]
    if clause is None:
        return Glimpse(None, passes=True)
    writing: Writing = "none" if source.raw is not None and source.raw.escapes == "none" else "json"
    scan = Scan([clause], writing)
    plan = scan.plan(record) if not seen.everything else None
    odd = plan is not None and plan.odd
    if (plan is None or odd) and fields is not None:
        plain = plain_form(fields, writing)
        plan = scan.plan(plain) if plain is not None else scan.everything
    return Glimpse(tuple(sorted(clause)), passes=plan is not None and bool(plan.rules), odd=odd)
