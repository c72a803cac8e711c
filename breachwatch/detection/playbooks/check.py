"""`breachwatch check`: reads playbooks and plays every case through the real detector and correlator.

A plain folder of Sigma rules has neither meaning nor cases: it is told which can be used, and why the rest cannot.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from breachwatch.detection.correlating.correlator import Correlator
from breachwatch.detection.detector import Detector
from breachwatch.detection.playbooks.cases import Case, Expected, known_timezone
from breachwatch.detection.playbooks.content import Content, load_content
from breachwatch.detection.playbooks.folders import PLAYBOOK, read_folders
from breachwatch.detection.sigma.pipelines import Pipeline
from breachwatch.detection.sigma.placeholders import Placeholders
from breachwatch.detection.sigma.rule_files import load_rules
from breachwatch.kernel.errors import ContentError, Problem
from breachwatch.kernel.pseudonyms import pseudonymiser
from breachwatch.kernel.shapes import conform, did_you_mean
from breachwatch.kernel.streams import Alert, Chunk
from breachwatch.kernel.yaml import Node, read
from breachwatch.sources.registry import load_sources
from breachwatch.sources.source import Source

CHUNK = 500
"""Records fed at once, as collectors do."""
MAX_REASONS = 10
"""Most reasons that a summary names; every problem is told by itself anyway."""
_KEY = b"cases hold nobody who exists"


def check(
    tree: Mapping[str, bytes], sources: Mapping[str, Source], placeholders: Collection[str]
) -> tuple[list[Problem], str]:
    """Everything that is wrong with the playbooks of a tree, and one line that sums them up.

    Cases are played only when all playbooks can be read. A case's alerts are those of its own folder's playbook.
    """
    try:
        content = load_content(tree, sources, placeholders)
    except ContentError as error:
        files = len({problem.path for problem in error.problems})
        return list(error.problems), f"{_count(len(error.problems), 'problem')} in {_count(files, 'file')}"
    problems: list[Problem] = []
    cases = 0
    for folder in read_folders(tree, placeholders):
        if folder.playbook is None:
            continue
        for path, body in folder.cases.items():
            cases += 1
            problems.extend(_play(path, body, only(content, folder.playbook.id), sources))
    summary = ", ".join(
        [
            _count(len(content.playbooks), "playbook"),
            _count(len(content.rules) + _written(content), "rule"),
            _count(cases, "case"),
        ]
    )
    return problems, f"{summary}: {_count(len(problems), 'problem') if problems else 'all good'}"


def is_rules_folder(tree: Mapping[str, bytes]) -> bool:
    """Whether a tree holds Sigma rules as people share them, and no playbook."""
    names = [PurePosixPath(path) for path in tree]
    return any(each.suffix in {".yml", ".yaml"} for each in names) and not any(each.name == PLAYBOOK for each in names)


def check_rules(
    tree: Mapping[str, bytes],
    sources: Mapping[str, Source],
    *,
    placeholders: Placeholders | None = None,
    pipelines: Sequence[Pipeline] = (),
) -> tuple[list[Problem], str]:
    """Every rule of a plain folder that cannot be used, with the reason, and a few lines that sum the folder up.

    Args:
        tree: path to bytes, as `read_tree` gives it.
        sources: by name; the summary says how many rules they serve.
        placeholders: the texts that `%name%` stands for in values with `|expand`.
        pipelines: what `load_pipelines` gave.
    """
    loaded = load_rules(tree, sources, placeholders=placeholders, pipelines=pipelines)
    served = sum(bool(rule.sources) for rule in loaded.rules)
    summary = f"{_count(len(loaded.rules), 'rule')}, {_count(len(loaded.correlations), 'correlation')}"
    if loaded.refused:
        files = len({problem.path for problem in loaded.refused})
        summary += f": {_count(len(loaded.refused), 'problem')} in {_count(files, 'file')}"
    else:
        summary += ": all can be used"
    if sources:
        summary += f"\n{_count(served, 'rule')} for the loaded sources"
    for problem, number in Counter(problem.message for problem in loaded.refused).most_common(MAX_REASONS):
        summary += f"\n{number:>6} x {problem}"
    return list(loaded.refused), "\n".join([summary, *map(str, loaded.notes)])


def only(content: Content, playbook: str) -> Content:
    """The content reduced to one playbook."""
    return Content(
        {playbook: content.playbooks[playbook]},
        {key: notice for key, notice in content.notices.items() if key[0] == playbook},
        tuple(rule for rule in content.rules if rule.playbook == playbook),
        tuple(each for each in content.correlations if each.playbook == playbook),
    )


def _take(alerts: dict[str, Alert], told: Sequence[Alert]) -> None:
    for alert in told:
        alerts[alert.id] = alert
        for gone in alert.supersedes:
            alerts.pop(gone, None)


def run_case(case: Case, content: Content, source: Source) -> tuple[list[Alert], list[tuple[int, str]]]:
    """The alerts that a case leads to in their last revision, and (index in `given`, reason) of unreadable lines."""
    detector = Detector(content, {source.name: source}, pseudonymiser(_KEY))
    correlator = Correlator(content)
    lines = case.lines()
    alerts: dict[str, Alert] = {}
    unreadable: list[tuple[int, str]] = []
    for first in range(0, len(lines), CHUNK):
        records = tuple(line for _, line in lines[first : first + CHUNK])
        detected = detector.match(Chunk(source.name, "case", first, case.arrival(), records))
        unreadable.extend((lines[letter.ordinal][0], letter.reason) for letter in detected.dead)
        _take(alerts, correlator.feed(detected.matches).alerts)
    _take(alerts, correlator.finish().alerts)
    return list(alerts.values()), unreadable


def _play(path: str, body: bytes, content: Content, sources: Mapping[str, Source]) -> list[Problem]:
    try:
        node = read(body, path)
        case = conform(Case, node)
    except ContentError as error:
        return list(error.problems)
    if case.source not in sources:
        hint = did_you_mean(case.source, sources)
        return [node.problem(("source",), f'there is no source "{case.source}"', hint)]
    if not known_timezone(case.timezone):
        return [node.problem(("timezone",), f'"{case.timezone}" is no time zone', "such as Europe/Paris")]
    known = {called: each.id for each in content.correlations for called in (each.id, each.name, each.title) if called}
    strange = [
        node.problem(("expect", index, "rule"), f'no rule "{each.rule}" can alert here', did_you_mean(each.rule, known))
        for index, each in enumerate(case.expect)
        if each.rule not in known
    ]
    if strange:
        return strange
    alerts, unreadable = run_case(case, content, _in_zone(sources, case))
    return [*_unreadable(node, unreadable), *_verdicts(node, case.expect, alerts, known)]


def _in_zone(sources: Mapping[str, Source], case: Case) -> Source:
    """The source as it reads times of the case's zone; one that only the operator defines stays as it is."""
    if case.timezone == "UTC":
        return sources[case.source]
    return load_sources(timezone=case.timezone).get(case.source, sources[case.source])


