"""Every fact that any room can say has its sentence."""

from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, get_args
from zoneinfo import ZoneInfo

import pytest

from breachwatch.assessment import facts as assessment
from breachwatch.clocks import facts as clocks
from breachwatch.console.story import tell
from breachwatch.filings import facts as filings
from breachwatch.incidents import facts as incidents
from breachwatch.kernel.facts import Recorded
from breachwatch.kernel.ids import IncidentId
from breachwatch.notices import facts as notices
from breachwatch.subjects import facts as subjects

PARIS = ZoneInfo("Europe/Paris")
AT = datetime(2026, 3, 27, 9, 42, tzinfo=UTC)
KINDS = [kind for room in (incidents, clocks, assessment, subjects, filings, notices) for kind in get_args(room.Said)]
CODES = {"phase": "initial", "level": "high", "duty": "notify_authority", "proposed": "record_only", "language": "fr"}


def example(kind: type[Any]) -> Any:
    """A fact of this kind with plain values of the right shape."""
    values: dict[str, Any] = {}
    for field in fields(kind):
        shape = str(field.type)
        if field.name in CODES:
            values[field.name] = CODES[field.name]
        elif "datetime" in shape and "tuple" not in shape:
            values[field.name] = AT
        elif "Mapping" in shape:
            values[field.name] = {}
        elif "tuple" in shape:
            values[field.name] = ()
        elif "int" in shape or "float" in shape:
            values[field.name] = 3
        elif "bool" in shape:
            values[field.name] = True
        else:
            values[field.name] = "words"
    return kind(**values)


def recorded(body: Any, seq: int = 1) -> Recorded:
    kind = type(body).__name__
    return Recorded(IncidentId("in-x"), seq, kind, AT, "camille", "person", body, "0" * 64, "f" * 64)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_of_fact_is_told_in_words(kind: type[Any]) -> None:
    (entry,) = tell([recorded(example(kind))], PARIS)
    assert entry.title
    assert entry.title != kind.__name__, "this fact has no sentence yet"
    assert entry.hash == "f" * 64
    assert entry.by_person


def test_a_correction_of_awareness_reads_as_one() -> None:
    first = clocks.AwarenessSet(AT, "raised")
    corrected = clocks.AwarenessSet(AT, "the hotline knew", previous=AT)
    titles = [entry.title for entry in tell([recorded(first), recorded(corrected, 2)], PARIS)]
    assert titles == ["Aware since Fri 27 Mar 2026, 10:42", "Awareness corrected to Fri 27 Mar 2026, 10:42"]
