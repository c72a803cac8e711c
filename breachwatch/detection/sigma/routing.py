"""Which events of which source a rule is for, by its logsource: the first and cheapest thing that is asked."""

from collections.abc import Mapping
from typing import Literal

from breachwatch.detection.conditions import AllOf, AnyOf, Condition, Number, Text, Where
from breachwatch.sources.source import Answers, Source


def fits(logsource: Mapping[str, str], source: Source, *, plain: bool = False) -> Condition | Literal[True] | None:
    """Whether a rule of this logsource is for a source.

    A logsource names a product, a service, a category, or some of them; what it leaves out may be anything. (Sigma
    rules specification 2.1, log source.)

    Args:
        logsource: as the rule says.
        source: the source that is asked.
        plain: the rule comes from a plain folder of rules and the source was chosen by name, so a source that takes
            rules of any logsource takes it.

    Returns:
        True for all of its events, a condition for those of its events that the rule is for, None for none.
    """
    if logsource.items() <= source.logsource.items() or (plain and source.any_logsource):
        return True
    ways: list[Condition] = []
    for answers in source.answers:
        if logsource.items() <= {**source.logsource, **answers.logsource}.items():
            if not answers.when:
                return True
            ways.append(_when(answers))
    if not ways:
        return None
    return ways[0] if len(ways) == 1 else AnyOf(tuple(dict.fromkeys(ways)))


def _when(answers: Answers) -> Condition:
    parts: list[Condition] = []
    for field, values in answers.when.items():
        tests: list[Condition] = [
            Where(field, Text((value,)) if isinstance(value, str) else Number(value)) for value in values
        ]
        parts.append(tests[0] if len(tests) == 1 else AnyOf(tuple(tests)))
    return parts[0] if len(parts) == 1 else AllOf(tuple(parts))