def _unreadable(node: Node, lines: Sequence[tuple[int, str]]) -> Iterator[Problem]:
    for index, reason in dict.fromkeys(lines):
        yield node.problem(("given", index), f"the source cannot read this line: {reason}")


def _verdicts(
    node: Node, expected: Sequence[Expected], alerts: Sequence[Alert], known: Mapping[str, str]
) -> Iterator[Problem]:
    left = list(alerts)
    for index, wanted in enumerate(expected):
        fitting = [each for each in left if each.rule == known[wanted.rule] and _in_group(each, wanted)]
        for each in fitting:
            left.remove(each)
        at = ("expect", index)
        if len(fitting) != wanted.count:
            others = [each for each in alerts if each.rule == known[wanted.rule] and each not in fitting]
            hint = f"others are of {_groups(others)}" if others and wanted.group else ""
            yield node.problem(at, f"{wanted.rule} alerted {len(fitting)} times, not {wanted.count}", hint)
        for each in fitting:
            if wanted.raises_incident is not None and each.raises_incident != wanted.raises_incident:
                does = "raises an incident" if each.raises_incident else "raises no incident"
                yield node.problem((*at, "raises_incident"), f"{wanted.rule} {does}")
                break
        for each in fitting:
            if wanted.people is not None and each.subject_count != wanted.people:
                affected = _count(each.subject_count, "person").replace("persons", "people")
                yield node.problem((*at, "people"), f"{wanted.rule} affects {affected}, not {wanted.people}")
                break
    for alert in left:
        yield node.problem(("expect",), f"{alert.rule} alerted too, for {_groups([alert])}: {alert.count} events")


def _in_group(alert: Alert, wanted: Expected) -> bool:
    return all(alert.group.get(name) == value for name, value in wanted.group.items())


def _groups(alerts: Sequence[Alert]) -> str:
    shown = [", ".join(f"{name} {value}" for name, value in each.group.items()) or "everything" for each in alerts]
    return "; ".join(sorted(set(shown))[:3])


def _written(content: Content) -> int:
    """Correlations that were written, not made for rules that alert by themselves."""
    rules = {(rule.playbook, rule.id) for rule in content.rules}
    return sum((each.playbook, each.id) not in rules for each in content.correlations)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
