"""Look-ups in native events as the text of Python functions, compiled once: for what every record goes through.

One function that names its fields needs no loop and no call for each: they were 0.7 us of the 3.8 that parsing a record
took. All that differs between two texts is names of fields, written as Python literals.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from breachwatch.sources.source import Path, pick


def look_up(path: Path, into: str) -> list[str]:
    """Statements that put what `pick(fields, path)` finds into a variable."""
    if len(path) == 1:
        return [f"{into} = fields.get({path[0]!r})"]
    if len(path) > 2:
        return [f"{into} = pick(fields, {path!r})"]
    first, second = path
    literal = f"{first}.{second}"
    return [
        f"inner = fields.get({first!r})",
        f"if type(inner) is dict and {literal!r} not in fields:",
        f"    {into} = inner.get({second!r})",
        "else:",
        f"    {into} = fields.get({literal!r}) if inner is None else pick(fields, {path!r})",
    ]


def under(condition: str, statements: Sequence[str]) -> list[str]:
    """Statements within an `if`, or whatever else ends in a colon."""
    return [condition, *(f"    {line}" for line in statements)]


def made(arguments: str, statements: Sequence[str], known: Mapping[str, Any]) -> Any:
    """The function of these statements.

    Args:
        arguments: their names, with commas between.
        statements: its body, a line each; field names stand in it only as literals (`repr`).
        known: what else it may call by name, beside `pick`.
    """
    text = "\n".join(under(f"def function({arguments}):", statements))
    names: dict[str, Any] = {"pick": pick, **known}
    exec(compile(text, "<look-ups of a source>", "exec"), names)  # noqa: S102 - text of this package, names as literals
    return names["function"]
