"""From false positives to a Sigma filter that a person can read and judge.

What is sought: equal values, beginnings and ends of values that many false positives share and no true positive has.
The fewest such descriptions that cover the false positives are proposed, each narrowed by what else its false positives
have in common, so that it hides no more than it must. Nothing is proposed that any true positive fits.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal
from uuid import NAMESPACE_URL, uuid5

import yaml

from breachwatch.detection.matching.predicates import text_of

MAX_SELECTIONS = 5
MAX_FIELDS = 3
MIN_LENGTH = 4
"""Shortest beginning or end worth describing a value by."""
_MOST_VALUES = 2_000
_SEPARATORS = re.compile(r"[/\\ .:@=,;-]+")
_PASSING = re.compile(
    r"\d+(\.\d+)?|0x[0-9a-fA-F]+|\{?[0-9a-fA-F]{8}-[0-9a-fA-F-]{27,}\}?|\d{4}-\d\d-\d\d[T ].*|[0-9a-fA-F]{16,}"
)
"""Values that name one occasion: numbers, ids, instants. They would describe the past only."""

_ESCAPED = re.compile(r"(\\*)([*?])|\\{2,}")

Form = Literal["", "startswith", "endswith"]


@dataclass(frozen=True, slots=True)
class Trait:
    """A field that has a value, begins with one, or ends with one; capitals do not matter."""

    field: str
    form: Form
    value: str

    def holds(self, values: Mapping[str, tuple[str, ...]]) -> bool:
        """Whether an event, by its fields' lower-case texts, has the trait."""
        wanted = self.value.lower()
        found = values.get(self.field, ())
        match self.form:
            case "startswith":
                return any(each.startswith(wanted) for each in found)
            case "endswith":
                return any(each.endswith(wanted) for each in found)
            case _:
                return wanted in found

    @property
    def key(self) -> str:
        """As Sigma writes the field with its modifier."""
        return f"{self.field}|{self.form}" if self.form else self.field


@dataclass(frozen=True, slots=True)
class Selection:
    """Traits that an event must all have, and which of the false positives do (by place)."""

    traits: tuple[Trait, ...]
    covers: frozenset[int]


@dataclass(frozen=True, slots=True)
class Proposal:
    """What would set false positives aside. `left`: places of those that nothing describes apart from the true ones."""

    selections: tuple[Selection, ...]
    left: tuple[int, ...]


