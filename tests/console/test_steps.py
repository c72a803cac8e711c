"""The way of a case: there is always one next step, until there is none."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from breachwatch.console.steps import clock_words, next_action, steps
from breachwatch.kernel.ids import IncidentId
from breachwatch.kernel.ports import CaseSummary

AT = datetime(2026, 3, 27, 9, tzinfo=UTC)
FRESH = CaseSummary(
    IncidentId("in-x"), 5, "p", "Title", "open", {}, AT, AT, AT, AT, AT, False, "high", 3.0,
    "notify_authority_and_people", False, 1, 7, 4, False, "draft", "drafted", None,
)  # fmt: skip
WAY = [
    ({}, "confirm or dismiss it"),
    ({"status": "confirmed"}, "decide what is owed"),
    ({"decided": True}, "approve the filing"),
    ({"filing": "approved"}, "hand in the filing and record it"),
    ({"filing": "submitted", "notified_at": AT}, "approve the notices"),
    ({"notices": "approved"}, "wait for the mails to leave"),
    ({"notices": "done"}, "close it"),
    ({"status": "closed"}, ""),
]


def test_each_step_opens_the_next() -> None:
    row = FRESH
    for change, action in WAY:
        row = replace(row, **change)
        assert next_action(row) == action


def test_exactly_one_step_is_next_at_any_time() -> None:
    row = FRESH
    for change, action in WAY:
        row = replace(row, **change)
        assert sum(step.mark == "now" for step in steps(row)) == (1 if action else 0)


def test_what_is_not_owed_is_no_step() -> None:
    names = [step.name for step in steps(replace(FRESH, duty="record_only", decided=True))]
    assert names == ["Confirmed", "Decided", "Closed"]
    assert "Notices approved" not in [step.name for step in steps(replace(FRESH, duty="notify_authority"))]
    assert steps(replace(FRESH, status="dismissed")) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"status": "dismissed"}, "Dismissed"),
        ({"status": "confirmed", "notified_at": AT}, "Authority told"),
        ({"status": "confirmed", "decided": True, "duty": "record_only"}, "Record only"),
        ({}, "No clock"),
    ],
)
def test_a_case_without_a_clock_says_why(change: dict[str, object], words: str) -> None:
    assert clock_words(replace(FRESH, **change)) == words
