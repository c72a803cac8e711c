"""What logs and people wrote is shown as text, visibly, and does nothing."""

import re
import unicodedata
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from breachwatch.console.text import ago, clock_face, flat, lines, number, shown, time_tag
from breachwatch.kernel.ids import reference

PARIS = ZoneInfo("Europe/Paris")
ALLOWED = {"bdi", "span", "br"}


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


@given(st.text(max_size=200))
def test_no_text_brings_markup_or_unseen_characters(text: str) -> None:
    for made in (shown(text), lines(text)):
        reader = _Tags()
        reader.feed(str(made))
        assert reader.tags <= ALLOWED
        unseen = {c for c in str(made) if unicodedata.category(c) in ("Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp")}
        assert not unseen


@given(st.text(alphabet=st.characters(categories=["L", "N", "P", "S"]), max_size=200))
def test_plain_text_stays_as_it_is(text: str) -> None:
    reader = _Tags()
    reader.feed(str(shown(text)))
    assert reader.text == text


def test_a_user_agent_of_tags_and_overrides_shows_what_it_is() -> None:
    made = str(shown("<script>alert(1)</script>\u202efdp.exe\x1b[31m\n"))
    assert "&lt;script&gt;" in made
    for code in ("U+202E", "U+001B", "U+000A"):
        assert code in made
    assert "right-to-left override" in made


def test_long_values_are_cut_and_say_so() -> None:
    assert "… 1,600 more characters" in str(shown("x" * 2000))


def test_what_people_wrote_keeps_its_lines() -> None:
    assert str(lines("one\r\ntwo\n<b>")).count("<br>") == 2
    assert "<b>" not in str(lines("<b>"))


def test_times_are_local_with_offset_and_utc_for_machines() -> None:
    summer = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    made = str(time_tag(summer, PARIS))
    assert 'datetime="2026-03-29T01:30:00Z"' in made
    assert "Sun 29 Mar 2026, 03:30" in made
    assert "+02:00" in made
    assert "–" in str(time_tag(None, PARIS))


def test_a_clock_face_counts_hours_beyond_a_day_and_has_no_sign() -> None:
    assert clock_face(timedelta(hours=71, minutes=59, seconds=58)) == "71:59:58"
    assert clock_face(timedelta(hours=-4, seconds=-1)) == "04:00:01"


@given(st.integers(min_value=0, max_value=10**9))
def test_numbers_lose_no_digit(value: int) -> None:
    assert re.sub(r"\D", "", number(value)) == str(value)


def test_coarse_times() -> None:
    now = datetime(2026, 1, 2, tzinfo=UTC)
    assert ago(now, now) == "just now"
    assert ago(now - timedelta(minutes=3), now) == "3 min ago"
    assert ago(now + timedelta(hours=2), now) == "in 2 h"
    assert ago(now - timedelta(days=9), now) == "9 d ago"


def test_samples_are_flattened_in_their_order() -> None:
    sample = {"a": {"b": 1, "c": {"d": ["x", 2]}}, "e": None, "f": ""}
    assert list(flat(sample)) == [("a.b", "1"), ("a.c.d", "x, 2"), ("f", "")]


def test_an_incident_is_called_by_eight_characters() -> None:
    assert reference("in-kqd2dxhfw4pvti6zgk4ynjvcne") == "KQD2 DXHF"