def flattened(fields: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """An event's fields by dotted name, each with its texts in lower case; a list is several."""
    found: dict[str, list[str]] = {}
    for name, text in _leaves(fields, ""):
        found.setdefault(name, []).append(text.lower())
    return {name: tuple(texts) for name, texts in found.items()}


def propose(false: Sequence[Mapping[str, Any]], true: Sequence[Mapping[str, Any]]) -> Proposal:
    """The fewest selections that fit as many false positives as possible and no true positive.

    Args:
        false: native fields of the events that alerted for nothing.
        true: native fields of those that must go on alerting.
    """
    wrong, right = [flattened(each) for each in false], [flattened(each) for each in true]
    written = _written(false)
    cover = _cover(wrong, right, written)
    left = set(range(len(wrong)))
    selections: list[Selection] = []
    while left and len(selections) < MAX_SELECTIONS and cover:
        best = max(cover, key=lambda trait: (len(cover[trait] & left), *_plainness(trait)))
        gained = cover[best] & left
        if not gained:
            break
        traits = _narrowed(best, cover[best], wrong, right, written)
        selections.append(Selection(traits, frozenset(cover[best])))
        left -= gained
    return Proposal(tuple(selections), tuple(sorted(left)))


def _cover(
    wrong: Sequence[Mapping[str, tuple[str, ...]]],
    right: Sequence[Mapping[str, tuple[str, ...]]],
    written: Mapping[tuple[str, str], str],
) -> dict[Trait, set[int]]:
    """Every trait that no true positive has, with the false positives that have it."""
    found: dict[Trait, set[int]] = {}
    for field in sorted({field for each in wrong for field in each}):
        own = {text for each in wrong for text in each.get(field, ())}
        if len(own) > _MOST_VALUES:
            continue
        for trait in _traits(field, sorted(own), written):
            if not any(trait.holds(each) for each in right):
                found[trait] = {at for at, each in enumerate(wrong) if trait.holds(each)}
    return found


def _traits(field: str, texts: Sequence[str], written: Mapping[tuple[str, str], str]) -> Iterator[Trait]:
    """Values of a field, then what at least two of its values begin or end with."""
    begins: dict[str, int] = {}
    ends: dict[str, int] = {}
    for text in texts:
        if _PASSING.fullmatch(text):
            continue
        shown = written.get((field, text), text)
        yield Trait(field, "", shown)
        for cut in _SEPARATORS.finditer(text):
            if cut.end() >= MIN_LENGTH and cut.end() < len(text):
                begins[shown[: cut.end()]] = begins.get(shown[: cut.end()], 0) + 1
            if len(text) - cut.start() >= MIN_LENGTH and cut.start() > 0:
                ends[shown[cut.start() :]] = ends.get(shown[cut.start() :], 0) + 1
    forms: tuple[tuple[Form, dict[str, int]], ...] = (("startswith", begins), ("endswith", ends))
    for form, counted in forms:
        yield from (Trait(field, form, value) for value, count in counted.items() if count > 1)


def _narrowed(
    trait: Trait,
    covers: set[int],
    wrong: Sequence[Mapping[str, tuple[str, ...]]],
    right: Sequence[Mapping[str, tuple[str, ...]]],
    written: Mapping[tuple[str, str], str],
) -> tuple[Trait, ...]:
    """The trait with up to two more that all it covers share, those that the fewest true positives have first."""
    first, *others = [wrong[at] for at in sorted(covers)]
    shared: list[tuple[int, str, Trait]] = []
    for field, texts in first.items():
        if field == trait.field:
            continue
        for text in texts:
            alike = Trait(field, "", written.get((field, text), text))
            if _PASSING.fullmatch(text) or trait.value.lower() in text or text in trait.value.lower():
                break
            if all(alike.holds(each) for each in others):
                having = sum(alike.holds(each) for each in right)
                if having < len(right):
                    shared.append((having, field, alike))
                break
    shared.sort(key=lambda each: each[:2])
    return (trait, *(alike for _, _, alike in shared[: MAX_FIELDS - 1]))


def _plainness(trait: Trait) -> tuple[bool, int, int, list[int]]:
    """Of traits that cover as much: a value before a part of one, names before prose, the longer part, then by name."""
    words = trait.value.count(" ")
    return trait.form == "", -words, len(trait.value) if trait.form else 0, [-ord(char) for char in trait.field]


def _written(events: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], str]:
    """How a text was written, by field and its lower case."""
    found: dict[tuple[str, str], str] = {}
    for event in events:
        for name, text in _leaves(event, ""):
            if len(text.lower()) == len(text):
                found.setdefault((name, text.lower()), text)
    return found


def _leaves(value: Any, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list):
        for member in value:
            yield from _leaves(member, name)
    elif (text := text_of(value)) is not None and text:
        yield name, text


def filter_document(
    proposal: Proposal, *, rule: str, title: str, logsource: Mapping[str, str], on: date, false: int
) -> str:
    """The proposal as a Sigma filter, ready for a file beside the rules.

    Args:
        proposal: with at least one selection.
        rule: what the filter refers to: the rule's id, or its name.
        title: the rule's.
        logsource: the rule's.
        on: the filter's date.
        false: how many false positives there were.

    Source: Sigma filters 2.1.0.
    """
    names = ["selection"] if len(proposal.selections) == 1 else [f"selection_{n}" for n in _numbers(proposal)]
    selections = {
        name: {each.key: _escaped(each.value) for each in selection.traits}
        for name, selection in zip(names, proposal.selections, strict=True)
    }
    covered = false - len(proposal.left)
    document = {
        "title": f"Known and harmless: {title}"[:256],
        "id": str(uuid5(NAMESPACE_URL, f"{rule} {selections}")),
        "status": "test",
        "description": f"Fits {covered} of {false} events that were marked as false positives of this rule.",
        "date": on.isoformat(),
        "logsource": dict(logsource),
        "filter": {
            "rules": [rule],
            **selections,
            "condition": "not selection" if len(names) == 1 else "not 1 of selection_*",
        },
    }
    text: str = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=110)
    return text


def _numbers(proposal: Proposal) -> range:
    return range(1, len(proposal.selections) + 1)


def _escaped(value: str) -> str:
    r"""A text as Sigma writes it: wildcards and what could be read as an escape get a backslash.

    Source: Sigma rules 2.1.0, "Escaping": a backslash needs another one before a wildcard or a backslash only.
    """
    return _ESCAPED.sub(lambda run: run[1] * 2 + "\\" + run[2] if run[2] else run[0] * 2, value)
