"""Strict YAML: plain data plus the address of every key and value, so that a mistake can be pointed at.

What people write in playbooks, rules and source definitions needs little of YAML; the rest of it surprises or harms.
So this reader takes the scalars of the YAML 1.2 core schema (`no` is a word, `2026-03-27` is text, `0o17` is a number)
and refuses anchors, aliases, merge keys, tags of one's own, duplicate keys, and what is too big or too deep.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from breachwatch.kernel.errors import ContentError, Problem

MAX_CHARACTERS = 1_048_576
MAX_DEPTH = 32
MAX_NODES = 200_000
MAX_DIGITS = 100

KeyPath = tuple[str | int, ...]
Place = tuple[int, int]

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"
_PYTHON_NAMES = {"null": "NoneType", "bool": "bool", "int": "int", "float": "float"}
_NUMBERS = {int, float, bool}
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", re.ASCII)
_FLOAT = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
_CONSTANTS: Mapping[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


@dataclass(frozen=True, slots=True)
class Node:
    """One YAML document: plain data (dict with text keys, list, str, int, float, bool, None) and its addresses.

    `values` and `keys` tell where the value and the key at a key path begin: line and column, both from 1. The key
    path of the whole document is `()`, that of `a: [x, y]`'s `y` is `("a", 1)`. `written`: the text of those numbers
    and truths that Python would write otherwise, such as `007`, `0x1F` or `true`.
    """

    path: str
    data: Any
    values: Mapping[KeyPath, Place] = field(default_factory=dict)
    keys: Mapping[KeyPath, Place] = field(default_factory=dict)
    written: Mapping[KeyPath, str] = field(default_factory=dict)

    def place(self, at: Sequence[str | int] = ()) -> Place:
        """Where the value at a key path begins; what is absent is looked for at its nearest known parent."""
        return _nearest(self.values, tuple(at))

    def key_place(self, at: Sequence[str | int]) -> Place:
        """Where the key at a key path stands; for members of lists and absent keys, as `place` says."""
        return self.keys.get(tuple(at)) or self.place(at)

    def problem(self, at: Sequence[str | int], message: str, hint: str = "", *, key: bool = False) -> Problem:
        """A fault of the value (or `key`) at a key path."""
        line, column = self.key_place(at) if key else self.place(at)
        return Problem(self.path, line, column, message, hint)


def read(text: str | bytes, path: str) -> Node:
    """Read a file of one document; an empty file is the document None.

    Args:
        text: what the file holds; bytes must be UTF-8.
        path: the file as people name it, for the problems.

    Raises:
        ContentError: bad syntax, or something that this reader refuses: every such place at once.
    """
    nodes = read_all(text, path)
    if len(nodes) > 1:
        raise ContentError([nodes[1].problem((), "a second document begins here, but this file must hold one")])
    return nodes[0] if nodes else Node(path, None, {(): (1, 1)})


def read_all(text: str | bytes, path: str) -> list[Node]:
    """Read a file of any number of documents, split by `---` lines.

    Raises:
        ContentError: as `read`.
    """
    builder = _Builder(path)
    try:
        decoded = text.decode("utf-8-sig") if isinstance(text, bytes) else text
        decoded.encode()
    except UnicodeError as error:
        raise ContentError([_not_utf8(text, path, error)]) from error
    if len(decoded) > MAX_CHARACTERS:
        raise ContentError([Problem(path, 0, 0, f"longer than {MAX_CHARACTERS} characters")])
    if problem := _bad_character(decoded, path):
        raise ContentError([problem])
    try:
        builder.build(yaml.parse(decoded, Loader=_LOADER))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        builder.problems.append(Problem(path, line, column, f"not YAML: {_syntax(error)}"))
    except yaml.YAMLError as error:
        builder.problems.append(
            Problem(path, 0, 0, f"not YAML: {str(error).splitlines()[0] if str(error) else error!r}")
        )
    except _TooMuchError as error:
        builder.problems.append(Problem(path, *error.place, str(error)))
    if builder.problems:
        raise ContentError(sorted(builder.problems, key=lambda found: (found.line, found.column)))
    return builder.nodes


class _TooMuchError(Exception):
    def __init__(self, message: str, place: Place) -> None:
        super().__init__(message)
        self.place = place


def _syntax(error: yaml.MarkedYAMLError) -> str:
    said = ", ".join(part for part in (error.context, error.problem) if part)
    return said or "malformed"


def _not_utf8(text: str | bytes, path: str, error: UnicodeError) -> Problem:
    if isinstance(text, str) or not isinstance(error, UnicodeDecodeError):
        return Problem(path, 0, 0, "holds characters that UTF-8 cannot write")
    before = text[: error.start]
    return Problem(path, before.count(b"\n") + 1, error.start - before.rfind(b"\n"), "not UTF-8")


def _bad_character(text: str, path: str) -> Problem | None:
    found = yaml.reader.Reader.NON_PRINTABLE.search(text)
    if found is None:
        return None
    before = text[: found.start()]
    return Problem(path, before.count("\n") + 1, len(before) - before.rfind("\n"), "a control character is not allowed")


def _nearest(places: Mapping[KeyPath, Place], at: KeyPath) -> Place:
    while at not in places:
        if not at:
            return (0, 0)
        at = at[:-1]
    return places[at]


@dataclass(slots=True)
class _Open:
    """A mapping or list whose end has not come yet; a mapping keeps the key that waits for its value."""

    at: KeyPath
    value: dict[str, Any] | list[Any]
    key: str | None = None


class _Builder:
    """Turns parser events into nodes without recursion, noting every refused place on the way."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.nodes: list[Node] = []
        self.problems: list[Problem] = []
        self._stack: list[_Open] = []
        self._count = 0
        self._values: dict[KeyPath, Place] = {}
        self._keys: dict[KeyPath, Place] = {}
        self._written: dict[KeyPath, str] = {}

    def build(self, events: Iterable[Any]) -> None:
        """Take the events of one file; what it finds is in `nodes` and `problems`."""
        for event in events:
            place = (event.start_mark.line + 1, event.start_mark.column + 1)
            if isinstance(event, yaml.DocumentStartEvent):
                self._values, self._keys, self._written = {}, {}, {}
            elif isinstance(event, yaml.AliasEvent):
                self._refuse(place, f"alias *{event.anchor} is not allowed", "write the value out again")
                self._take(place, None, event.anchor)
            elif isinstance(event, yaml.NodeEvent):
                self._node(event, place)
            elif isinstance(event, yaml.CollectionEndEvent):
                self._stack.pop()

    def _node(self, event: Any, place: Place) -> None:
        if event.anchor is not None:
            self._refuse(place, f"anchor &{event.anchor} is not allowed", "write the value out where it is needed")
        if isinstance(event, yaml.ScalarEvent):
            self._take(place, self._scalar(event, place), event.value)
            return
        kind = "map" if isinstance(event, yaml.MappingStartEvent) else "seq"
        if event.tag not in {None, "!", _TAG + kind}:
            self._refuse_tag(event.tag, place)
        self._take(place, {} if kind == "map" else [], None)

    def _take(self, place: Place, value: Any, text: str | None) -> None:
        """One node of the document: a scalar has its `text`, a collection has None and stays open for its members."""
        self._count += 1
        if self._count > MAX_NODES:
            raise _TooMuchError(f"more than {MAX_NODES} values", place)
        parent = self._stack[-1] if self._stack else None
        if parent is not None and isinstance(parent.value, dict) and parent.key is None:
            self._take_key(parent, place, text)
            return
        at = self._store(parent, value)
        self._values.setdefault(at, place)
        if parent is None:
            self.nodes.append(Node(self.path, value, self._values, self._keys, self._written))
        if value.__class__ in _NUMBERS and text is not None and str(value) != text:
            self._written[at] = text
        if text is None:
            if len(self._stack) >= MAX_DEPTH:
                raise _TooMuchError(f"nested deeper than {MAX_DEPTH} levels", place)
            self._stack.append(_Open(at, value))

    def _store(self, parent: _Open | None, value: Any) -> KeyPath:
        if parent is None:
            return ()
        if isinstance(parent.value, list):
            parent.value.append(value)
            return (*parent.at, len(parent.value) - 1)
        key, parent.key = parent.key or "", None
        parent.value.setdefault(key, value)
        return (*parent.at, key)

    def _take_key(self, parent: _Open, place: Place, text: str | None) -> None:
        if text is None:
            raise _TooMuchError("a key must be plain text, not a list or mapping", place)
        parent.key = text
        at = (*parent.at, text)
        if text == "<<":
            self._refuse(place, "merge key << is not allowed", "write the keys out")
        elif at in self._keys:
            line, column = self._keys[at]
            self._refuse(place, f'duplicate key "{text}"', f"it stands already at {line}:{column}")
        self._keys.setdefault(at, place)

    def _scalar(self, event: Any, place: Place) -> Any:
        plain_without_tag = event.implicit[0]
        if event.tag in {"!", _TAG + "str"} or (event.tag is None and not plain_without_tag):
            return event.value
        if event.tag is not None and event.tag.removeprefix(_TAG) not in _PYTHON_NAMES:
            self._refuse_tag(event.tag, place)
            return None
        try:
            value = _resolve(event.value)
        except ValueError as error:
            self._refuse(place, str(error), "put it in quotes if it is text")
            return None
        if event.tag is not None and type(value).__name__ != _PYTHON_NAMES[event.tag.removeprefix(_TAG)]:
            self._refuse_tag(event.tag, place)
        return value

    def _refuse_tag(self, tag: str, place: Place) -> None:
        shown = "!!" + tag.removeprefix(_TAG) if tag.startswith(_TAG) else tag
        self._refuse(place, f"tag {shown} is not allowed here", "leave it out")

    def _refuse(self, place: Place, message: str, hint: str) -> None:
        self.problems.append(Problem(self.path, *place, message, hint))


def _resolve(text: str) -> Any:
    """A plain scalar by the YAML 1.2 core schema; numbers must be finite and of a sensible length."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INT.fullmatch(text):
        if len(text) > MAX_DIGITS:
            raise ValueError(f"a number of more than {MAX_DIGITS} digits")
        return int(text, 0) if text[:2] in {"0x", "0o"} else int(text)
    if _FLOAT.fullmatch(text):
        number = math.inf if text[-1] in "fFnN" else float(text)
        if not math.isfinite(number):
            raise ValueError("a number must be finite")
        return number
    return text
