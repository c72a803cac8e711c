"""The courier between the outbox and a relay: no one person's mail, and no one case, keeps the others waiting."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.message import EmailMessage
from typing import Any

import pytest

from breachwatch.couriers.courier import LEASE, Courier, Sender
from breachwatch.couriers.reply import Accepted, PersonDeferred, PersonRefused, ServerTrouble, Verdict
from breachwatch.kernel.errors import HeldError, NotFoundError, TamperedError, UnavailableError
from breachwatch.kernel.ids import IncidentId
from breachwatch.kernel.ports import Letter, OutboxItem, OutboxKind, OutboxRow, Waypoint, passing
from breachwatch.ledger.keys import Keys
from breachwatch.ledger.outbox import SqlOutbox
from breachwatch.ledger.store import Store, open_ledger
from breachwatch.pipeline.case import codec

HOME = IncidentId("in-home")


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    opened = open_ledger(store_url, Keys(b"m" * 32, b"p" * 32), codec())
    yield opened
    opened.close()


@dataclass
class Desk:
    """Writes letters; what is listed under an item's id is raised, or is the address, instead."""

    odd: dict[str, Any] = field(default_factory=dict)

    def letter(self, row: OutboxRow) -> Letter:
        found = self.odd.get(row.item.id, f"{row.item.id}@example.org")
        if isinstance(found, Exception):
            raise found
        return Letter(found, "About your data", "Dear reader,\n", "<p>Dear reader,</p>", "en")


@dataclass
class Relay:
    """Takes everything but what `says` gives another verdict for; `took` are the envelopes' addresses, `ids` all tries.

    `in_hand` is called with the mail in the server's hands, before it answers.
    """

    took: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    says: Callable[[str], Verdict] = lambda to: Accepted("250 kept")
    in_hand: Callable[[], object] = lambda: None

    async def send(self, mail: EmailMessage, sender: str, to: str) -> Verdict:
        self.ids.append(mail["Message-ID"])
        verdict = self.says(to)
        if isinstance(verdict, Accepted):
            self.took.append(to)
        self.in_hand()
        return verdict

    async def close(self) -> None:
        return None


@dataclass
class Office:
    """An outbox, who writes, and who carries."""

    store: Store
    clock: Any
    desk: Desk = field(default_factory=Desk)
    relay: Relay = field(default_factory=Relay)
    waypoint: Waypoint = passing

    def __post_init__(self) -> None:
        self.courier = self.hire("one")

    def hire(self, owner: str) -> Courier:
        """Another courier, or the same after a restart."""
        sender = Sender("privacy@shop.example", "Shop")
        return Courier(self.store.outbox, self.desk, self.relay, sender, self.clock, owner, self.waypoint)

    def put(self, *names: str, kind: OutboxKind = "notice") -> None:
        with self.store.ledger.begin() as tx:
            tx.enqueue([OutboxItem(name, kind, HOME, self.clock(), name, "en", {"approval": 1}) for name in names])

    def carry(self) -> list[str]:
        """Carry all that is due; who was mailed."""
        before = len(self.relay.took)
        while asyncio.run(self.courier.step()):
            pass
        return self.relay.took[before:]

    def row(self, name: str) -> OutboxRow:
        return next(row for row in self.store.ledger.notices(HOME) if row.item.id == name)

    def became(self, name: str) -> tuple[str, str]:
        return self.row(name).state, self.row(name).reply

    def waits(self, name: str) -> timedelta:
        """How long until this is tried again."""
        due = self.row(name).next_attempt_at
        now: datetime = self.clock()
        assert due is not None
        return due - now


@pytest.fixture
def office(store: Store, clock: Any) -> Office:
    return Office(store, clock)


@pytest.mark.parametrize(
    "oddity",
    [
        IndexError("list index out of range"),
        ValueError("Header values may not contain linefeed"),
        TamperedError("a contact does not open"),
        NotFoundError("the contact is gone"),
        "=??b?!.?=@?^=Z^",  # the standard library's parser of mail headers stumbles over it
        "=?utf-8?q?eve=40example=2Eorg,?=@example.org",
        "not an address",
    ],
)
def test_one_persons_odd_data_keep_nobody_else_from_being_told(office: Office, oddity: object) -> None:
    office.desk.odd["odd"] = oddity
    office.put("first", "odd", "last")
    assert office.carry() == ["first@example.org", "last@example.org"]
    state, reply = office.became("odd")
    assert (state, reply.partition(":")[0]) in {("retry", "not written"), ("refused", "not sent")}


def test_a_fault_of_ours_is_tried_again_and_not_held_against_the_person(office: Office, clock: Any) -> None:
    office.desk.odd["odd"] = IndexError()
    office.put("odd")
    assert office.carry() == []
    assert office.became("odd") == ("retry", "not written: IndexError")
    del office.desk.odd["odd"]
    clock.advance(timedelta(minutes=1))
    assert office.carry() == ["odd@example.org"]


