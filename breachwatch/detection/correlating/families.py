"""Families: correlations that refer to each other, and what all their groups have in common.

What a family counts for one value of its *key* never meets what it counts for another, so families may be divided by
key among any number of correlators. The key is made of those group fields that every correlation of the family has,
aliases resolved; a family without any is counted in one place.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from breachwatch.detection.correlating.signals import Address
from breachwatch.detection.playbooks.content import Content
from breachwatch.detection.rules import Correlation, Input
from breachwatch.kernel.ids import derive

Position = tuple[Address, int]
"""One of the fields that a correlation groups by: the correlation, and the field's place."""
_Node = TypeVar("_Node", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Entrance:
    """How the matches of one rule come into a family. `fields`: what they call each part of the key, in its order.

    `lenient`: a match without a part of the key has an empty value there, and is not left out.
    """

    fields: tuple[str, ...]
    lenient: bool


@dataclass(frozen=True, slots=True)
class Family:
    """Correlations that refer to each other, in order of content, so each after those it refers to.

    `name` stays the same for as long as its first correlation is divided by the same key: what was stored under it is
    then where it belongs. `entrances`: by rule. `key`: how many parts the key has.
    """

    name: str
    correlations: tuple[Correlation, ...]
    entrances: Mapping[Address, Entrance]
    key: int

    def content(self, whole: Content) -> Content:
        """The part of a content that its correlator needs."""
        rules = tuple(each for each in whole.rules if (each.playbook, each.id) in self.entrances)
        return replace(whole, rules=rules, correlations=self.correlations)


def families(content: Content) -> list[Family]:
    """Every family of the content, in the order of their first correlations."""
    rules = {(each.playbook, each.id) for each in content.rules}
    by_address = {address_of(each): each for each in content.correlations}

    def inner(correlation: Correlation, listened: Input) -> Correlation | None:
        """The correlation that an input is; None if it is a rule."""
        address = (correlation.playbook, listened.rule)
        if address in rules or address == address_of(correlation):
            return None
        return by_address.get(address)

    def links() -> Iterator[tuple[Address, Address]]:
        for each in content.correlations:
            for listened in each.inputs:
                target = inner(each, listened)
                if target is not None:
                    yield address_of(each), address_of(target)

    linked = _classes(by_address, links())
    found: dict[Address, list[Correlation]] = {}
    for address, correlation in by_address.items():
        found.setdefault(linked[address], []).append(correlation)
    return [_family(members, inner) for members in found.values()]


def address_of(correlation: Correlation) -> Address:
    """What a correlation is listened to by."""
    return correlation.playbook, correlation.id


_Inner = Callable[[Correlation, Input], Correlation | None]


def _family(members: Sequence[Correlation], inner: _Inner) -> Family:
    entering: dict[Address, list[tuple[Correlation, Input]]] = {}
    for each in members:
        for listened in each.inputs:
            if inner(each, listened) is None:
                entering.setdefault((each.playbook, listened.rule), []).append((each, listened))
    first = members[0]
    key = [each for each in _common(members, inner) if _is_plain(each, entering)]
    entrances = {
        rule: Entrance(tuple(_names(place, some)[0] for place in key), any(each.lenient for _, each in some))
        for rule, some in entering.items()
    }
    divided = [first.group[place] for part in key for address, place in part if address == address_of(first)]
    name = derive("f", first.playbook, first.id, *divided)
    return Family(name, tuple(members), entrances, len(key))


def _common(members: Sequence[Correlation], inner: _Inner) -> Iterator[list[Position]]:
    """The group fields that all members have, each as its places, in the order of the first member."""
    places = [(address_of(each), place) for each in members for place in range(len(each.group))]

    def links() -> Iterator[tuple[Position, Position]]:
        for each in members:
            for listened in each.inputs:
                target = inner(each, listened)
                for place, name in enumerate(listened.group if target is not None else ()):
                    if target is not None and name in target.group:
                        yield (address_of(each), place), (address_of(target), target.group.index(name))

    linked = _classes(places, links())
    parts: dict[Position, list[Position]] = {}
    for position in places:
        parts.setdefault(linked[position], []).append(position)
    for part in parts.values():
        if len({address for address, _ in part}) == len(members):
            yield part


def _is_plain(part: Sequence[Position], entering: Mapping[Address, Sequence[tuple[Correlation, Input]]]) -> bool:
    """Whether each rule has one field for a part of the key, which serves nothing else in the family.

    A match may then be narrowed to one value of it.
    """
    for some in entering.values():
        names = _names(part, some)
        if len(set(names)) != 1 or len({each.lenient for _, each in some}) != 1:
            return False
        if any(name == names[0] for name in _others(part, some)):
            return False
    return True


def _names(part: Sequence[Position], some: Sequence[tuple[Correlation, Input]]) -> list[str]:
    return [listened.group[place] for each, listened in some for address, place in part if address == address_of(each)]


def _others(part: Sequence[Position], some: Sequence[tuple[Correlation, Input]]) -> Iterator[str]:
    for each, listened in some:
        yield from listened.counted
        for place, name in enumerate(listened.group):
            if (address_of(each), place) not in part:
                yield name


def _classes(nodes: Iterable[_Node], links: Iterable[tuple[_Node, _Node]]) -> dict[_Node, _Node]:
    """Each node to the first of all those it is linked with, directly or through others."""
    order = {node: number for number, node in enumerate(nodes)}
    above = {node: node for node in order}

    def top(node: _Node) -> _Node:
        while above[node] != node:
            above[node] = above[above[node]]
            node = above[node]
        return node

    for left, right in links:
        first, second = sorted((top(left), top(right)), key=order.__getitem__)
        above[second] = first
    return {node: top(node) for node in order}
