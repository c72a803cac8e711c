"""What every room asks of a command, and how a refusal sounds."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from breachwatch.kernel.asking import require_past, require_role, require_text
from breachwatch.kernel.errors import RefusedError
from breachwatch.kernel.facts import SYSTEM, Actor

NOW = datetime(2026, 3, 27, 17, tzinfo=UTC)


def test_a_person_with_one_of_the_roles_passes() -> None:
    require_role(Actor("dora", "person", frozenset({"dpo", "admin"})), "close an incident", "analyst", "dpo")


@pytest.mark.parametrize("actor", [SYSTEM, Actor("visitor"), Actor("robot", "system", frozenset({"dpo"}))])
def test_art_22_no_part_of_this_program_passes_for_a_person(actor: Actor) -> None:
    with pytest.raises(RefusedError, match=r"^only an analyst or a DPO may close an incident$"):
        require_role(actor, "close an incident", "analyst", "dpo")


def test_words_lose_their_outer_blanks_and_must_be_there() -> None:
    assert require_text(" a load test\n", "say why") == "a load test"
    with pytest.raises(RefusedError, match=r"^say why$"):
        require_text(" \n\t", "say why")


def test_an_instant_arrives_in_utc_and_must_have_passed() -> None:
    paris = timezone(timedelta(hours=1))
    assert require_past(NOW.astimezone(paris), NOW, "the time").isoformat() == "2026-03-27T17:00:00+00:00"
    with pytest.raises(RefusedError, match="the time lies in the future"):
        require_past(NOW + timedelta(microseconds=1), NOW, "the time")
    with pytest.raises(RefusedError, match="the time needs a time zone"):
        require_past(NOW.replace(tzinfo=None), NOW, "the time")
    with pytest.raises(RefusedError, match="before the year 1900"):
        require_past(NOW.replace(year=202), NOW, "the time")