def test_what_is_held_waits_for_as_long_as_it_takes_and_then_goes(office: Office, clock: Any) -> None:
    office.desk.odd["one"] = HeldError("the incident was dismissed")
    office.put("one")
    for _ in range(30):
        assert office.carry() == []
        clock.advance(timedelta(hours=8))
    assert office.became("one") == ("retry", "held: the incident was dismissed")
    del office.desk.odd["one"]
    assert office.carry() == ["one@example.org"]


def test_a_reminder_to_the_team_does_not_wait_behind_the_notices(office: Office, clock: Any) -> None:
    office.put("a", "b", "c")
    clock.advance(timedelta(minutes=1))
    office.put("team", kind="team_mail")
    assert office.carry() == ["team@example.org", "a@example.org", "b@example.org", "c@example.org"]


# ---------------------------------------------------------------------------------------------- one person's answers


def test_who_is_deferred_is_tried_again_ever_more_seldom_and_given_up_after_five_days(
    office: Office, clock: Any
) -> None:
    """RFC 5321, section 4.5.4.1."""
    office.relay.says = lambda to: PersonDeferred("450 4.2.0 greylisted")
    began = clock()
    office.put("slow")
    pauses = []
    while office.carry() == [] and office.became("slow")[0] == "retry":
        pauses.append(office.waits("slow"))
        clock.advance(pauses[-1])
    minutes = [pause / timedelta(minutes=1) for pause in pauses]
    assert minutes[:7] == [1, 2, 4, 8, 16, 32, 60]
    assert set(minutes[7:]) == {60}
    assert timedelta(days=5) <= clock() - began <= timedelta(days=5, hours=1)
    assert office.became("slow") == ("refused", "gave up after 5 days; last answer: 450 4.2.0 greylisted")


def test_a_refusal_is_believed_once_the_relay_has_taken_another_persons_mail_since(office: Office, clock: Any) -> None:
    refuse(office, "gone")
    office.put("first", "gone", "last")
    assert office.carry() == ["first@example.org", "last@example.org"]
    assert office.became("gone") == ("retry", "550 5.1.1 no such user")
    clock.advance(timedelta(minutes=1))
    assert office.carry() == []
    assert office.became("gone") == ("refused", "550 5.1.1 no such user")
    clock.advance(timedelta(days=1))
    assert office.carry() == []


def test_a_relay_that_takes_nobodys_mail_is_believed_after_two_hours_of_saying_so(office: Office, clock: Any) -> None:
    refuse(office, "gone")
    began = clock()
    office.put("gone")
    while office.carry() == [] and office.became("gone")[0] == "retry":
        clock.advance(office.waits("gone"))
    assert office.became("gone")[0] == "refused"
    assert clock() - began > timedelta(hours=2)


@pytest.mark.parametrize("before", [(), ("early",)])
def test_a_relay_that_refuses_everybody_for_an_hour_costs_nobody_their_notice(
    office: Office, clock: Any, before: tuple[str, ...]
) -> None:
    """It takes the team's mail and may have taken notices, and then, set up wrongly, refuses every customer."""
    people = [f"p{n}" for n in range(20)]
    office.put(*before)
    office.carry()
    refuse(office, *people)
    office.put(*people)
    for minute in range(60):
        office.put(f"team{minute}", kind="team_mail")
        assert office.carry() == [f"team{minute}@example.org"]
        clock.advance(timedelta(minutes=1))
    assert {office.became(name)[0] for name in people} == {"retry"}
    refuse(office)
    clock.advance(timedelta(hours=1))
    assert sorted(office.carry()) == sorted(f"{name}@example.org" for name in people)


# ---------------------------------------------------------------------------------------------- the relay's troubles


def test_a_relay_in_trouble_is_given_a_rest_in_which_nobody_is_tried(office: Office, clock: Any) -> None:
    office.relay.says = lambda to: ServerTrouble("ConnectError: refused")
    office.put("a", "b", "c")
    assert office.courier.trouble == ""
    rests: list[float] = []
    for _ in range(12):
        assert office.carry() == []
        assert len(office.relay.ids) == len(rests) + 1, "one try finds out that it is still in trouble"
        rests.append(office.waits(office.relay.ids[-1][1:].partition("@")[0]).total_seconds())
        clock.advance(timedelta(seconds=rests[-1] - 1))
        assert office.carry() == []
        clock.advance(timedelta(seconds=1))
    assert office.courier.trouble.startswith(
        "the relay takes no mail (ConnectError: refused); trying again at 2026-03-2"
    )
    assert rests == [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600]
    office.relay.says = lambda to: Accepted("250 kept")
    assert sorted(office.carry()) == ["a@example.org", "b@example.org", "c@example.org"]
    assert office.courier.trouble == ""


def test_the_desk_can_tell_that_a_mail_may_have_got_through(office: Office) -> None:
    office.relay.says = lambda to: ServerTrouble("TimeoutError", perhaps_sent=True)
    office.put("a")
    office.carry()
    assert office.became("a") == ("retry", "TimeoutError; the mail may have got through, the answer did not")


# ---------------------------------------------------------------------------------------------- death and its leases


class KilledError(BaseException):
    """The process is gone."""


