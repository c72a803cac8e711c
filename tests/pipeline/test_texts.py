"""The notices' texts as they would be approved: everything filled but the name, and nothing lacking."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from breachwatch.filings.commands import EditFiling
from breachwatch.kernel.facts import Actor
from breachwatch.kernel.streams import Alert
from breachwatch.notices.parts import missing_parts
from breachwatch.notices.placeholders import PLACEHOLDERS, names_in
from breachwatch.notices.render import render
from breachwatch.pipeline.texts import filled_texts, notice_values
from breachwatch.pipeline.world import World

Hour = Callable[[float], datetime]
Make = Callable[..., Alert]


def test_only_the_person_s_name_is_still_open(story: Any, alert: Make) -> None:
    texts = filled_texts(story.raised(alert()).case, story.world)
    assert set(texts) == {"en", "fr"}
    for text in texts.values():
        assert set(names_in(text.subject + text.markdown)) == {"person_name"}
        assert missing_parts(text.markdown) == ()


def test_every_placeholder_has_a_value_in_every_language(story: Any, alert: Make) -> None:
    case = story.raised(alert()).case
    for language in ("en", "fr", "de"):
        values = notice_values(case, story.world, language)
        assert values.keys() == PLACEHOLDERS.keys() - {"person_name"}
        assert all(values.values())


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("en", ["27 March 2026", "identity, contact details", "Type the address of our website", "CNIL"]),
        ("fr", ["27 mars 2026", "état civil, coordonnées", "Saisissez vous-même l'adresse", "réclamation"]),
    ],
)
def test_the_mail_says_when_what_how_to_check_it_and_where_to_complain(
    story: Any, alert: Make, language: str, expected: list[str]
) -> None:
    text = filled_texts(story.raised(alert()).case, story.world)[language]
    words = " ".join(render(text, {"person_name": "Alex Example"}, language).text.split())
    assert [part for part in [*expected, "https://shop.example/", "dpo@example.org"] if part not in words] == []


def test_an_organisation_s_name_is_only_a_name(make_world: Callable[..., World], story: Any, alert: Make) -> None:
    case = story.raised(alert()).case
    text = filled_texts(case, make_world(name="*Shop* {person_name} <b>"))["en"]
    mail = render(text, {"person_name": "Alex {website}"}, "en")
    assert "records of *Shop* {person_name} <b> were taken" in mail.text
    assert mail.text.startswith("Dear Alex {website},")
    assert "<b>" not in mail.html


def test_several_days_are_told_as_such(story: Any, alert: Make, hour: Hour) -> None:
    case = story.raised(alert(first_event_at=hour(-48))).case
    assert notice_values(case, story.world, "en")["occurred_on"] == "25 March 2026 – 27 March 2026"


def test_the_categories_follow_what_a_person_wrote_in_the_filing(
    story: Any, alert: Make, ines: Actor, hour: Hour
) -> None:
    story.raised(alert()).ask(EditFiling(ines, hour(1), "initial", {"data_categories": "financial; shoe sizes"}))
    assert notice_values(story.case, story.world, "en")["data_categories"] == "financial data, shoe sizes"
    story.ask(EditFiling(ines, hour(2), "initial", {"data_categories": "?"}))
    assert notice_values(story.case, story.world, "fr")["data_categories"] == "(pas encore connues)"


def test_late_evening_belongs_to_the_local_day(story: Any, alert: Make, hour: Hour) -> None:
    late = hour(0) + timedelta(hours=6)  # 23:00 UTC is past midnight in Paris
    case = story.raised(alert(first_event_at=late, last_event_at=late)).case
    assert notice_values(case, story.world, "en")["occurred_on"] == "28 March 2026"
