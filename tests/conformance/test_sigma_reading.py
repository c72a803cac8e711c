"""Every public rule is read as pySigma reads it: its own tree of conditions, leaf by leaf, beside ours.

pySigma walks a rule's file by itself, follows its own grammar of conditions and links selections its own way. What it
makes of 3,000 rules is brought into one form with what we make of them.
"""

import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionNOT,
    ConditionOR,
    ConditionValueExpression,
)
from sigma.exceptions import SigmaError
from sigma.rule import SigmaRule
from sigma.types import (
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaString,
    SpecialChars,
)

from breachwatch.detection.conditions import (
    AllOf,
    AnyOf,
    Compare,
    Condition,
    Exists,
    Network,
    Not,
    Null,
    Number,
    Pattern,
    SameAs,
    Text,
    Truth,
    Where,
)
from breachwatch.detection.sigma.sigma_documents import read_documents
from breachwatch.kernel.yaml import read_all

DATA = Path(__file__).parents[3] / "shared" / "data"
ODD_NUMBERS = 1
"""Rules with a number such as `00000429`, which YAML 1.2 reads as 429 and we seek as it is written."""
Form = tuple[Any, ...]


def rules(unpacked: Path) -> Iterator[tuple[str, bytes]]:
    for folder in (unpacked, DATA / "sigma-rules" / "rules", DATA / "sigma-rules" / "rules-threat-hunting"):
        assert folder.is_dir(), f"this test needs the shared data beside the checkout: {folder} is absent"
        for path in sorted(folder.rglob("*.yml")):
            yield path.name, path.read_bytes()


def form(condition: Condition) -> Form:
    """A condition with `and` and `or` flattened and in one order."""
    match condition:
        case AllOf(parts=parts):
            return joined("and", [form(part) for part in parts])
        case AnyOf(parts=parts):
            return joined("or", [form(part) for part in parts])
        case Not(part=part):
            return ("not", form(part))
        case Where(field=field, wanted=wanted):
            return ("is", field, *leaf(wanted))


def joined(word: str, parts: list[Form]) -> Form:
    flat: set[Form] = set()
    for part in parts:
        flat.update(part[1:] if part[0] == word else [part])
    return next(iter(flat)) if len(flat) == 1 else (word, *sorted(flat, key=repr))


def leaf(wanted: Any) -> Form:
    match wanted:
        case Text(parts=parts, cased=cased):
            return ("text", cased, *(each if isinstance(each, str) else each.many for each in parts if each != ""))
        case Number(value=number):
            return ("number", number)
        case Truth(value=truth):
            return ("truth", truth)
        case Null():
            return ("null",)
        case Exists(wanted=there):
            return ("exists", there)
        case Network(cidr=cidr):
            return ("network", cidr)
        case Compare(op=op, value=number):
            return ("compare", op, number)
        case SameAs(field=field, begins=begins, ends=ends):
            return ("same", field, begins, ends)
        case Pattern(expression=expression, flags=flags):
            return ("pattern", expression, flags)
    raise AssertionError(wanted)


def pysigma(parsed: Any) -> Form:
    """The same of what pySigma made."""
    match parsed:
        case ConditionAND(args=args):
            return joined("and", [pysigma(each) for each in args])
        case ConditionOR(args=args):
            return joined("or", [pysigma(each) for each in args])
        case ConditionNOT(args=[part]):
            return ("not", pysigma(part))
        case ConditionFieldEqualsValueExpression(field=field, value=SigmaExpansion(values=values)):
            return joined("or", [("is", field, *value_of(each)) for each in values])
        case ConditionFieldEqualsValueExpression(field=field, value=value):
            return ("is", field, *value_of(value))
        case ConditionValueExpression(value=SigmaNumber(number=number)):
            return ("is", None, "text", False, str(number))
        case ConditionValueExpression(value=value):
            return ("is", None, *value_of(value))
    raise AssertionError(parsed)


def value_of(value: Any) -> Form:
    match value:
        case SigmaString():
            many = {SpecialChars.WILDCARD_MULTI: True, SpecialChars.WILDCARD_SINGLE: False}
            parts = (each if isinstance(each, str) else many[each] for each in value.s)  # type: ignore[index]
            return ("text", isinstance(value, SigmaCasedString), *parts)
        case SigmaNumber(number=number):
            return ("number", number)
        case SigmaBool(boolean=truth):
            return ("truth", truth)
        case SigmaNull():
            return ("null",)
        case SigmaExists(exists=there):
            return ("exists", there)
        case SigmaCIDRExpression(cidr=cidr):
            return ("network", cidr)
        case SigmaCompareExpression(op=op, number=number):
            return ("compare", op.name.lower(), number.number)
        case SigmaFieldReference(field=field, starts_with=begins, ends_with=ends):
            return ("same", field, begins, ends)
        case SigmaRegularExpression():
            written = str(value.regexp)
            flags = {value.sigma_to_re_flag[each] for each in value.flags} | ({"i"} if written[:4] == "(?i)" else set())
            return ("pattern", written.removeprefix("(?i)"), "".join(sorted(flags)))
    raise AssertionError(value)


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    packed_at = DATA / "sigma-corpus" / "rules.tar.xz"
    assert packed_at.is_file(), f"this test needs the shared data beside the checkout: {packed_at} is absent"
    folder = tmp_path_factory.mktemp("corpus")
    with tarfile.open(packed_at) as packed:
        packed.extraction_filter = getattr(tarfile, "data_filter", None)  # Python 3.11.4 and later
        packed.extractall(folder)  # noqa: S202 - an archive of ours
    return folder / "rules"


def test_every_rule_asks_what_pysigma_says_that_it_asks(unpacked: Path) -> None:
    asked, odd, differing = 0, 0, []
    for name, body in rules(unpacked):
        (node,) = read_all(body, name)
        (draft,), problems = read_documents(body, name)
        assert problems == []
        assert draft.condition is not None
        try:
            theirs = SigmaRule.from_dict(node.data).detection.parsed_condition
        except SigmaError:
            odd += 1
            continue
        asked += 1
        if form(draft.condition) != joined("or", [pysigma(each.parsed) for each in theirs]):
            differing.append(draft.title)
    assert differing == []
    assert odd == ODD_NUMBERS
    assert asked > 2_900
