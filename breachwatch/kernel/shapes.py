"""Holds what a person wrote against the model it must fit, and says where and how it does not."""

from collections.abc import Collection, Iterator, Sequence
from difflib import get_close_matches
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from breachwatch.kernel.errors import ContentError, Problem
from breachwatch.kernel.yaml import KeyPath, Node

Model = TypeVar("Model", bound=BaseModel)


def conform(model: type[Model], node: Node, at: KeyPath = ()) -> Model:
    """The part of a document at a key path, as its model.

    Raises:
        ContentError: everything that does not fit, each with its place and, where there is one, the nearest right word.
    """
    data: Any = node.data
    for part in at:
        data = data[part]
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise ContentError(problems_of(error, node, model, at)) from error


def problems_of(error: ValidationError, node: Node, model: type[BaseModel], at: KeyPath = ()) -> list[Problem]:
    """A validation error as problems at their places in the document, in order of place.

    Args:
        error: what pydantic said about the data at `at`.
        node: the document that the data came from.
        model: what it was held against; its field names give the hints.
        at: where in the document the model's data begins.
    """
    found = [_problem(details, node, model, at) for details in error.errors(include_url=False, include_input=True)]
    return sorted(dict.fromkeys(found), key=lambda problem: (problem.line, problem.column))


def did_you_mean(word: object, known: Collection[str]) -> str:
    """`did you mean "x"?` for the nearest known word, else the known words if they are few, else nothing."""
    by_lower = {each.lower(): each for each in known}
    near = get_close_matches(str(word).lower(), by_lower, n=1, cutoff=0.6)
    if near:
        return f'did you mean "{by_lower[near[0]]}"?'
    if 0 < len(known) <= 12:
        return "known: " + ", ".join(sorted(known))
    return ""


def _problem(details: Any, node: Node, model: type[BaseModel], at: KeyPath) -> Problem:
    where, models = _walk(details["loc"], node, model, at)
    kind, leaf = details["type"], details["loc"][-1] if details["loc"] else ""
    names = {name for each in models for name in _names(each)}
    shown = _dotted(where[len(at) :])
    if kind == "extra_forbidden":
        present = _keys_at(node, where[:-1])
        return node.problem(where, f'unknown key "{leaf}"', did_you_mean(leaf, names - present), key=True)
    if kind == "missing":
        near = get_close_matches(str(leaf), _keys_at(node, where) - names, n=1, cutoff=0.6)
        hint = f'is "{near[0]}" meant to be it?' if near else ""
        inside = f" in {shown}" if shown else ""
        return node.problem(where, f'missing key "{leaf}"{inside}', hint)
    prefix = f"{shown}: " if shown else ""
    message = details["msg"].removeprefix("Value error, ")
    if kind in {"literal_error", "enum", "union_tag_invalid"}:
        word, choices = _choices(details)
        if leaf == "[key]":
            return node.problem(where, f'unknown key "{word}"', did_you_mean(word, choices), key=True)
        return node.problem(where, f'{prefix}"{word}" is not one of the choices', did_you_mean(word, choices))
    return node.problem(where, prefix + message[:1].lower() + message[1:], key=leaf == "[key]")


def _choices(details: Any) -> tuple[str, list[str]]:
    context = details.get("ctx", {})
    word = str(context.get("tag", details.get("input", "")))[:80]
    listed = str(context.get("expected") or context.get("expected_tags") or "")
    return word, [choice.strip(" '\"") for choice in listed.replace(" or ", ", ").split(",") if choice.strip()]


def _walk(
    loc: Sequence[str | int], node: Node, model: type[BaseModel], at: KeyPath
) -> tuple[KeyPath, list[type[BaseModel]]]:
    """Follow pydantic's location through data and models.

    Parts that name a member of a union are stepped over, which leaves only that member where the part is its tag.

    Returns:
        The key path in the document, and the models that the last part of the location is a key of.
    """
    where, data = list(at), node.data
    for part in at:
        data = data[part]
    owners: list[type[BaseModel]] = [model]
    annotations: list[Any] = [model]
    for part in loc:
        owners = [found for annotation in annotations for found in _models(annotation)]
        if isinstance(data, dict) and part in data:
            annotations = [inner for owner in owners for inner in _annotation(owner, part)] or annotations
        elif not (isinstance(data, list) and isinstance(part, int) and part < len(data)):
            annotations = [owner for owner in owners if _is_tagged(owner, part)] or annotations
            continue
        data = data[part]
        where.append(part)
    return tuple(where), owners


def _annotation(model: type[BaseModel], key: str | int) -> Iterator[Any]:
    for name, info in model.model_fields.items():
        if key in {name, info.alias}:
            yield info.annotation


def _is_tagged(model: type[BaseModel], tag: str | int) -> bool:
    return any(tag in get_args(info.annotation) for info in model.model_fields.values())


def _names(model: type[BaseModel]) -> Iterator[str]:
    for name, info in model.model_fields.items():
        yield info.alias or name


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        return
    for inner in get_args(annotation):
        yield from _models(inner)


def _keys_at(node: Node, where: KeyPath) -> set[str]:
    data = node.data
    for part in where:
        data = data[part]
    return set(data) if isinstance(data, dict) else set()


def _dotted(where: KeyPath) -> str:
    return ".".join(str(part) for part in where)
