"""Sigma filters: what is known to be harmless at a site, kept apart from the rules that it is taken out of.

A filter names rules (or `any`) and a logsource. Every rule that it names and whose logsource lies within the filter's
gets the filter's condition as well: `(rule) and (filter)`. So a filter that leaves events out says
`condition: not selection`. Correlations are not filtered; the rules they count are. (Sigma filters specification 2.0.)
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from breachwatch.detection.conditions import AllOf, Condition
from breachwatch.detection.sigma.placeholders import Placeholders
from breachwatch.detection.sigma.sigma_detection import DetectionReader
from breachwatch.kernel.errors import Problem
from breachwatch.kernel.shapes import did_you_mean
from breachwatch.kernel.yaml import KeyPath, Node

_HERE: KeyPath = ("filter",)


@dataclass(slots=True)
class FilterTerms:
    """A filter as written. `rules`: ids or names with their places, None for any rule of the logsource."""

    logsource: Mapping[str, str]
    condition: Condition
    rules: list[tuple[str, KeyPath]] | None
    fields: list[tuple[str, KeyPath]] = field(default_factory=list)

    def takes(self, logsource: Mapping[str, str]) -> bool:
        """Whether a rule of this logsource, which it names or need not name, is for it to filter."""
        return self.logsource.items() <= logsource.items()

    def filtered(self, condition: Condition) -> Condition:
        """A rule's condition with the filter's."""
        return AllOf((condition, self.condition))


def read_filter(
    node: Node, logsource: Mapping[str, str], placeholders: Placeholders
) -> tuple[FilterTerms | None, list[Problem]]:
    """The terms of a filter document, or everything that is wrong with them."""
    given = node.data["filter"]
    if not isinstance(given, dict):
        return None, [node.problem(_HERE, "`filter` must be a mapping with `rules`, selections and a `condition`")]
    reader = DetectionReader(node, placeholders, "filter")
    condition = reader.read()
    problems = list(reader.problems)
    if isinstance(given.get("condition"), list):
        problems.append(node.problem((*_HERE, "condition"), "a filter has one condition"))
    if reader.counted:
        problems.append(node.problem((*_HERE, "condition"), "a filter cannot count"))
    rules: list[tuple[str, KeyPath]] | None = None
    match given.get("rules"):
        case None if "rules" not in given:
            hint = "a list of ids or names, or `any`"
            problems.append(node.problem(_HERE, "a filter must say which `rules` it is for", hint))
        case str() as one:
            rules = None if one.lower() == "any" else [(one, (*_HERE, "rules"))]
        case list() as several if all(isinstance(each, str) for each in several):
            rules = [(each, (*_HERE, "rules", number)) for number, each in enumerate(several)] or None
        case _:
            problems.append(node.problem((*_HERE, "rules"), "`rules` is a list of ids or names, or `any`"))
    if problems or condition is None:
        return None, problems
    return FilterTerms(logsource, condition, rules, reader.fields), []


def unknown_rules(node: Node, terms: FilterTerms, known: Iterable[str]) -> Iterator[Problem]:
    """Names that a filter gives and no rule has."""
    names = set(known)
    for name, at in terms.rules or ():
        if name not in names:
            yield node.problem(at, f'the filter names "{name}", which is no rule here', did_you_mean(name, names))
