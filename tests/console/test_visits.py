"""What forms say is read strictly, and a fault names its field."""

from datetime import UTC, datetime

import pytest

from breachwatch.console.sessions import Sessions
from breachwatch.console.templating import environment, read_assets
from breachwatch.console.visits import BadFormError, Desk, ForbiddenError, Visit

NOW = datetime(2026, 3, 27, 9, tzinfo=UTC)


@pytest.fixture
def visit(house):
    def make(**fields: str) -> Visit:
        assets = read_assets()
        desk = Desk(house.parts, Sessions(house.parts.team, house.clock), environment(assets), assets)
        return Visit(desk, NOW, "/", {}, {}, {name: [value] for name, value in fields.items()})

    return make


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-03-27T18:05", "2026-03-27T17:05:00+00:00"),
        ("2026-07-01T18:05", "2026-07-01T16:05:00+00:00"),
        ("2026-03-27T18:05:30Z", "2026-03-27T18:05:30+00:00"),
        ("2026-03-27T18:05+05:30", "2026-03-27T12:35:00+00:00"),
        ("2026-10-25T02:30", "2026-10-25T00:30:00+00:00"),  # comes twice that night; the earlier is the cautious one
    ],
)
def test_local_times_are_of_the_organisation(visit, written: str, meant: str) -> None:
    assert visit(at=written).instant("at", "When").isoformat() == meant


@pytest.mark.parametrize("written", ["soon", "2026-13-01T00:00", "27/03/2026", "0001-01-01T00:00", "99999-01-01T00:00"])
def test_what_is_no_time_names_its_field(visit, written: str) -> None:
    with pytest.raises(BadFormError, match="When it began"):
        visit(at=written).instant("at", "When it began")


def test_an_empty_time_is_unknown_unless_it_is_needed(visit) -> None:
    assert visit(at=" ").instant("at", "When") is None
    with pytest.raises(BadFormError, match="When"):
        visit(at=" ").instant("at", "When", required=True)


@pytest.mark.parametrize(("written", "meant"), [("", None), ("0", 0), ("12 480", 12480), ("12\u00a0480", 12480)])
def test_numbers_are_whole_or_unknown(visit, written: str, meant: int | None) -> None:
    assert visit(n=written).number("n", "People") == meant


@pytest.mark.parametrize("written", ["-1", "1.5", "1e9", "many", "9" * 13, "٣"])
def test_what_is_no_number_names_its_field(visit, written: str) -> None:
    with pytest.raises(BadFormError, match="People"):
        visit(n=written).number("n", "People")


def test_a_form_without_its_state_of_the_case_is_refused(visit) -> None:
    for written in ("", "x", "-1"):
        with pytest.raises(BadFormError):
            visit(seq=written).seq()


def test_text_is_trimmed_and_its_line_ends_are_plain(visit) -> None:
    assert visit(t="  one\r\ntwo\x00 ").text("t") == "one\ntwo"


def test_nobody_speaks_without_a_session(visit) -> None:
    with pytest.raises(ForbiddenError):
        _ = visit().actor
