"""What stands in the end is the same in whatever order, and however often, it was told."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import permutations

from breachwatch.engines.final import canonical_json, final_alerts
from breachwatch.kernel.ids import AlertId, SubjectRef
from breachwatch.kernel.streams import Alert

NOON = datetime(2026, 3, 27, 12, tzinfo=UTC)
FIRST = Alert(
    id=AlertId("al-1"),
    revision=3,
    playbook="p",
    rule="many",
    title="Many",
    level="high",
    group={"ip": "192.0.2.1"},
    first_event_at=NOON,
    last_event_at=NOON,
    count=3,
    subjects=(SubjectRef("s-b"), SubjectRef("s-a")),
    subject_count=2,
    records=3,
    sources=("s",),
    samples=({"n": 1},),
    raises_incident=True,
)
GROWN = replace(FIRST, revision=5, count=5, subjects=(SubjectRef("s-c"),), subject_count=3)
OTHER = replace(FIRST, id=AlertId("al-2"), supersedes=(AlertId("al-0"),))
OLD = replace(FIRST, id=AlertId("al-0"))


def test_the_highest_revision_stands_with_the_people_of_all() -> None:
    (final,) = final_alerts([FIRST, GROWN])
    assert final["count"] == 5
    assert final["subjects"] == ["s-a", "s-b", "s-c"]
    assert not {"revision", "supersedes"} & final.keys()


def test_what_another_supersedes_is_gone() -> None:
    assert [each["id"] for each in final_alerts([OLD, OTHER])] == ["al-2"]


def test_neither_order_nor_repetition_changes_a_byte() -> None:
    told = [FIRST, GROWN, OLD, OTHER]
    assert {canonical_json([*some, *some]) for some in permutations(told)} == {canonical_json(told)}


def test_nothing_is_nothing() -> None:
    assert canonical_json([]) == b""