@pytest.mark.parametrize(
    ("place", "taken"),
    [("courier:after-lease", 0), ("courier:before-send", 0), ("courier:after-reply", 1), ("courier:after-record", 1)],
)
def test_what_a_dead_courier_held_goes_again_under_the_same_message_id_once_its_lease_has_ended(
    store: Store, clock: Any, place: str, taken: int
) -> None:
    office = Office(store, clock, waypoint=killer(place))
    office.put("a")
    with pytest.raises(KilledError):
        office.carry()
    assert len(office.relay.took) == taken
    office.waypoint = passing
    office.courier = office.hire("two")
    clock.advance(LEASE - timedelta(seconds=1))
    assert office.carry() == [], "its lease may still be somebody's"
    clock.advance(timedelta(seconds=1))
    office.carry()
    assert set(office.relay.ids) == {"<a@shop.example>"}
    assert office.became("a")[0] == "sent"
    assert len(office.relay.took) == (2 if place == "courier:after-reply" else 1)


def test_two_couriers_never_hold_the_same_mail(office: Office) -> None:
    other = office.hire("two")
    office.put("a", "b")

    async def both() -> None:
        while any(await asyncio.gather(office.courier.step(), other.step())):
            pass

    asyncio.run(both())
    assert sorted(office.relay.took) == ["a@example.org", "b@example.org"]


def test_an_answer_that_comes_after_the_lease_has_ended_is_recorded_all_the_same(office: Office, clock: Any) -> None:
    office.relay.in_hand = lambda: clock.advance(LEASE + timedelta(minutes=1))
    office.put("a")
    assert office.carry() == ["a@example.org"]
    assert office.became("a")[0] == "sent"


# ---------------------------------------------------------------------------------------------- a locked outbox


def test_an_answer_that_cannot_be_recorded_is_kept_and_nothing_else_is_sent_until_it_is(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.put("a", "b")
    with monkeypatch.context() as locked:
        locked.setattr(SqlOutbox, "sent", unavailable)
        for _ in range(3):
            with pytest.raises(UnavailableError):
                office.carry()
    assert office.relay.took == ["a@example.org"]
    assert office.carry() == ["b@example.org"]
    assert office.became("a")[0] == office.became("b")[0] == "sent"


async def test_an_answer_kept_is_recorded_before_the_courier_ends(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.put("a")
    with monkeypatch.context() as locked:
        locked.setattr(SqlOutbox, "sent", unavailable)
        with pytest.raises(UnavailableError):
            await office.courier.step()
    ended = asyncio.Event()
    ended.set()
    await office.courier.run(ended)
    assert office.became("a")[0] == "sent"


def test_a_letter_that_the_ledger_cannot_give_now_waits_and_is_nobodys_fault(office: Office, clock: Any) -> None:
    office.desk.odd["a"] = UnavailableError("the ledger is locked by another program")
    office.put("a", "b")
    assert office.carry() == ["b@example.org"]
    assert office.became("a") == ("retry", "waits: the ledger is locked by another program")
    del office.desk.odd["a"]
    clock.advance(timedelta(minutes=1))
    assert office.carry() == ["a@example.org"]


def refuse(office: Office, *names: str) -> None:
    """From now on these, and nobody else, are refused."""
    gone = {f"{name}@example.org" for name in names}
    office.relay.says = lambda to: PersonRefused("550 5.1.1 no such user") if to in gone else Accepted("250 kept")


def killer(place: str) -> Waypoint:
    fatal = place

    def waypoint(place: str) -> None:
        if place == fatal:
            raise KilledError(place)

    return waypoint


def unavailable(*_: object) -> None:
    raise UnavailableError("the ledger is locked by another program")


def test_a_courier_whose_clock_is_wrong_sends_no_mail_that_another_has_in_hand(office: Office, clock: Any) -> None:
    """Leases go by a clock that all share; else one that is behind would lease what has ended before it began."""
    for wrong in (-timedelta(hours=1), timedelta(hours=1)):
        sender = Sender("privacy@shop.example", "Shop")

        def bent(by: timedelta = wrong) -> datetime:
            at: datetime = clock()
            return at + by

        odd = Courier(office.store.outbox, office.desk, office.relay, sender, bent, "odd", agreed=clock)
        for first, second in ((odd, office.courier), (office.courier, odd)):
            office.put(name := f"mail-{wrong > timedelta(0)}-{first is odd}")
            office.relay.ids.clear()
            assert asyncio.run(_while_in_hand(office, first, second)) == [True, False]
            assert len(office.relay.ids) == 1
            assert office.became(name)[0] == "sent"


async def _while_in_hand(office: Office, first: Courier, second: Courier) -> list[bool]:
    """Let one courier carry, and another look for work before the relay has answered."""
    looked: list[bool] = []

    class Slow(Relay):
        async def send(self, mail: EmailMessage, sender: str, to: str) -> Verdict:
            looked.append(await second.step())
            return await office.relay.send(mail, sender, to)

    first._transport, before = Slow(), first._transport
    try:
        return [await first.step(), *looked]
    finally:
        first._transport = before
