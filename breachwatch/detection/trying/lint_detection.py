"""What a Sigma rule asks of events, held against the specification: selections, modifiers, values, condition."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any, Literal, cast

from sigma.conditions import SigmaCondition
from sigma.exceptions import SigmaError

from breachwatch.kernel.shapes import did_you_mean
from breachwatch.kernel.yaml import KeyPath

TIME_PARTS = ("minute", "hour", "day", "week", "month", "year")
MODIFIERS = (
    *("contains", "startswith", "endswith", "all", "cased", "exists", "fieldref", "expand", "neq"),
    *("re", "i", "m", "s", "ignorecase", "multiline", "dotall", "cidr", "lt", "lte", "gt", "gte"),
    *("base64", "base64offset", "wide", "utf16", "utf16le", "utf16be", "windash"),
    *TIME_PARTS,
)
_FLAGS = ("i", "m", "s", "ignorecase", "multiline", "dotall")
_COMPARISONS = ("lt", "lte", "gt", "gte")
_ENCODINGS = ("wide", "utf16", "utf16le", "utf16be")
_RESERVED = ("condition", "timeframe")
_OPERATORS = ("and", "or", "not", "of", "them", "all", "any", "near", "by", "1")
_WORD = re.compile(r"[\w.*?-]+")


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault at a key path of its document; `key`: of the key there, not of its value."""

    check: str
    at: KeyPath
    message: str
    hint: str = ""
    key: bool = False
    severity: Literal["error", "warning"] = "error"


def detection_faults(detection: Any) -> Iterator[Fault]:
    """Everything wrong with a `detection`."""
    at: KeyPath = ("detection",)
    if not isinstance(detection, dict):
        yield Fault("shape", at, "`detection` must be a mapping with selections and a `condition`")
        return
    if "condition" not in detection:
        yield Fault("required", at, "a detection needs a `condition`")
    if "timeframe" in detection:
        hint = "write a document with `correlation:` and its `timespan`"
        yield Fault("timeframe", (*at, "timeframe"), "`timeframe` is not Sigma any more", hint, key=True)
    selections = [name for name in detection if name not in _RESERVED]
    if not selections:
        yield Fault("required", at, "a detection needs at least one selection")
    for name in selections:
        yield from _selection(detection[name], (*at, name))
    if "condition" in detection:
        yield from _condition(detection, selections, (*at, "condition"))


def filter_faults(given: Any) -> Iterator[Fault]:
    """Everything wrong with a `filter`."""
    at: KeyPath = ("filter",)
    if not isinstance(given, dict):
        yield Fault("shape", at, "`filter` must be a mapping with `rules`, a selection and a `condition`")
        return
    for key in ("rules", "condition"):
        if key not in given:
            yield Fault("required", at, f"a filter needs `{key}`")
    selections = [name for name in given if name not in ("rules", "condition")]
    if not selections:
        yield Fault("required", at, "a filter needs a selection")
    for name in selections:
        yield from _selection(given[name], (*at, name))
    if "condition" in given:
        yield from _condition(given, selections, (*at, "condition"))


def _selection(given: Any, at: KeyPath) -> Iterator[Fault]:
    if given is None or given in ({}, []):
        yield Fault("empty", at, f'selection "{at[-1]}" is empty')
    elif isinstance(given, dict):
        for key, value in given.items():
            yield from _item(str(key), value, (*at, key))
    elif isinstance(given, list):
        for index, member in enumerate(given):
            if isinstance(member, dict | list):
                yield from _selection(member, (*at, index))


def _item(key: str, value: Any, at: KeyPath) -> Iterator[Fault]:
    field, *modifiers = key.split("|")
    for each in modifiers:
        if each not in MODIFIERS:
            yield Fault("modifier", at, f'unknown modifier "{each}"', did_you_mean(each, MODIFIERS), key=True)
    values = value if isinstance(value, list) else [value]
    if any(isinstance(each, dict | list) for each in values):
        yield Fault("value", at, f'"{key}" must have a value or a list of values')
        return
    if value == []:
        yield Fault("empty", at, f'"{key}" lists no value')
    yield from _modifiers(field, modifiers, values, at)
    for number, each in enumerate(values):
        message = _value(modifiers, each)
        if message:
            yield Fault("value", (*at, number) if isinstance(value, list) else at, message)


