"""The `detection` part of a Sigma rule as a condition tree; every fault with the place of its key or value.

pySigma applies modifiers to values; the walk is ours, for the places' sake.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import combinations
from math import comb
from typing import Any

from sigma.conditions import ConditionAND, ConditionOR
from sigma.modifiers import modifier_mapping, reverse_modifier_mapping
from sigma.rule import SigmaDetection, SigmaDetectionItem

from breachwatch.detection.conditions import AllOf, AnyOf, Condition, Not, Number, Text, Where, fields_of
from breachwatch.detection.sigma.expressions import compiled, sound
from breachwatch.detection.sigma.placeholders import NoValuesError, Placeholders, expanded
from breachwatch.detection.sigma.sigma_condition import (
    ConditionError,
    Expression,
    Joined,
    Name,
    Negated,
    Some,
    read_condition,
)
from breachwatch.detection.sigma.sigma_values import UnsupportedError, all_of, any_of, condition_of, item_of, no_values
from breachwatch.kernel.errors import Problem
from breachwatch.kernel.shapes import did_you_mean
from breachwatch.kernel.yaml import KeyPath, Node

_Value = tuple[KeyPath, Any, str]
"""Where a value stands, the value, and its text as written."""
MAX_WAYS = 512
"""Most combinations that `3 of them` may stand for."""
MAX_VALUES = 100_000
MAX_MODIFIERS = 16
MAX_HINTS = 20
MAX_FLOAT = 10**308
OURS = {"utf16le": "wide"}
"""Modifiers of the specification that pySigma knows by another name."""
MODIFIERS = frozenset({*modifier_mapping, *OURS})
_OF_TEXT = {"contains", "startswith", "endswith", "cased", "re", "cidr", "base64", "base64offset", "wide", "utf16"} | {
    *("utf16be", "windash", "fieldref", "expand")
}
_OF_NUMBER = {"lt", "lte", "gt", "gte", "minute", "hour", "day", "week", "month", "year"}
_SAID = {"yes": True, "no": False, "true": True, "false": False}
NOT_SELECTIONS = frozenset({"condition", "timeframe", "rules"})
"""Keys of a `detection` (or of a filter's `filter`) that name no selection."""


class DetectionReader:
    """Reads the detection of one document. `problems` grows; `fields` tells where each field was named.

    Args:
        node: the document.
        placeholders: the texts that its placeholders stand for.
        part: the key that holds the selections: `detection`, or a filter's `filter`.
        keeps_placeholders: those without texts are left for a pipeline to fill in.
    """

    def __init__(
        self,
        node: Node,
        placeholders: Placeholders | None = None,
        part: str = "detection",
        *,
        keeps_placeholders: bool = False,
    ) -> None:
        self.node = node
        self.problems: list[Problem] = []
        self.fields: list[tuple[str, KeyPath]] = []
        self.counted = ""
        """What stands behind the `|` of the condition, the old way of counting."""
        self.selections: dict[str, SigmaDetection] = {}
        """Each selection as pySigma understands it, modifiers applied."""
        self._part = part
        self._placeholders = placeholders or {}
        self._keeps_placeholders = keeps_placeholders
        self._places: dict[int, tuple[SigmaDetectionItem, KeyPath, list[_Value]]] = {}
        self._names: list[str] = []
        self._found: dict[str, Condition] = {}
        self._dropped: set[str] = set()
        self._values = 0

    def read(self) -> Condition | None:
        """The rule's condition; None when `problems` says why not."""
        if not self.walk():
            return None
        texts = self.texts()
        return self.decide(self.selections, texts) if texts else None

    def texts(self) -> list[str]:
        """The conditions, any of which may hold; none when `problems` says why not."""
        written = self.node.data[self._part].get("condition")
        texts = written if isinstance(written, list) else [written]
        if texts and all(isinstance(text, str) and text.strip() for text in texts):
            return texts
        self._refuse(self._at, "a rule needs a `condition` that combines its selections")
        return []

    def walk(self) -> bool:
        """Read the selections; False where there is no mapping that could hold any."""
        detection = self.node.data.get(self._part)
        if not isinstance(detection, dict):
            self._refuse((self._part,), f"a rule needs a `{self._part}` mapping with selections and a `condition`")
            return False
        self._names = [name for name in detection if name not in NOT_SELECTIONS]
        for name in self._names:
            made = self._definition(detection[name], (self._part, name))
            if made is not None:
                self.selections[name] = made
        return True

    def decide(self, selections: Mapping[str, SigmaDetection], texts: Sequence[str]) -> Condition | None:
        """The condition over selections; None when `problems` says why not.

        Args:
            selections: those that were read, perhaps changed by a pipeline since.
            texts: the conditions, any of which may hold.
        """
        self.fields = []
        for name, selection in selections.items():
            asked = self._asked(selection, (self._part, name))
            if asked is not None:
                self._found[name] = asked
        faulty = bool(self.problems)
        self._names = [name for name in selections if name in self._found] if not faulty else self._names
        self._dropped = set() if faulty else {name for name in selections if name not in self._found}
        return self._condition(texts)

    @property
    def _at(self) -> KeyPath:
        return (self._part, "condition")

    def _refuse(self, at: KeyPath, message: str, hint: str = "", *, key: bool = False) -> None:
        self.problems.append(self.node.problem(at, message, hint, key=key))

    def _definition(self, definition: Any, at: KeyPath) -> SigmaDetection | None:
        """A selection: a mapping (all must hold), a list of mappings (any), or keywords."""
        if isinstance(definition, dict) and definition:
            items = [self._item(key, value, (*at, key)) for key, value in definition.items()]
            return _detection([item for item in items if item is not None], ConditionAND)
        if isinstance(definition, list) and any(isinstance(member, dict | list) for member in definition):
            found = [self._definition(member, (*at, index)) for index, member in enumerate(definition)]
            return _detection([part for part in found if part is not None], ConditionOR)
        if definition in ({}, [], None):
            self._refuse(at, f'selection "{at[-1]}" is empty')
            return None
        item = self._item(None, definition, at)
        return None if item is None else _detection([item], ConditionAND)

    def _item(self, key: str | None, value: Any, at: KeyPath) -> SigmaDetectionItem | None:
        """One field with its modifiers and values, or keywords."""
        field, *modifiers = (key or "").split("|")
        if not self._sensible(key, modifiers, value, at):
            return None
        modifiers = [OURS.get(each, each) for each in modifiers]
        values, filled = self._prepared(field, modifiers, value, at)
        if values is None:
            return None
        named = "|".join([field, *(each for each in modifiers if each != "expand" or not filled)])
        name = None if key is None else named
        try:
            item = item_of(name, [each for _, each, _ in values])
        except UnsupportedError as error:
            self._refuse(_culprit(name, values, at), str(error))
            return None
        self._places[id(item)] = (item, at, values)  # kept alive, so that its id stays its own
        return item

    def _asked(self, selection: SigmaDetection, at: KeyPath) -> Condition | None:
        """What a selection asks; None where a pipeline left nothing of it, or `problems` says why not."""
        parts = [
            self._asked(each, at) if isinstance(each, SigmaDetection) else self._asked_of_item(each, at)
            for each in selection.detection_items
        ]
        known = [part for part in parts if part is not None]
        if not known:
            return None
        return all_of(known) if selection.item_linking is ConditionAND else any_of(known)

    def _asked_of_item(self, item: SigmaDetectionItem, at: KeyPath) -> Condition | None:
        _, at, values = self._places.get(id(item), (item, at, []))
        try:
            made = condition_of(item)
        except UnsupportedError as error:
            name = "|".join([item.field or "", *(reverse_modifier_mapping[each.__name__] for each in item.modifiers)])
            self._refuse(_culprit(name or None, values, at), str(error))
            return None
        made = _as_written(made, values)
        self.fields.extend((named, at) for named in sorted(fields_of(made)))
        return made

    def _sensible(self, key: str | None, modifiers: Sequence[str], value: Any, at: KeyPath) -> bool:
        if len(modifiers) > MAX_MODIFIERS:
            self._refuse(at, f"more than {MAX_MODIFIERS} modifiers", key=True)
            return False
        unknown = [each for each in modifiers if each not in MODIFIERS]
        for each in unknown:
            self._refuse(at, f'unknown modifier "{each}"', did_you_mean(each, MODIFIERS), key=True)
        members = value if isinstance(value, list) else [value]
        nested = any(isinstance(each, dict | list) for each in members)
        if nested:
            self._refuse(at, f'"{key}" must have a value or a list of values, not a mapping or nested list')
        self._values += len(members)
        if self._values > MAX_VALUES:
            self._refuse(at, f"more than {MAX_VALUES} values in one rule")
        return not unknown and not nested and self._values <= MAX_VALUES

    def _prepared(
        self, field: str, modifiers: Sequence[str], value: Any, at: KeyPath
    ) -> tuple[list[_Value] | None, bool]:
        """The values as pySigma is to see them, texts where modifiers want texts; and if placeholders are filled in."""
        members = [((*at, number), each) for number, each in enumerate(value)] if isinstance(value, list) else None
        made: list[_Value] = []
        expands = "expand" in modifiers
        for place, each in members if members is not None else [(at, value)]:
            written = self.node.written.get(place) or str(each)
            seen = _cast(modifiers, each, written) if field or type(each) not in {int, float} else written
            if not expands or not isinstance(seen, str):
                made.append((place, seen, written))
                continue
            try:
                texts = expanded(seen, self._placeholders, regex="re" in modifiers)
            except NoValuesError as error:
                if self._keeps_placeholders:
                    return [(at, each, str(each)) for each in (value if isinstance(value, list) else [value])], False
                hint = did_you_mean(error.name, self._placeholders) or "give them in a file of placeholders"
                self._refuse(place, no_values(error.name), hint)
                return None, False
            except OverflowError as error:
                self._refuse(place, str(error))
                return None, False
            made.extend((place, text, text) for text in texts)
        return made, True

    def _condition(self, texts: Sequence[str]) -> Condition | None:
        parts: list[Condition | None] = []
        for text in texts:
            try:
                expression, counted = read_condition(text)
            except ConditionError as error:
                self._refuse(self._at, f"cannot read the condition: {error}")
                return None
            if counted and len(texts) > 1:
                self._refuse(self._at, "a list of conditions cannot count", "write each as a rule of its own")
                return None
            self.counted = counted or self.counted
            left = _without(expression, self._dropped, self._names) if self._dropped else expression
            if left is None:
                self._refuse(self._at, "the pipeline leaves nothing of this condition")
                return None
            parts.append(self.condition_of(left))
        complete = [part for part in parts if part is not None]
        return any_of(complete) if len(complete) == len(parts) and not self.problems else None

    def condition_of(self, expression: Expression) -> Condition | None:
        """An expression over the selections; None when `problems` says why not."""
        match expression:
            case Name(name=name):
                return self._named(name)
            case Some(least=least, pattern=pattern):
                return self._selected(least, pattern)
            case Negated(part=part):
                inner = self.condition_of(part)
                return None if inner is None else Not(inner)
            case Joined(every=every, parts=parts):
                made = [self.condition_of(part) for part in parts]
                known = [part for part in made if part is not None]
                if len(known) < len(made):
                    return None
                return all_of(known) if every else any_of(known)

    def _named(self, name: str) -> Condition | None:
        if name in self._found:
            return self._found[name]
        if name not in self._names:
            hint = self._hint(name)
            self._refuse(self._at, f'the condition names "{name}", which is no selection', hint)
        return None

    def _hint(self, word: str) -> str:
        """The nearest selection, sought while that cannot take long."""
        few = len(self.problems) < MAX_HINTS and len(self._names) <= MAX_WAYS
        return did_you_mean(word, self._names) if few else ""

    def _selected(self, least: int | None, pattern: str) -> Condition | None:
        names = matching(pattern, self._names)
        if not names:
            hint = self._hint(pattern.strip("*_"))
            self._refuse(self._at, f'no selection is called like "{pattern}"', hint)
            return None
        parts = [self._found[name] for name in names if name in self._found]
        if len(parts) < len(names):
            return None
        least = len(parts) if least is None else least
        if least > len(parts):
            self._refuse(self._at, f'"{least} of {pattern}" cannot hold: only {len(parts)} selections are called so')
            return None
        if 1 < least < len(parts) and (len(parts) > MAX_WAYS or comb(len(parts), least) > MAX_WAYS):
            self._refuse(self._at, f'"{least} of {pattern}" stands for more than {MAX_WAYS} combinations')
            return None
        if least == 1 or least == len(parts):
            return any_of(parts) if least == 1 else all_of(parts)
        return AnyOf(tuple(all_of(some) for some in combinations(parts, least)))


def _without(expression: Expression, dropped: set[str], left: Sequence[str]) -> Expression | None:
    """What is left of an expression when a pipeline dropped all of some selections, as pySigma leaves it."""
    match expression:
        case Name(name=name):
            return None if name in dropped else expression
        case Some(pattern=pattern):
            return expression if matching(pattern, left) or not matching(pattern, sorted(dropped)) else None
        case Negated(part=part):
            kept = _without(part, dropped, left)
            return None if kept is None else Negated(kept)
        case Joined(every=every, parts=parts):
            several = tuple(kept for part in parts if (kept := _without(part, dropped, left)) is not None)
            return Joined(every, several) if len(several) > 1 else next(iter(several), None)


def _detection(
    parts: list[SigmaDetectionItem | SigmaDetection], linking: type[ConditionAND | ConditionOR]
) -> SigmaDetection | None:
    return SigmaDetection(parts, item_linking=linking) if parts else None


def _culprit(key: str | None, values: Sequence[_Value], at: KeyPath) -> KeyPath:
    """The place of the one value that cannot be taken; that of them all if each can alone."""
    for place, value, _ in values:
        try:
            condition_of(item_of(key, [value]))
        except UnsupportedError:
            return place
    return at


def matching(pattern: str, selections: Sequence[str]) -> list[str]:
    """Selections that a pattern names: `them` is all but those that begin with an underscore."""
    wanted = ".*" if pattern.lower() == "them" else ".*".join(map(re.escape, pattern.split("*")))
    hidden = pattern.startswith("_")
    fits = compiled(wanted, "s").fullmatch
    return [each for each in selections if (hidden or not each.startswith("_")) and fits(sound(each))]


def _cast(modifiers: Sequence[str], value: Any, written: str) -> Any:
    """A value as the kind that its modifiers ask of, where that is beyond doubt."""
    kind = type(value)
    if kind in {int, float, bool} and not _OF_TEXT.isdisjoint(modifiers):
        return written
    if kind is str and not _OF_NUMBER.isdisjoint(modifiers):
        return _number(value)
    if kind is str and "exists" in modifiers:
        return _SAID.get(value.lower(), value)
    return value


def _number(text: str) -> Any:
    try:
        return int(text) if text.strip().lstrip("-").isdigit() else float(text)
    except ValueError:
        return text


def _as_written(made: Condition, values: Sequence[_Value]) -> Condition:
    """A condition with its numbers as the rule writes them.

    Numbers that nobody else would write so (`0x1410`, `1.50`) are also texts; with leading zeros they are only texts.
    Whole numbers that no float can hold are exact again: pySigma rounds them.
    """
    numbers = {float(value): (value, written) for _, value, written in values if _is_odd(value, written)}
    if not numbers:
        return made

    def again(condition: Condition) -> Condition:
        match condition:
            case AllOf(parts=parts):
                return AllOf(tuple(again(part) for part in parts))
            case AnyOf(parts=parts):
                return AnyOf(tuple(again(part) for part in parts))
            case Not(part=part):
                return Not(again(part))
            case Where(field=field, wanted=Number(value=number)) if float(number) in numbers:
                exact, written = numbers[float(number)]
                if str(exact) == written:
                    return Where(field, Number(exact))
                text = Where(field, Text((written,)))
                return text if re.match(r"-?0\d", written) else AnyOf((Where(field, Number(exact)), text))
        return condition

    return again(made)


def _is_odd(value: Any, written: str) -> bool:
    return type(value) in {int, float} and abs(value) < MAX_FLOAT and (str(value) != written or float(value) != value)
