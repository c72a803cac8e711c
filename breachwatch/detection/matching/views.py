"""An event as conditions ask it: each text made lower-case once, each shared question answered once."""

from collections.abc import Callable, Iterator
from typing import Any

from breachwatch.detection.matching.predicates import text_of

Fields = dict[str, Any]


class View(dict[int, Any]):
    """What has been asked of one event so far, by slot; what was not is made by the slot's maker, and kept.

    Args:
        fields: the event's native fields.
        makers: by slot, from a view to the slot's value.
    """

    __slots__ = ("_makers", "fields")

    def __init__(self, fields: Fields, makers: list[Callable[["View"], Any]]) -> None:
        self.fields = fields
        self._makers = makers

    def __missing__(self, slot: int) -> Any:
        value = self[slot] = self._makers[slot](self)
        return value


class Many:
    """The texts of a list, asked as if they were one: it holds what any of them holds."""

    __slots__ = ("texts",)

    def __init__(self, texts: tuple[str, ...]) -> None:
        self.texts = texts

    def __contains__(self, piece: str) -> bool:
        return any(piece in text for text in self.texts)

    def __eq__(self, other: object) -> bool:
        return any(text == other for text in self.texts)

    __hash__ = None  # type: ignore[assignment]

    def startswith(self, opening: str | tuple[str, ...]) -> bool:
        """Whether any begins so."""
        return any(text.startswith(opening) for text in self.texts)

    def endswith(self, ending: str | tuple[str, ...]) -> bool:
        """Whether any ends so."""
        return any(text.endswith(ending) for text in self.texts)

    def isascii(self) -> bool:
        """Whether no text holds anything but ASCII."""
        return all(text.isascii() for text in self.texts)

    def among(self, texts: frozenset[str]) -> bool:
        """Whether any is one of the texts."""
        return not texts.isdisjoint(self.texts)

    def any(self, test: Callable[[str], bool]) -> bool:
        """Whether the test holds of any."""
        return any(test(text) for text in self.texts)


def lowered(value: Any) -> str | Many:
    """A field's value in lower case; `""` when it has no text, so nothing but `""` is equal to it."""
    if type(value) is str:
        return value.lower()
    if value is None:
        return ""
    if isinstance(value, list):
        return Many(tuple(text.lower() for member in value if (text := text_of(member)) is not None))
    return (text_of(value) or "").lower()


WORKED_OUT = "ocsf."
"""How names of fields begin that were worked out beside the record; no keyword is sought in them."""


def leaves(value: Any) -> Iterator[Any]:
    """Every single value of what an event's field holds, however deep."""
    if isinstance(value, dict):
        for member in value.values():
            yield from leaves(member)
    elif isinstance(value, list):
        for member in value:
            yield from leaves(member)
    elif value is not None:
        yield value


def told(fields: Fields) -> Iterator[Any]:
    """Every single value that the record told."""
    for name, value in fields.items():
        if not name.startswith(WORKED_OUT):
            yield from leaves(value)


SEPARATOR = "\0"
"""Stands between the texts of an event where they are asked at once; texts that are sought never hold it."""


def whole_text(view: View) -> str:
    """Every text that the record told, in lower case, for keywords."""
    texts: list[str] = []
    for name, value in view.fields.items():
        if type(value) is str:
            if not name.startswith(WORKED_OUT):
                texts.append(value.lower())
        elif not name.startswith(WORKED_OUT):
            texts += [text.lower() for leaf in leaves(value) if (text := text_of(leaf)) is not None]
    return SEPARATOR.join(texts)
