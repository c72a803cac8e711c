"""Which techniques of MITRE ATT&CK the rules of a folder are about, as their authors tagged them.

A tag says what a rule is for, not how well it finds it: a layer shows where there is nothing at all.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from breachwatch.detection.trying.lint import LEVELS, sigma_files
from breachwatch.kernel.errors import ContentError
from breachwatch.kernel.yaml import read_all

_TECHNIQUE = re.compile(r"attack\.(t\d{4}(?:\.\d{3})?)", re.IGNORECASE)
_TACTIC = re.compile(r"attack\.([a-z]+(?:[-_][a-z]+)*)")
_NO_TACTIC = ("group", "software")
_GRADIENT = ("#e7f0fa", "#08519c")


@dataclass(frozen=True, slots=True)
class Tagged:
    """A rule or correlation with its tags. `level` as written, empty when it has none."""

    path: str
    title: str
    level: str
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Covered:
    """A technique, such as `T1110.004`: the rules tagged with it and the most serious of their levels."""

    technique: str
    titles: tuple[str, ...]
    level: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the tags of some rules say. `tactics`: name to number of rules; `untagged`: rules that name no technique."""

    rules: int
    techniques: tuple[Covered, ...]
    tactics: Mapping[str, int]
    untagged: tuple[Tagged, ...]


def read_tags(tree: Mapping[str, bytes]) -> list[Tagged]:
    """Every rule and correlation of a tree with its tags; files that cannot be read are left out."""
    found: list[Tagged] = []
    for path in sigma_files(tree):
        try:
            nodes = read_all(tree[path], path)
        except ContentError:
            continue
        for node in nodes:
            data = node.data
            if isinstance(data, dict) and ("detection" in data or "correlation" in data):
                tags = data.get("tags")
                kept = tuple(each for each in tags if isinstance(each, str)) if isinstance(tags, list) else ()
                found.append(Tagged(path, str(data.get("title") or path), str(data.get("level") or ""), kept))
    return found


def coverage(rules: Sequence[Tagged]) -> Coverage:
    """Techniques by id, tactics by name, and who is tagged with none."""
    by_technique: dict[str, list[Tagged]] = {}
    tactics: dict[str, int] = {}
    untagged: list[Tagged] = []
    for rule in rules:
        named = list(dict.fromkeys(_techniques(rule.tags)))
        for technique in named:
            by_technique.setdefault(technique, []).append(rule)
        for tactic in dict.fromkeys(_tactics(rule.tags)):
            tactics[tactic] = tactics.get(tactic, 0) + 1
        if not named:
            untagged.append(rule)
    techniques = tuple(
        Covered(technique, tuple(rule.title for rule in by_technique[technique]), _highest(by_technique[technique]))
        for technique in sorted(by_technique)
    )
    return Coverage(len(rules), techniques, dict(sorted(tactics.items())), tuple(untagged))


def navigator_layer(found: Coverage, name: str) -> dict[str, Any]:
    """The coverage as a layer for ATT&CK Navigator; a technique's score is its number of rules.

    Source: ATT&CK Navigator, layer file format 4.5.
    """
    most = max((len(each.titles) for each in found.techniques), default=1)
    parents = {each.technique.partition(".")[0] for each in found.techniques if "." in each.technique}
    listed = {each.technique for each in found.techniques}
    opened = [_technique(each, open_=each.technique in parents) for each in found.techniques]
    opened += [{"techniqueID": each, "showSubtechniques": True} for each in sorted(parents - listed)]
    return {
        "name": name,
        "versions": {"navigator": "5.1.0", "layer": "4.5"},
        "domain": "enterprise-attack",
        "description": f"{found.rules} rules, {len(found.techniques)} techniques",
        "sorting": 3,
        "hideDisabled": False,
        "techniques": opened,
        "gradient": {"colors": list(_GRADIENT), "minValue": 0, "maxValue": most},
        "legendItems": [{"label": "number of rules", "color": _GRADIENT[1]}],
        "showTacticRowBackground": False,
        "selectTechniquesAcrossTactics": True,
        "selectSubtechniquesWithParent": False,
    }


def _technique(covered: Covered, *, open_: bool) -> dict[str, Any]:
    return {
        "techniqueID": covered.technique,
        "score": len(covered.titles),
        "comment": "\n".join(covered.titles),
        "enabled": True,
        "metadata": [{"name": "highest level", "value": covered.level or "none"}],
        "showSubtechniques": open_,
    }


def _techniques(tags: Iterable[str]) -> Iterator[str]:
    for tag in tags:
        if found := _TECHNIQUE.fullmatch(tag):
            yield found[1].upper()


def _tactics(tags: Iterable[str]) -> Iterator[str]:
    for tag in tags:
        found = _TACTIC.fullmatch(tag)
        if found and found[1] not in _NO_TACTIC:
            yield found[1].replace("_", "-")


def _highest(rules: Iterable[Tagged]) -> str:
    known = [rule.level for rule in rules if rule.level in LEVELS]
    return max(known, key=LEVELS.index, default="")
