"""The filing as stories: who may write, approve and hand in, and what stands against it."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from breachwatch.filings.commands import ApproveFiling, EditFiling, RecordSubmission, TakeOverFiling
from breachwatch.filings.decide import decide
from breachwatch.filings.facts import FilingApproved, FilingEdited, FilingSubmitted
from breachwatch.filings.forms.model import Form
from breachwatch.filings.state import Filing
from breachwatch.kernel.errors import OutOfOrderError, RefusedError
from breachwatch.kernel.facts import SYSTEM, Actor

Hour = Callable[[float], datetime]
Approval = Callable[..., ApproveFiling]
Carry = Callable[..., Filing]


def submission(by: Actor, at: datetime, **changes: Any) -> RecordSubmission:
    plain: dict[str, Any] = {"submitted_at": at, "reference": "FR-2026-17", "channel": "online form"}
    return RecordSubmission(by, at, **plain | changes)


class TestWriting:
    def test_what_a_person_writes_is_kept_with_their_name(self, form: Form, ines: Actor, hour: Hour) -> None:
        said = decide(Filing(), EditFiling(ines, hour(1), "initial", {"consequences": "  Phishing.\r\nFraud. "}), form)
        assert said == [FilingEdited("initial", {"consequences": "Phishing.\nFraud."}, "ines")]

    def test_writing_the_same_again_says_nothing(self, form: Form, ines: Actor, hour: Hour, carry_out: Carry) -> None:
        edit = EditFiling(ines, hour(1), "initial", {"consequences": "Phishing."})
        assert decide(carry_out(Filing(), edit), edit, form) == []

    def test_an_empty_text_gives_the_field_back_to_the_evidence(
        self, form: Form, ines: Actor, hour: Hour, carry_out: Carry
    ) -> None:
        written = carry_out(
            Filing(),
            EditFiling(ines, hour(1), "initial", {"consequences": "Phishing."}),
            EditFiling(ines, hour(2), "initial", {"consequences": ""}),
        )
        assert written.edits == {}

    def test_an_unknown_field_is_refused_with_the_nearest_one(self, form: Form, ines: Actor, hour: Hour) -> None:
        with pytest.raises(RefusedError, match=r'no field "consequence"; did you mean "consequences"\?'):
            decide(Filing(), EditFiling(ines, hour(1), "initial", {"consequence": "x"}), form)

    def test_every_mistake_is_told_at_once(self, form: Form, ines: Actor, hour: Hour) -> None:
        wrong = {"people_count": "many", "started_at": "yesterday", "severity": "huge", "notification_kind": "complete"}
        with pytest.raises(RefusedError) as refusal:
            decide(Filing(), EditFiling(ines, hour(1), "initial", wrong), form)
        assert [text in str(refusal.value) for text in ("120-340", "offset", "negligible", "follows from the case")]

    def test_the_machine_writes_nothing(self, form: Form, hour: Hour) -> None:
        with pytest.raises(RefusedError, match="write in the filing"):
            decide(Filing(), EditFiling(SYSTEM, hour(1), "initial", {"consequences": "x"}), form)

    @pytest.mark.parametrize("phase", ["complementary", "final"])
    def test_a_first_notification_is_initial_or_complete(self, form: Form, ines: Actor, hour: Hour, phase: Any) -> None:
        with pytest.raises(RefusedError):
            decide(Filing(), EditFiling(ines, hour(1), phase, {}), form)


class TestArt22OnlyADpoApproves:
    def test_the_approval_keeps_the_fields_as_they_were(
        self, form: Form, approval: Approval, camille: Actor, hour: Hour
    ) -> None:
        asked = approval(Filing())
        said = decide(Filing(), asked, form)
        assert said == [FilingApproved("initial", asked.fields, asked.digest_seen, "", "camille", hour(5))]

    @pytest.mark.parametrize(
        "nobody",
        [SYSTEM, Actor("noor", roles=frozenset({"analyst", "admin"})), Actor("x", "system", frozenset({"dpo"}))],
    )
    def test_nobody_else_may(self, form: Form, approval: Approval, nobody: Actor) -> None:
        with pytest.raises(RefusedError, match="only a DPO"):
            decide(Filing(), approval(Filing(), by=nobody), form)

    def test_nobody_approves_what_they_did_not_read(self, form: Form, approval: Approval) -> None:
        with pytest.raises(RefusedError, match="changed since you looked"):
            decide(Filing(), approval(Filing(), digest_seen="0" * 64), form)

    def test_the_drafter_may_not_approve_while_another_could(
        self, form: Form, approval: Approval, ines: Actor, hour: Hour, carry_out: Carry
    ) -> None:
        drafted = carry_out(Filing(), EditFiling(ines, hour(1), "initial", {"consequences": "Fraud."}))
        with pytest.raises(RefusedError, match="somebody else"):
            decide(drafted, approval(drafted, by=ines), form)
        assert decide(drafted, approval(drafted), form)
        assert decide(drafted, approval(drafted, by=ines, other_people=False), form)  # who works alone may

    def test_who_wrote_may_approve_once_another_has_read_it_and_taken_it_over(
        self, form: Form, approval: Approval, ines: Actor, camille: Actor, hour: Hour, carry_out: Carry
    ) -> None:
        drafted = carry_out(Filing(), EditFiling(camille, hour(1), "initial", {"consequences": "Fraud."}))
        with pytest.raises(RefusedError, match="takes it over"):
            decide(drafted, approval(drafted, by=camille), form)
        assert decide(drafted, TakeOverFiling(camille, hour(2)), form) == [], "nobody takes over from themselves"
        taken = carry_out(drafted, TakeOverFiling(ines, hour(2)))
        assert (taken.drafter, taken.edits) == ("ines", drafted.edits)
        assert decide(taken, TakeOverFiling(ines, hour(3)), form) == []
        approved = carry_out(taken, approval(taken, by=camille))
        assert decide(approved, TakeOverFiling(camille, hour(4)), form) == [], "what is approved stays approved"

    def test_nobody_takes_over_what_nobody_wrote_and_no_machine_takes_over(
        self, form: Form, ines: Actor, hour: Hour
    ) -> None:
        assert decide(Filing(), TakeOverFiling(ines, hour(1)), form) == []
        with pytest.raises(RefusedError, match="only an analyst or a DPO"):
            decide(Filing(drafter="camille"), TakeOverFiling(SYSTEM, hour(1)), form)

    def test_approving_twice_is_one_approval(self, form: Form, approval: Approval, carry_out: Carry) -> None:
        approved = carry_out(Filing(), approval(Filing()))
        assert decide(approved, approval(approved), form) == []

    def test_writing_after_the_approval_ends_it(
        self, form: Form, approval: Approval, ines: Actor, hour: Hour, carry_out: Carry
    ) -> None:
        state = carry_out(
            Filing(), approval(Filing()), EditFiling(ines, hour(6), "initial", {"consequences": "Fraud."})
        )
        with pytest.raises(OutOfOrderError):
            decide(state, submission(ines, hour(7)), form)
        again = carry_out(state, approval(state), submission(ines, hour(7)))
        assert (len(again.approvals), len(again.submissions), again.awaiting_submission) == (2, 1, None)


class TestArt33:
    def test_33_1_a_late_filing_needs_reasons(self, form: Form, approval: Approval) -> None:
        with pytest.raises(RefusedError, match="reasons for the delay"):
            decide(Filing(), approval(Filing(), overdue=True, delay_reasons="  "), form)
        (said,) = decide(Filing(), approval(Filing(), overdue=True, delay_reasons="Over a holiday."), form)
        assert isinstance(said, FilingApproved)
        assert said.delay_reasons == "Over a holiday."

    def test_33_1_the_reasons_may_stand_in_the_form(
        self, form: Form, approval: Approval, ines: Actor, hour: Hour, carry_out: Carry
    ) -> None:
        written = carry_out(Filing(), EditFiling(ines, hour(80), "initial", {"delay_reasons": "Over a holiday."}))
        (said,) = decide(written, approval(written, overdue=True), form)
        assert isinstance(said, FilingApproved)
        assert said.delay_reasons == "Over a holiday."

    def test_33_3_a_required_field_must_be_filled_or_marked_unknown(self, form: Form, approval: Approval) -> None:
        fields = dict(approval(Filing()).fields)
        del fields["consequences"]
        with pytest.raises(RefusedError, match="neither filled nor marked"):
            decide(Filing(), approval(Filing(), fields=fields), form)
        fields["consequences"] = ""
        assert decide(Filing(), approval(Filing(), fields=fields), form)

    def test_33_4_a_complete_notification_leaves_nothing_open(
        self, form: Form, approval: Approval, ines: Actor, hour: Hour, carry_out: Carry
    ) -> None:
        state = carry_out(Filing(), EditFiling(ines, hour(1), "complete", {"people_count": "?"}))
        with pytest.raises(RefusedError, match="Approximate number of people"):
            decide(state, approval(state), form)

    def test_33_4_information_may_come_in_phases(
        self, form: Form, approval: Approval, ines: Actor, hour: Hour, carry_out: Carry
    ) -> None:
        first = carry_out(Filing(), approval(Filing()), submission(ines, hour(6)))
        assert first.phase == "complementary"
        second = carry_out(first, approval(first), submission(ines, hour(30), reference="FR-2026-18"))
        last = carry_out(second, EditFiling(ines, hour(31), "complete", {"people_count": "200"}))
        done = carry_out(last, approval(last), submission(ines, hour(40), reference="FR-2026-19"))
        assert [one.phase for one in done.submissions] == ["initial", "complementary", "complete"]
        with pytest.raises(RefusedError, match="already"):
            decide(done, EditFiling(ines, hour(41), "initial", {}), form)

    def test_what_was_written_stays_for_the_next_phase_but_its_drafter_does_not(
        self, approval: Approval, ines: Actor, camille: Actor, hour: Hour, carry_out: Carry
    ) -> None:
        state = carry_out(Filing(), EditFiling(ines, hour(1), "initial", {"consequences": "Fraud."}))
        state = carry_out(state, approval(state), submission(ines, hour(6)))
        assert (state.edits, state.drafter) == ({"consequences": "Fraud."}, "")


class TestHandingIn:
    def test_it_needs_an_approval(self, form: Form, ines: Actor, hour: Hour) -> None:
        with pytest.raises(OutOfOrderError, match="approve it first"):
            decide(Filing(), submission(ines, hour(6)), form)

    def test_it_names_which_approval_was_handed_in(
        self, form: Form, approval: Approval, ines: Actor, hour: Hour, carry_out: Carry
    ) -> None:
        approved = carry_out(Filing(), approval(Filing()))
        assert decide(approved, submission(ines, hour(6)), form) == [
            FilingSubmitted("initial", hour(6), "FR-2026-17", "online form", approved.approvals[0].digest)
        ]

    def test_noting_it_twice_is_one_submission(
        self, form: Form, approval: Approval, ines: Actor, hour: Hour, carry_out: Carry
    ) -> None:
        done = carry_out(Filing(), approval(Filing()), submission(ines, hour(6)))
        assert decide(done, submission(ines, hour(6)), form) == []

    @pytest.mark.parametrize(
        ("missing", "asked"),
        [
            ({"reference": " "}, "reference"),
            ({"channel": ""}, "how the filing"),
            ({"submitted_at": datetime(2030, 1, 1, tzinfo=UTC)}, "future"),
            ({"submitted_at": datetime(2026, 3, 27, 20)}, "time zone"),  # noqa: DTZ001 -- the mistake under test
        ],
    )
    def test_what_is_missing_is_asked_for(
        self,
        form: Form,
        approval: Approval,
        ines: Actor,
        hour: Hour,
        carry_out: Carry,
        missing: dict[str, Any],
        asked: str,
    ) -> None:
        with pytest.raises(RefusedError, match=asked):
            decide(carry_out(Filing(), approval(Filing())), submission(ines, hour(6), **missing), form)
