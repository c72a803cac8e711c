"""The whole SigmaHQ rule set: every rule of it loads and compiles, and is read as pySigma reads it.

The rules lie packed in `shared/data` beside the checkout; their licence asks that they be named with their authors, so
they are unpacked to a temporary folder and never copied.
"""

import tarfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sigma.conditions import ConditionAND, ConditionIdentifier, ConditionNOT, ConditionOR, ConditionSelector
from sigma.conditions import SigmaCondition as ConditionText

from breachwatch.detection.matching.compiler import Compiler
from breachwatch.detection.playbooks.content import read_tree
from breachwatch.detection.sigma.rule_files import load_rules
from breachwatch.detection.sigma.ruleset import RuleSet
from breachwatch.detection.sigma.sigma_condition import Expression, Joined, Name, Negated, Some, read_condition
from breachwatch.kernel.yaml import read_all
from breachwatch.sources.event import Ignored
from breachwatch.sources.registry import load_sources
from breachwatch.sources.source import Source

PACKED = Path(__file__).parents[3] / "shared" / "data" / "sigma-corpus" / "rules.tar.xz"
ANY = Source("any", "", "", {}, {}, {}, timedelta(), lambda _raw, _received_us: Ignored("never asked"))
RULES = 2_808


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    assert PACKED.is_file(), f"this test needs the shared data beside the checkout: {PACKED} is absent"
    folder = tmp_path_factory.mktemp("corpus")
    with tarfile.open(PACKED) as packed:
        packed.extraction_filter = getattr(tarfile, "data_filter", None)  # Python 3.11.4 and later
        packed.extractall(folder)  # noqa: S202 - an archive of ours
    return read_tree(folder / "rules")


@pytest.fixture(scope="module")
def loaded(tree: dict[str, bytes]) -> RuleSet:
    return load_rules(tree, load_sources())


def test_every_rule_loads(loaded: RuleSet, tree: dict[str, bytes]) -> None:
    assert loaded.refused == ()
    assert len(loaded.rules) == len(tree) == RULES
    assert len({rule.id for rule in loaded.rules}) == RULES


def test_every_rule_compiles(loaded: RuleSet) -> None:
    compiler = Compiler(ANY)
    for rule in loaded.rules:
        assert compiler.condition(rule.condition)({}) in {True, False}, rule.title


def test_rules_that_no_source_serves_are_loaded_all_the_same(tree: dict[str, bytes]) -> None:
    source = {"linux-sshd": load_sources()["linux-sshd"]}
    loaded = load_rules(tree, source)
    served = [rule for rule in loaded.rules if rule.sources]
    assert len(loaded.rules) == RULES
    assert 0 < len(served) < RULES
    waiting = sum(int(note.message.split(": ")[-1].split()[0]) for note in loaded.notes)
    assert waiting == RULES - len(served)


def test_what_was_kept_is_what_would_be_loaded(loaded: RuleSet, tree: dict[str, bytes]) -> None:
    kept = load_rules(tree, load_sources(), cached=loaded.dump())
    assert kept.kept
    assert (kept.rules, kept.correlations, kept.refused, kept.notes) == (loaded.rules, (), (), loaded.notes)


def test_every_condition_is_read_as_pysigma_reads_it(tree: dict[str, bytes]) -> None:
    asked = 0
    for path, body in tree.items():
        for node in read_all(body, path):
            written = node.data["detection"]["condition"]
            for text in written if isinstance(written, list) else [written]:
                ours, counted = read_condition(text)
                assert counted == ""
                assert list(told(ours)) == list(told_by_pysigma(ConditionText(text, None).parse(postprocess=False)))  # type: ignore[arg-type]
                asked += 1
    assert asked >= RULES


def told(expression: Expression) -> Iterator[Any]:
    """An expression in prefix form."""
    match expression:
        case Name(name=name):
            yield name
        case Some(least=least, pattern=pattern):
            yield ("all" if least is None else least, pattern)
        case Negated(part=part):
            yield "not"
            yield from told(part)
        case Joined(every=every, parts=parts):
            yield ("and" if every else "or", len(parts))
            for part in parts:
                yield from told(part)


def told_by_pysigma(parsed: Any) -> Iterator[Any]:
    match parsed:
        case ConditionIdentifier(identifier=name):
            yield name
        case ConditionSelector(args=[quantifier, pattern]):
            yield ("all" if quantifier == "all" else 1, pattern)
        case ConditionNOT(args=[part]):
            yield "not"
            yield from told_by_pysigma(part)
        case ConditionAND(args=args) | ConditionOR(args=args):
            yield ("and" if isinstance(parsed, ConditionAND) else "or", len(args))
            for part in args:
                yield from told_by_pysigma(part)