def _modifiers(field: str, modifiers: Sequence[str], values: Sequence[Any], at: KeyPath) -> Iterator[Fault]:
    if "all" in modifiers and len(values) < 2:
        yield Fault("all", at, f'"{field}" asks for all of one value', "leave |all out", key=True, severity="warning")
    for flag in set(modifiers) & set(_FLAGS):
        if "re" not in modifiers[: modifiers.index(flag)]:
            yield Fault("modifier", at, f"|{flag} only goes behind |re", key=True)
    for encoding in set(modifiers) & set(_ENCODINGS):
        if not {"base64", "base64offset"} & set(modifiers[modifiers.index(encoding) :]):
            hint = f"|{encoding}|base64offset|contains"
            yield Fault("modifier", at, f"|{encoding} only makes sense before |base64", hint, key=True)
    if "base64offset" in modifiers and "contains" not in modifiers:
        yield Fault("modifier", at, "|base64offset is sought inside of a text", "add |contains", key=True)
    texts = [each.lower() for each in values if isinstance(each, str)]
    if "cased" not in modifiers and "re" not in modifiers and not {"base64", "base64offset"} & set(modifiers):
        doubles = sorted({each for each in texts if texts.count(each) > 1})
        for each in doubles:
            yield Fault("double", at, f'"{each}" is listed twice', key=True, severity="warning")


def _value(modifiers: Sequence[str], value: Any) -> str:
    """What is wrong with a value under these modifiers; empty when nothing is."""
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    if set(modifiers) & set(_COMPARISONS) and not numeric:
        return f'"{value}" is no number to compare with'
    if set(modifiers) & set(TIME_PARTS) and not isinstance(value, int):
        return f'"{value}" is no whole number'
    if "exists" in modifiers and not isinstance(value, bool):
        return f'|exists is true or false, not "{value}"'
    if "fieldref" in modifiers and not isinstance(value, str):
        return f'"{value}" is no name of a field'
    if "cidr" in modifiers and "expand" not in modifiers:
        try:
            ip_network(str(value))
        except ValueError:
            return f'"{value}" is no network in CIDR notation'
    if "re" in modifiers and "expand" not in modifiers:
        try:
            re.compile(str(value))
        except (re.error, OverflowError, RecursionError) as error:
            return f"no regular expression: {error}"
    return ""


def _condition(detection: Mapping[str, Any], selections: Sequence[str], at: KeyPath) -> Iterator[Fault]:
    written = detection["condition"]
    texts = written if isinstance(written, list) else [written]
    if not texts or not all(isinstance(text, str) and text.strip() for text in texts):
        yield Fault("condition", at, "the `condition` must be a text that combines selections")
        return
    used: set[str] = set()
    for text in texts:
        before, bar, _ = str(text).partition("|")
        if bar:
            hint = "write a document with `correlation:`, `type: event_count` or `value_count`"
            yield Fault("condition", at, "counting behind `|` is not Sigma any more", hint)
        named, faults = _named(before, selections, at)
        used |= named
        yield from faults
        if not faults and not bar:
            yield from _syntax(before, at)
    for name in selections:
        if name not in used:
            place = (*at[:-1], name)
            message = f'selection "{name}" is in no condition'
            yield Fault("unused", place, message, "use it, or take it out", key=True, severity="warning")


def _named(text: str, selections: Sequence[str], at: KeyPath) -> tuple[set[str], list[Fault]]:
    """The selections that a condition uses, and faults of names that nobody has."""
    words = _WORD.findall(text)
    used: set[str] = set()
    faults: list[Fault] = []
    for place, word in enumerate(words):
        behind_of = place > 0 and words[place - 1].lower() == "of"
        if behind_of and word == "them":
            used.update(name for name in selections if not name.startswith("_"))
        elif behind_of:
            pattern = re.escape(word).replace(r"\*", ".*").replace(r"\?", ".")
            found = {name for name in selections if re.fullmatch(pattern, name)}
            if not found:
                hint = did_you_mean(word.strip("*_"), selections)
                faults.append(Fault("condition", at, f'no selection is called like "{word}"', hint))
            used |= found
        elif word in selections:
            used.add(word)
        elif word.lower() not in _OPERATORS:
            hint = did_you_mean(word, selections)
            faults.append(Fault("condition", at, f'the condition names "{word}", which is no selection', hint))
    return used, faults


def _syntax(text: str, at: KeyPath) -> Iterator[Fault]:
    try:
        SigmaCondition(text, cast(Any, None)).parse(postprocess=False)
    except SigmaError as error:
        yield Fault("condition", at, f"cannot read the condition: {error}")
    except RecursionError:
        yield Fault("condition", at, "the condition is nested too deeply")
