"""Explanations for people, as a tree with a mark for each part; and as objects for programs."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.tree import Tree

from breachwatch import wiring
from breachwatch.cli.common import WIDE, out, printable, write_json
from breachwatch.detection.conditions import AllOf, AnyOf, Condition, Not
from breachwatch.detection.explain import Explanation, Part

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
MAX_SHOWN = 160
"""Longest value shown to a person, in characters."""


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
    verdict = "[green]✓ matches[/]" if told.matches else "[red]✗ does not match[/]"
    place = f"record {explained.position:,} of {explained.file}"
    tree = Tree(f"{verdict}  [bold]{printable(told.rule)}[/]  {printable(place)}")
    if not told.is_for_source:
        tree.add(f"[red]✗[/] the rule's logsource is not for {told.source}")
    if told.outcome != "event":
        tree.add(f"[red]✗[/] the record is no event: {printable(told.reason)}")
        return tree
    if told.guard is not None:
        _grow(tree, told.guard, None, {}, "is it for such events? ")
    if told.condition is not None:
        _grow(tree, told.condition, explained.rule.condition, explained.selections)
    tree.add(f"[dim]{printable(_glimpse(told))}[/]")
    return tree


def _grow(
    tree: Tree, part: Part, condition: Condition | None, names: Mapping[Condition, str], before: str = ""
) -> None:
    mark = "[green]✓[/]" if part.held else "[red]✗[/]"
    name = names.get(condition, "") if condition is not None else ""
    named = f"{before}[bold cyan]{printable(name)}[/]: " if name else before
    if part.kind == "test":
        tree.add(f"{mark} {named}{printable(_asked(part))}")
        return
    branch = tree.add(f"{mark} {named}{_TOGETHER[part.kind]}")
    for inner, asked in zip(part.parts, _parts_of(condition, len(part.parts)), strict=True):
        _grow(branch, inner, asked, names)


def _parts_of(condition: Condition | None, count: int) -> Sequence[Condition | None]:
    """The parts of a condition, in the order of an explanation's."""
    match condition:
        case AllOf(parts=parts) | AnyOf(parts=parts) if len(parts) == count:
            return parts
        case Not(part=part):
            return (part,)
    return (None,) * count


def _asked(part: Part) -> str:
    if part.field is None:
        saw = "" if part.held else f", saw {', '.join(map(str, part.saw or ())) or 'nothing'}"
        return f"any value {part.wanted}{saw}"
    where = f" in {part.path}" if part.path and part.path != part.field else ""
    return f"{part.field} {part.wanted}, saw {_shown(part.saw)}{where}"


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
