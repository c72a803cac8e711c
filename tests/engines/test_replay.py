"""Replaying old logs: the same alerts as live, in one go, each once."""

from datetime import timedelta
from typing import Any, ClassVar

import pytest

from breachwatch.engines.merging import merge_revisions
from breachwatch.engines.replay import replay
from breachwatch.kernel.streams import alert_line


def test_the_last_revision_of_each_alert_with_everybody_it_came_to_touch(words: Any) -> None:
    chunks = [words.chunk("hit a p1", "hit a p2", "hit a p3"), words.chunk("hit a p4", "dull", "torn", first=3)]
    alerts, tally = replay(chunks, words.Detector(), words.Correlator())
    assert [(one.revision, one.subjects) for one in alerts] == [(4, ("s-p1", "s-p2", "s-p3", "s-p4"))]
    assert (tally.records, tally.events, dict(tally.ignored), dict(tally.dead)) == (6, 4, {"dull": 1}, {"torn": 1})


def test_superseded_alerts_are_gone_what_waited_is_judged_and_all_is_in_order_of_first_event(
    words: Any, caplog: pytest.LogCaptureFixture
) -> None:
    class Scripted:
        def __init__(self) -> None:
            late = words.alert("late", first_event_at=words.start + timedelta(hours=1))
            wrong = words.alert("wrong")
            right = words.alert("right", supersedes=(wrong.id,))
            self.feeds = iter([[late, wrong], [right]])

        def feed(self, matches: Any, clock: Any = None, received_us: Any = None) -> Any:
            return type("Fed", (), {"alerts": next(self.feeds), "late": 1})()

        def drain_changes(self) -> list[Any]:
            return []

        refused: ClassVar[list[str]] = []
        shortfalls: ClassVar[dict[str, int]] = {"words/hit: quiet groups let go for want of room": 1200}

        def finish(self) -> Any:
            return type("Finished", (), {"alerts": [words.alert("waited")], "late": 0})()

        def restore(self, stored: Any) -> None:
            raise AssertionError("a replay starts from nothing")

    alerts, tally = replay([words.chunk("dull")] * 2, words.Detector(), Scripted())
    assert {one.group["group"] for one in alerts} == {"right", "waited", "late"}
    assert alerts[-1].group["group"] == "late"
    assert tally.late == 2
    assert "words/hit: quiet groups let go for want of room: 1,200" in caplog.text, "it is said aloud"


def test_a_line_of_json_has_what_is_promised(words: Any) -> None:
    line = alert_line(words.alert("a", revision=2, subject_count=5))
    assert line["first_event_at"] == "2026-03-27T13:00:00Z"
    assert line["last_event_at"] == "2026-03-27T13:00:02Z"
    assert {name: line[name] for name in ("rule", "playbook", "group", "count", "raises_incident", "people")} == {
        "rule": "hit",
        "playbook": "words",
        "group": {"group": "a"},
        "count": 2,
        "raises_incident": True,
        "people": 5,
    }
    assert line["id"] == words.alert("a").id


def test_merging_keeps_an_alert_before_the_one_that_supersedes_it(words: Any) -> None:
    first, grown = words.alert("a", revision=1, subjects=["s-1"]), words.alert("a", revision=2, subjects=["s-2"])
    heir = words.alert("b", supersedes=(first.id,))
    merged = merge_revisions([first, grown, heir])
    assert [(one.id, one.revision, one.subjects) for one in merged] == [
        (first.id, 2, ("s-1", "s-2")),
        (heir.id, 1, ()),
    ]
