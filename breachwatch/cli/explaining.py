"""Explanations for people, as a tree with a mark for each part; and as objects for programs."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.text import Text
from rich.tree import Tree

from breachwatch import wiring
from breachwatch.cli.common import WIDE, out, write_json
from breachwatch.detection.conditions import AllOf, AnyOf, Condition, Not
from breachwatch.detection.matching.explain import Explanation, Part

ExplainOption = Annotated[
    bool, typer.Option("--explain", help="Say why a record matches a rule or does not: each part, and what it saw.")
]
RecordOption = Annotated[
    list[int] | None, typer.Option("--record", min=0, help="Which record to explain, from 0; may be repeated.")
]
RuleOption = Annotated[
    str, typer.Option("--rule", help="Which rule to explain: id, name or title; else each that matches the record.")
]
_TOGETHER = {"all": "all of these", "any": "any of these", "not": "not this"}
_JOINED = {"all": "and", "any": "or"}
MAX_SHOWN = 160
"""Longest value shown to a person, in characters."""
MAX_LISTED = 6
"""Most values of one field shown to a person on its line; those that were found come first."""


def tell(explained: Iterable["wiring.Explained"], *, as_json: bool) -> None:
    """Every explanation, or what to do when there is none."""
    told = 0
    if not out.is_terminal:
        out.width = WIDE
    for each in explained:
        told += 1
        if as_json:
            write_json(_line(each))
        else:
            out.print(_tree(each), highlight=False)
    if not told and not as_json:
        out.print("No rule matches this record; name one with --rule to see why not.", highlight=False)


def _tree(explained: "wiring.Explained") -> Tree:
    told = explained.explanation
    verdict = "matches" if told.matches else "does not match"
    tree = Tree(
        Text.assemble(
            _mark(held=told.matches),
            (verdict, "green" if told.matches else "red"),
            "  ",
            (_plain(told.rule), "bold"),
            _plain(f"  record {explained.position:,} of {explained.file}"),
        ),
        guide_style="dim",
    )
    if not told.is_for_source:
        tree.add(Text.assemble(_mark(held=False), f"the rule's logsource is not for {told.source}"))
    if told.outcome != "event":
        tree.add(Text.assemble(_mark(held=False), f"the record is no event: {_plain(told.reason)}"))
        return tree
    if told.guard is not None:
        _grow(tree, told.guard, None, {}, "is it for such events? ")
    if told.condition is not None:
        _grow(tree, told.condition, explained.rule.condition, explained.selections)
    tree.add(Text(_plain(_glimpse(told)), "dim"))
    return tree


def _grow(
    tree: Tree, part: Part, condition: Condition | None, names: Mapping[Condition, str], before: str = ""
) -> None:
    name = names.get(condition, "") if condition is not None else ""
    start = Text.assemble(_mark(held=part.held), before, (_plain(name), "bold cyan"), ": " if name else "")
    if part.kind == "test":
        tree.add(start + _asked([part], ""))
    elif _is_one_question(part):
        tree.add(start + _asked(part.parts, _JOINED[part.kind]))
    else:
        branch = tree.add(start.append(_TOGETHER[part.kind]))
        for inner, asked in zip(part.parts, _parts_of(condition, len(part.parts)), strict=True):
            _grow(branch, inner, asked, names)


def _mark(*, held: bool) -> tuple[str, str]:
    return ("✓ ", "green") if held else ("✗ ", "red")


def _is_one_question(part: Part) -> bool:
    """Whether parts only ask one field for one text or another, so that they read better in one line."""
    if part.kind not in _JOINED or len(part.parts) < 2:
        return False
    return len({(each.kind, each.field, _verb(each)) for each in part.parts}) == 1 and bool(_verb(part.parts[0]))


def _verb(part: Part) -> str:
    """How a test begins to ask for a quoted text, such as `ends with`; empty where it asks otherwise."""
    before, quote, after = part.wanted.partition('"')
    return before.strip() if quote and after.endswith('"') and part.field is not None else ""


def _parts_of(condition: Condition | None, count: int) -> Sequence[Condition | None]:
    """The parts of a condition, in the order of an explanation's."""
    match condition:
        case AllOf(parts=parts) | AnyOf(parts=parts) if len(parts) == count:
            return parts
        case Not(part=part):
            return (part,)
    return (None,) * count


def _asked(parts: Sequence[Part], joined: str) -> Text:
    """What tests of one field ask, and what they saw."""
    part = parts[0]
    if part.field is None:
        told = Text(f"any value {_plain(part.wanted)}")
        return told if part.held else _with_saw(told, ", ".join(map(str, part.saw or ())) or "nothing", held=False)
    told = Text(_plain(f"{part.field} {_verb(part)}".rstrip() if joined else part.field) + " ")
    for at, each in enumerate(_foremost(parts)):
        told.append(f" {joined} " if at else "")
        told.append(_plain(each.wanted.removeprefix(_verb(each)).strip() if joined else each.wanted))
    if len(parts) > MAX_LISTED:
        told.append(f" {joined} {len(parts) - MAX_LISTED:,} more")
    saw = _with_saw(told, _shown(part.saw), held=any(each.held for each in parts))
    return saw.append(_plain(f" in {part.path}"), "dim") if part.path and part.path != part.field else saw


def _foremost(parts: Sequence[Part]) -> Sequence[Part]:
    """As many as are shown, in their order; where some must be left out, those that hold come first."""
    if len(parts) <= MAX_LISTED:
        return parts
    return sorted(parts, key=lambda each: not each.held)[:MAX_LISTED]


def _with_saw(told: Text, saw: str, *, held: bool) -> Text:
    return told.append(", saw ", "dim").append(_plain(saw), "green" if held else "red")


def _plain(text: str) -> str:
    """A text out of a log or a rule without control characters."""
    return "".join(char if char.isprintable() else "�" for char in text)


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


def _glimpse(told: Explanation) -> str:
    return told.lines()[-1].strip()


def _line(explained: "wiring.Explained") -> dict[str, Any]:
    told = explained.explanation
    condition = explained.rule.condition
    return {
        "record": explained.position,
        "file": str(explained.file),
        "rule": explained.rule.id,
        "title": told.rule,
        "matches": told.matches,
        "outcome": told.outcome,
        **({"reason": told.reason} if told.reason else {}),
        "for_source": told.is_for_source,
        **({"guard": _object(told.guard, None, {})} if told.guard else {}),
        **({"condition": _object(told.condition, condition, explained.selections)} if told.condition else {}),
        "scan": {"sought": told.glimpse.sought, "passes": told.glimpse.passes},
    }


def _object(part: Part, condition: Condition | None, names: Mapping[Condition, str]) -> dict[str, Any]:
    told: dict[str, Any] = {"kind": part.kind, "held": part.held}
    if condition is not None and condition in names:
        told["selection"] = names[condition]
    if part.kind == "test":
        return {**told, "field": part.field, "path": part.path, "wanted": part.wanted, "saw": part.saw}
    return {**told, "parts": list(_objects(part, condition, names))}


def _objects(part: Part, condition: Condition | None, names: Mapping[Condition, str]) -> Iterator[dict[str, Any]]:
    for inner, asked in zip(part.parts, _parts_of(condition, len(part.parts)), strict=True):
        yield _object(inner, asked, names)
