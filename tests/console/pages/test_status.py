"""The status page: nothing that is wrong hides."""

from breachwatch.kernel.errors import UnavailableError
from breachwatch.kernel.streams import Tally


async def test_sources_tallies_and_dead_letters_are_shown_with_their_reasons(house, admin) -> None:
    house.status.update(
        sources=[
            {"name": "linux-sshd", "title": "sshd", "how": "file /var/log/auth.log", "state": "reading",
             "detail": "", "last_at": house.clock()},
            {"name": "web-access", "title": "Web", "how": "file", "state": "failed", "detail": "permission denied",
             "last_at": None},
        ],
        tallies={"linux-sshd": Tally(1000, 900, 3, {"not sshd": 77}, {"no time": 20, "<b>odd": 3})},
        broken_rules={"r-1": "TypeError"},
        troubles=["The disk is full; ingest refuses new records."],
        backlog=4,
    )  # fmt: skip
    page = (await admin.get("/status")).text
    for words in (
        "Web cannot be read: permission denied.", "no time", "&lt;b&gt;odd", "r-1", "The disk is full",
        "4 chunks taken in", "Something needs a look.",
    ):  # fmt: skip
        assert words in page, words
    assert "<b>odd" not in page


async def test_what_an_allow_list_sets_aside_is_shown_by_its_entry(house, admin) -> None:
    house.status.update(tallies={"web-access": Tally(9, 9, allowed={"scanner of <ours>": 7})})
    page = (await admin.get("/status")).text
    assert "Set aside because you allow it" in page
    assert "scanner of &lt;ours&gt;" in page
    told = (await admin.http.get("/api/status")).json()["tallies"]["web-access"]
    assert told["allowed"] == {"scanner of <ours>": 7}


async def test_a_quiet_service_says_that_all_is_well(house, admin) -> None:
    page = (await admin.get("/status")).text
    assert "All is well." in page
    assert "All rules run." in page
    assert "Nothing is configured to be read." in page


async def test_the_same_for_programs(house, admin) -> None:
    house.status.update(
        tallies={"app-audit": Tally(3, 2, 0, {}, {"not JSON": 1})}, sources=[{"last_at": house.clock()}]
    )
    data = (await admin.http.get("/api/status")).json()
    assert data["tallies"]["app-audit"] == {
        "records": 3, "events": 2, "late": 0, "ignored": {}, "dead": {"not JSON": 1}, "allowed": {},
    }  # fmt: skip
    assert data["sources"] == [{"last_at": "2026-03-27T10:42:00Z"}]
    assert all(isinstance(count, int) for count in data["outbox"].values())


async def test_health_is_open_and_says_no_more_than_it_must(house, visitor) -> None:
    answer = await visitor.http.get("/healthz")
    assert (answer.status_code, answer.text) == (200, "ok\n")


async def test_health_fails_while_the_ledger_is_away(house, visitor, monkeypatch) -> None:
    def away(*_: object) -> None:
        raise UnavailableError("database is locked")

    monkeypatch.setattr(type(house.store.ledger), "next_wake", away)
    answer = await visitor.http.get("/healthz")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert "locked" not in answer.text
