"""What an operator sets right for their own house, in one file: thresholds, and what is allowed here.

Playbooks stay as they were shipped, so that a new edition of them can simply take their place. A threshold changes the
comparisons or the timespan of one correlation. What is allowed is set aside after a rule matched and before it counts
(`allow_lists.py`); each entry says why, and until when.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from ipaddress import ip_network
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from breachwatch.detection.playbooks.content import Content
from breachwatch.detection.rules import MAX_EVENTS, Correlation, Op
from breachwatch.kernel.errors import ContentError, Problem
from breachwatch.kernel.shapes import conform, did_you_mean
from breachwatch.kernel.time import parse_rfc3339, to_microseconds
from breachwatch.kernel.yaml import Node, read

MAX_TIMESPAN_S = 366 * 86_400
_OPERATORS: tuple[Op, ...] = ("gte", "gt", "lte", "lt", "eq", "neq")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_TIMESPAN = re.compile(r"([1-9]\d{0,8})([smhdw])")
_COUNTED = frozenset({"event_count", "value_count"})


def timespan_of(value: object) -> timedelta:
    """A timespan as Sigma writes it, a number and a unit such as `10m`.

    Raises:
        ValueError: it is none, or longer than a year.
    """
    found = _TIMESPAN.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("write a number and one of s, m, h, d, w, such as 10m")
    seconds = int(found[1]) * _SECONDS[found[2]]
    if seconds > MAX_TIMESPAN_S:
        raise ValueError("longer than a year")
    return timedelta(seconds=seconds)


def _until(value: object) -> datetime:
    """The end of a day in UTC, or an instant."""
    if isinstance(value, str):
        try:
            if len(value) == len("2026-12-31"):
                return datetime.combine(date.fromisoformat(value) + timedelta(days=1), datetime.min.time(), UTC)
            return parse_rfc3339(value)
        except (ValueError, OverflowError):
            pass
    raise ValueError("write a day such as 2026-12-31, or an instant such as 2026-12-31T18:00:00Z")


def _network(value: str) -> str:
    try:
        network = ip_network(value)
    except ValueError as error:
        raise ValueError(f"no address or network: {error}") from error
    if network.prefixlen == 0:
        raise ValueError("that is every address there is: nothing would be told any more")
    return str(network)


def _not_everything(value: str) -> str:
    if not value.strip("*?"):
        raise ValueError("that is everybody and everything: nothing would be told any more")
    return value


def _written(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Text = Annotated[str, BeforeValidator(_written), Field(min_length=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Threshold(_Strict):
    """Other comparisons, or another timespan, for one correlation of one playbook; `rule`: its name, id or title."""

    playbook: str
    rule: str
    gte: float | None = None
    gt: float | None = None
    lte: float | None = None
    lt: float | None = None
    eq: float | None = None
    neq: float | None = None
    timespan: Annotated[timedelta | None, BeforeValidator(timespan_of)] = None
    reason: str = ""

    @property
    def tests(self) -> tuple[tuple[Op, float], ...]:
        """The comparisons that it sets; empty leaves those of the rule."""
        return tuple((op, bound) for op in _OPERATORS if (bound := getattr(self, op)) is not None)

    @model_validator(mode="after")
    def _says_something(self) -> "Threshold":
        if not self.tests and self.timespan is None:
            raise ValueError("say what is other than in the playbook: gte, gt, lte, lt, eq, neq or timespan")
        return self


class Allowed(_Strict):
    """What is allowed in this house, until a day, for a reason. All that an entry says must be true of an event.

    `playbook` and `rules` (names, ids or titles): what it is allowed to; all when left out. `addresses`: where it comes
    from, as addresses or networks; `accounts`: who did it or to whose account; `paths`: of the web or of files. In the
    latter two `*` and `?` are wildcards, and capitals do not matter.
    """

    reason: Annotated[str, Field(min_length=5)]
    until: Annotated[datetime, BeforeValidator(_until)]
    name: str = ""
    playbook: str = ""
    rules: tuple[str, ...] = ()
    addresses: tuple[Annotated[Text, AfterValidator(_network)], ...] = ()
    accounts: tuple[Annotated[Text, AfterValidator(_not_everything)], ...] = ()
    paths: tuple[Annotated[Text, AfterValidator(_not_everything)], ...] = ()

    @property
    def until_us(self) -> int:
        """When it ends, in microseconds since the epoch: events from then on are told again."""
        return to_microseconds(self.until)

    @property
    def called(self) -> str:
        """Its name, else its reason."""
        return self.name or self.reason

    @model_validator(mode="after")
    def _allows_something(self) -> "Allowed":
        if not (self.addresses or self.accounts or self.paths):
            raise ValueError("say what is allowed: addresses, accounts or paths")
        return self


class _File(_Strict):
    thresholds: tuple[Threshold, ...] = ()
    allow: tuple[Allowed, ...] = ()


@dataclass(frozen=True, slots=True)
class Adjustments:
    """One file, read. `node` tells where each entry stands; None for no file at all."""

    thresholds: tuple[Threshold, ...] = ()
    allow: tuple[Allowed, ...] = ()
    node: Node | None = None

    def mistakes(self, content: Content) -> list[Problem]:
        """Entries about playbooks or rules that are not there, and thresholds that nothing could meet."""
        if self.node is None:
            return []
        return [*self._wrong_thresholds(self.node, content), *self._wrong_rules(self.node, content)]

    def _wrong_thresholds(self, node: Node, content: Content) -> Iterator[Problem]:
        seen: dict[tuple[str, str], int] = {}
        for index, each in enumerate(self.thresholds):
            at = ("thresholds", index)
            if each.playbook not in content.playbooks:
                yield _no_playbook(node, (*at, "playbook"), each.playbook, content)
                continue
            found = named(content, each.playbook, each.rule)
            if found is None:
                known = [name for one in content.correlations if one.playbook == each.playbook for name in _names(one)]
                hint = did_you_mean(each.rule, known)
                yield node.problem((*at, "rule"), f'no correlation of {each.playbook} is called "{each.rule}"', hint)
                continue
            if (first := seen.setdefault((each.playbook, found.id), index)) != index:
                line, _ = node.place(("thresholds", first))
                yield node.problem(at, f'"{each.rule}" is adjusted twice', f"see line {line}")
            if message := _impossible(found, each):
                yield node.problem(at, message)

    def _wrong_rules(self, node: Node, content: Content) -> Iterator[Problem]:
        for index, each in enumerate(self.allow):
            if each.playbook and each.playbook not in content.playbooks:
                yield _no_playbook(node, ("allow", index, "playbook"), each.playbook, content)
                continue
            known = {name for rule in content.rules if each.playbook in ("", rule.playbook) for name in rule.names}
            for place, name in enumerate(each.rules):
                if name not in known:
                    hint = did_you_mean(name, known)
                    yield node.problem(("allow", index, "rules", place), f'no rule is called "{name}"', hint)

    def expired(self, now: datetime) -> list[Problem]:
        """Entries that allow nothing of today any more: not wrong, but due for a look."""
        if self.node is None:
            return []
        return [
            self.node.problem(("allow", index), f'"{each.called}" ended {each.until:%Y-%m-%d %H:%M} UTC', "take it out")
            for index, each in enumerate(self.allow)
            if each.until <= now
        ]


def read_adjustments(text: bytes, path: str) -> Adjustments:
    """An adjustments file by itself; `Adjustments.mistakes` holds it against the playbooks.

    Raises:
        ContentError: everything that does not fit, with line and column.
    """
    node = read(text, path)
    if node.data is None:
        return Adjustments(node=node)
    given = conform(_File, node)
    return Adjustments(given.thresholds, given.allow, node)


def adjusted(content: Content, adjustments: Adjustments) -> Content:
    """The content with the operator's thresholds in the place of the playbooks'.

    Raises:
        ContentError: the adjustments are about something that is not there.
    """
    problems = adjustments.mistakes(content)
    if problems:
        raise ContentError(problems)
    changes: dict[tuple[str, str], Threshold] = {}
    for each in adjustments.thresholds:
        found = named(content, each.playbook, each.rule)
        if found is not None:
            changes[found.playbook, found.id] = each
    return with_thresholds(content, changes)


def with_thresholds(content: Content, changes: Mapping[tuple[str, str], Threshold]) -> Content:
    """The content with some correlations, by (playbook, id), adjusted."""
    if not changes:
        return content
    made: dict[tuple[str, str], Correlation] = {}
    for each in content.correlations:
        key = (each.playbook, each.id)
        change = changes.get(key)
        made[key] = _with_reach(_changed(each, change) if change else each, made)
    return replace(content, correlations=tuple(made.values()))


def named(content: Content, playbook: str, rule: str) -> Correlation | None:
    """The correlation of a playbook that is called so, by name or id before title."""
    own = [each for each in content.correlations if each.playbook == playbook]
    by_reference = [each for each in own if rule in (each.name, each.id)]
    return next(iter(by_reference or [each for each in own if rule == each.title]), None)


def _changed(correlation: Correlation, change: Threshold) -> Correlation:
    return replace(
        correlation,
        tests=change.tests or correlation.tests,
        timespan_us=change.timespan // timedelta(microseconds=1) if change.timespan else correlation.timespan_us,
    )


def _with_reach(correlation: Correlation, inner: Mapping[tuple[str, str], Correlation]) -> Correlation:
    """As it is, but knowing how far back the correlations that it listens to reach by now."""
    heard = [inner.get((correlation.playbook, each.rule)) for each in correlation.inputs]
    inputs = tuple(
        each if found is None or each.reach_us == 0 else replace(each, reach_us=found.timespan_us + found.reach_us)
        for each, found in zip(correlation.inputs, heard, strict=True)
    )
    return correlation if inputs == correlation.inputs else replace(correlation, inputs=inputs)


def _impossible(correlation: Correlation, change: Threshold) -> str:
    if correlation.timespan_us == 0 and correlation.tests == (("gte", 1),):
        return f'"{change.rule}" tells every match by itself and has no threshold'
    if correlation.kind.startswith("temporal") and change.tests:
        return f'"{change.rule}" waits for rules, not for a number; only its timespan can be adjusted'
    if correlation.kind in _COUNTED:
        floors = [bound + (op == "gt") for op, bound in change.tests if op in {"gt", "gte", "eq"}]
        if change.tests and max(floors, default=1) < 1:
            return "a group of which there is no event is never seen; count at least 1"
        if correlation.kind == "event_count" and max(floors, default=0) > MAX_EVENTS:
            return f"no more than {MAX_EVENTS} events of a group are remembered"
    return ""


def _no_playbook(node: Node, at: Sequence[Any], name: str, content: Content) -> Problem:
    return node.problem(tuple(at), f'there is no playbook "{name}"', did_you_mean(name, list(content.playbooks)))


def _names(correlation: Correlation) -> list[str]:
    return [each for each in (correlation.name or correlation.id, correlation.title) if each]
