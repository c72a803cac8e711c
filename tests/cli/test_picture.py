"""Bars for a terminal and for a document: as long as what they stand for."""

import re
from xml.etree import ElementTree

import pytest

from breachwatch.cli.picture import bar, svg
from breachwatch.detection.rules import Correlation
from breachwatch.detection.trying.tuning import Trial, Tuned

MINUTE = 60_000_000


def _trial(bound: float, alerts: int, *, minutes: int = 5, current: bool = False) -> Trial:
    return Trial((("gte", bound),), minutes * MINUTE, current, alerts, groups=alerts, events=alerts * 10)


def _tuned(*trials: Trial, title: str = "Many <doors> opened") -> Tuned:
    correlation = Correlation(
        playbook="doors", id="c-1", title=title, name="", level="high", kind="event_count", inputs=(), group=(),
        tests=(("gte", 8.0),), timespan_us=5 * MINUTE, ways=(), suppress_us=0, lateness_us=0, sources=(),
        max_samples=10, alerts=True, raises_incident=False, shape="",
    )  # fmt: skip
    return Tuned(correlation, trials, (), top_is_current=True)


@pytest.mark.parametrize(
    ("part", "whole", "drawn"),
    [(0, 9, ""), (9, 9, "████████"), (9, 18, "████"), (1, 64, "▏"), (1, 9_000, "▏"), (3, 64, "▍"), (5, 0, "")],
)
def test_a_bar_is_exact_to_an_eighth_of_a_character_and_whatever_is_not_nothing_is_seen(
    part: int, whole: int, drawn: str
) -> None:
    assert bar(part, whole, width=8) == drawn


def test_the_picture_has_a_bar_for_each_trial_and_says_which_is_in_force() -> None:
    picture = svg([_tuned(_trial(2, 40), _trial(8, 10, current=True), _trial(99, 0))]).decode()
    assert ElementTree.fromstring(picture).tag.endswith("svg")  # noqa: S314 - our own
    assert "Many &lt;doors&gt; opened" in picture
    assert "alerts at each threshold within 5m" in picture
    widths = [int(width) for width in re.findall(r'class="bar"[^>]* width="(\d+)"', picture)]
    assert widths == [400, 100, 0]
    assert re.findall(r">(\d+ now)<", picture) == ["10 now"]
    assert "<title>10 alerts in 10 groups</title>" in picture


def test_where_timespans_differ_each_row_names_its_own() -> None:
    picture = svg([_tuned(_trial(2, 1), _trial(2, 1, minutes=60))]).decode()
    assert "≥ 2 in 5m" in picture
    assert "≥ 2 in 1h" in picture
    assert "<title>1 alert in 1 group</title>" in picture


def test_what_never_alerts_is_left_out_unless_nothing_does() -> None:
    quiet, loud = _tuned(_trial(2, 0), title="Quiet"), _tuned(_trial(2, 3), title="Loud")
    assert b"Quiet" not in svg([quiet, loud])
    assert b"Quiet" in svg([quiet])
