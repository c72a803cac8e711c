"""Several rules in one file that share what a document with `action: global` says.

`global` is merged into every rule that follows, `reset` forgets it, `repeat` makes the last rule again with what the
document adds. Where both say something, the `global` (or repeating) document has its way, as in pySigma.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from breachwatch.kernel.errors import Problem
from breachwatch.kernel.shapes import did_you_mean
from breachwatch.kernel.yaml import Node

ACTIONS = ("global", "reset", "repeat")
MAX_MERGED = 200_000
"""Most values that merging may make of one file, as many as it may hold: few bytes can ask for many copies of much."""


def rules_of(nodes: Sequence[Node]) -> Iterator[tuple[Node | Problem, bool]]:
    """Every document that is a rule of its own, each with whether it shares a `global` document; or what is wrong."""
    shared: Node | None = None
    last: Node | None = None
    merged = 0
    for node in nodes:
        if not isinstance(node.data, dict) or "action" not in node.data:
            stands_alone = not isinstance(node.data, dict) or "correlation" in node.data or "filter" in node.data
            made = node if stands_alone or shared is None else _merged(node, shared)
            last = last if stands_alone else made
        else:
            action = node.data["action"]
            if action == "global":
                shared = last = _without_action(node)
                continue
            if action == "reset":
                shared = None
                continue
            if action != "repeat" or last is None:
                yield _refused(node, action), False
                continue
            made = last = _merged(last, _without_action(node))
        merged += len(made.values) if made is not node else 0
        if merged > MAX_MERGED:
            yield node.problem((), f"merging what is shared would make more than {MAX_MERGED} values"), False
            return
        yield made, made is not node


def _refused(node: Node, action: Any) -> Problem:
    if action == "repeat":
        return node.problem(("action",), "there is no rule before this one to repeat")
    return node.problem(("action",), f'"{action}" is no action of a collection', did_you_mean(action, ACTIONS))


def _without_action(node: Node) -> Node:
    data = {key: value for key, value in node.data.items() if key != "action"}
    return Node(node.path, data, node.values, node.keys, node.written)


def _merged(node: Node, over: Node) -> Node:
    """A document with another laid over it; every part keeps its own place."""
    return Node(
        node.path,
        _laid(node.data, over.data),
        {**node.values, **over.values, (): node.place()},
        {**node.keys, **over.keys},
        {**node.written, **over.written},
    )


def _laid(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    made = dict(below)
    for key, value in above.items():
        under = made.get(key)
        made[key] = _laid(under, value) if isinstance(under, dict) and isinstance(value, dict) else value
    return made
