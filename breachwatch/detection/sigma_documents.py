"""A `detection.yml`: its documents as drafts of rules and correlations, not yet linked to sources or to each other."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sigma.correlations import SigmaCorrelationRule
from sigma.exceptions import SigmaError
from sigma.rule import SigmaRule

from breachwatch.detection.conditions import Condition
from breachwatch.detection.sigma_correlation import CorrelationTerms, read_terms
from breachwatch.detection.sigma_detection import DetectionReader
from breachwatch.kernel.errors import ContentError, Problem
from breachwatch.kernel.shapes import did_you_mean
from breachwatch.kernel.yaml import KeyPath, Node, read_all

_LOGSOURCE = ("category", "product", "service", "definition")
_KEYS = {
    *("title", "id", "name", "related", "status", "description", "license", "author", "references", "date"),
    *("modified", "tags", "level", "scope", "taxonomy", "fields", "falsepositives"),
    *("logsource", "detection", "correlation"),
}
_NEAR = 'did you mean "'


@dataclass(slots=True)
class Draft:
    """One document. `condition` for a rule, `terms` for a correlation; `fields`: every field named, and where.

    A `broken` one has faults and lacks parts; it is kept so that those who name it are not blamed as well.
    """

    node: Node
    title: str
    name: str
    sigma_id: str
    level: str
    logsource: Mapping[str, str] = field(default_factory=dict)
    condition: Condition | None = None
    fields: list[tuple[str, KeyPath]] = field(default_factory=list)
    terms: CorrelationTerms | None = None
    broken: bool = False

    @property
    def is_correlation(self) -> bool:
        """Whether it counts what others match."""
        return "correlation" in self.node.data

    @property
    def id(self) -> str:
        """What matches and alerts call it: the Sigma id, else its name, else its title."""
        return self.sigma_id or self.name or self.title

    @property
    def names(self) -> set[str]:
        """All that it may be called by."""
        return {each for each in (self.sigma_id, self.name, self.title) if each}


def read_documents(text: bytes, path: str) -> tuple[list[Draft], list[Problem]]:
    """Every document that is one, and everything that is wrong with them."""
    try:
        nodes = read_all(text, path)
    except ContentError as error:
        return [], list(error.problems)
    drafts: list[Draft] = []
    problems: list[Problem] = []
    for node in nodes:
        if node.data is None:
            continue
        draft, found = _document(node)
        problems.extend(found)
        if draft is not None:
            drafts.append(draft)
    problems.extend(_doubles(drafts))
    return drafts, problems


def _document(node: Node) -> tuple[Draft | None, list[Problem]]:
    if not isinstance(node.data, dict):
        return None, [node.problem((), "a rule is a mapping that begins with `title:`")]
    for key, reason in (("action", "collections"), ("filter", "filters")):
        if key in node.data and "detection" not in node.data:
            return None, [node.problem((key,), f"Sigma {reason} are not supported; write each rule out", key=True)]
    problems = list(_typing_errors(node))
    problems.extend(_common_errors(node))
    title = node.data.get("title")
    if not isinstance(title, str) or not title.strip():
        problems.append(node.problem(("title",), "a rule needs a `title`"))
    draft = Draft(
        node=node,
        title=str(title or ""),
        name=str(node.data.get("name") or ""),
        sigma_id=str(node.data.get("id") or ""),
        level=str(node.data.get("level") or "medium"),
    )
    if "correlation" in node.data:
        draft.terms, found = read_terms(node)
        problems.extend(found)
    else:
        reader = DetectionReader(node)
        draft.condition, draft.fields = reader.read(), reader.fields
        problems.extend(reader.problems)
        draft.logsource = _logsource(node, problems)
    draft.broken = bool(problems)
    return draft, problems


def _typing_errors(node: Node) -> Iterator[Problem]:
    """Keys that are nearly, but not quite, Sigma's; others are the author's own and welcome."""
    for key in node.data:
        if key not in _KEYS:
            hint = did_you_mean(key, _KEYS - set(node.data))
            if hint.startswith(_NEAR):
                yield node.problem((key,), f'unknown key "{key}"', hint, key=True)


def _common_errors(node: Node) -> Iterator[Problem]:
    """What pySigma says about the keys that all documents share."""
    kind = SigmaCorrelationRule if "correlation" in node.data else SigmaRule
    errors: list[SigmaError]
    if not isinstance(node.data.get("id", ""), str):
        yield node.problem(("id",), "Sigma rule identifier must be an UUID", "or leave it out and give a `name`")
        return
    try:
        _, errors = kind.from_dict_common_params(_listed(node.data), collect_errors=True)
    except SigmaError as raised:
        errors = [raised]
    except (TypeError, ValueError, AttributeError, KeyError):
        yield node.problem((), "a key of this rule has a value that Sigma does not allow there")
        return
    for error in errors:
        key = type(error).__name__.removeprefix("Sigma").removesuffix("Error").lower()
        at = next((each for each in node.data if key.startswith(each.rstrip("s")) or each.startswith(key)), "")
        if type(error).__name__ == "SigmaIdentifierError":
            at = "id"
        hint = ""
        if at in {"level", "status"}:
            hint = did_you_mean(node.data[at], _CHOICES[at])
        yield node.problem((at,) if at else (), str(error), hint)


def _listed(given: Mapping[str, Any]) -> dict[str, Any]:
    """With a list wherever Sigma wants one and a single text says the same."""
    return {key: [value] if key in _LISTS and isinstance(value, str) else value for key, value in given.items()}


_LISTS = {"references", "falsepositives", "tags", "fields"}
_CHOICES = {
    "level": ("informational", "low", "medium", "high", "critical"),
    "status": ("stable", "test", "experimental", "deprecated", "unsupported"),
}


def _logsource(node: Node, problems: list[Problem]) -> Mapping[str, str]:
    given = node.data.get("logsource")
    if not isinstance(given, dict) or not any(given.get(each) for each in _LOGSOURCE[:3]):
        hint = "it says which source the rule is for: `product`, `service`, `category`"
        problems.append(node.problem(("logsource",), "a rule needs a `logsource`", hint))
        return {}
    for key, value in given.items():
        if key not in _LOGSOURCE:
            hint = did_you_mean(key, set(_LOGSOURCE) - set(given))
            if hint.startswith(_NEAR):
                problems.append(node.problem(("logsource", key), f'unknown key "{key}"', hint, key=True))
        elif not isinstance(value, str):
            problems.append(node.problem(("logsource", key), f"logsource {key} must be text"))
    return {each: str(given[each]) for each in _LOGSOURCE[:3] if given.get(each)}


def _doubles(drafts: list[Draft]) -> Iterator[Problem]:
    """Ids and names must be one's own; a title too, unless id or name already tell the two apart."""
    known: dict[str, Draft] = {}
    for draft in drafts:
        for key, called in (("id", draft.sigma_id), ("name", draft.name), ("title", draft.title)):
            other = known.setdefault(called, draft) if called else draft
            if other is draft or (key == "title" and other.id != draft.id):
                continue
            line, _ = other.node.key_place(("title",))
            yield draft.node.problem((key,), f'"{called}" is also what another rule is called', f"see line {line}")
