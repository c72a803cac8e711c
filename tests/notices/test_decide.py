"""The notices as stories: who may write and approve, and what a notice must have (GDPR Art. 34)."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from breachwatch.kernel.errors import OutOfOrderError, RefusedError
from breachwatch.kernel.facts import SYSTEM, Actor
from breachwatch.notices.commands import ApproveNotices, DraftNotices, EditNotice, ReportDispatch, TakeOverNotices
from breachwatch.notices.decide import decide, digest
from breachwatch.notices.facts import NoticeEdited, NoticesApproved, NoticesDispatched, NoticesDrafted, NoticeText
from breachwatch.notices.state import Notices

NOW = datetime(2026, 3, 27, 17, tzinfo=UTC)
Carry = Callable[..., Notices]


def approval(by: Actor, texts: Mapping[str, NoticeText], **changes: Any) -> ApproveNotices:
    plain: dict[str, Any] = {"digest_seen": digest(texts), "audience": 12, "other_people": True}
    return ApproveNotices(by, NOW, texts, **plain | changes)


def drafted(text: NoticeText) -> Notices:
    return Notices(texts={"en": text, "fr": text})


class TestDrafting:
    def test_the_playbook_drafts_once(self, whole: NoticeText, carry_out: Carry) -> None:
        draft = DraftNotices(SYSTEM, NOW, {"en": whole, "fr": whole})
        assert decide(Notices(), draft) == [NoticesDrafted({"en": whole, "fr": whole})]
        assert decide(carry_out(Notices(), draft), draft) == []

    def test_a_playbook_without_notices_drafts_nothing(self) -> None:
        assert decide(Notices(), DraftNotices(SYSTEM, NOW, {})) == []


class TestWriting:
    def test_a_text_is_kept_in_one_shape_with_its_writer(self, ines: Actor) -> None:
        said = decide(Notices(), EditNotice(ines, NOW, "fr", NoticeText(" Vos\r\nBcc: données ", "a\r\nb  ")))
        assert said == [NoticeEdited("fr", NoticeText("Vos Bcc: données", "a\nb\n"), "ines")]

    def test_writing_the_same_again_says_nothing(self, ines: Actor, whole: NoticeText, carry_out: Carry) -> None:
        edit = EditNotice(ines, NOW, "fr", whole)
        assert decide(carry_out(Notices(), edit), edit) == []

    @pytest.mark.parametrize(
        ("language", "markdown", "answer"),
        [
            ("en", "Dear {persons_name}", "did you mean {person_name}"),
            ("en", "{xyzzy}", "no placeholder {xyzzy}"),
            ("english", "Hello", "two letters"),
            ("en", "x" * 50_001, "at most"),
        ],
    )
    def test_a_mistake_is_refused_with_a_way_out(self, ines: Actor, language: str, markdown: str, answer: str) -> None:
        with pytest.raises(RefusedError) as refusal:
            decide(Notices(), EditNotice(ines, NOW, language, NoticeText("s", markdown)))
        assert answer in str(refusal.value)

    def test_the_machine_writes_nothing(self, whole: NoticeText) -> None:
        with pytest.raises(RefusedError):
            decide(Notices(), EditNotice(SYSTEM, NOW, "en", whole))


class TestApproval:
    def test_art_22_a_dpo_approves_exactly_what_was_read(self, whole: NoticeText, camille: Actor) -> None:
        texts = {"en": whole}
        said = decide(drafted(whole), approval(camille, texts))
        assert said == [NoticesApproved(texts, digest(texts), 12, "camille", NOW)]

    @pytest.mark.parametrize("nobody", [SYSTEM, Actor("noor", roles=frozenset({"analyst"}))])
    def test_art_22_nobody_else_may(self, whole: NoticeText, nobody: Actor) -> None:
        with pytest.raises(RefusedError, match="only a DPO"):
            decide(drafted(whole), approval(nobody, {"en": whole}))

    def test_nobody_approves_what_they_did_not_read(self, whole: NoticeText, camille: Actor) -> None:
        with pytest.raises(RefusedError, match="changed since you looked"):
            decide(drafted(whole), approval(camille, {"en": whole}, digest_seen="0" * 64))

    def test_the_writer_may_not_approve_while_another_could(
        self, whole: NoticeText, ines: Actor, camille: Actor, carry_out: Carry
    ) -> None:
        state = carry_out(Notices(), EditNotice(ines, NOW, "en", whole))
        with pytest.raises(RefusedError, match="somebody else"):
            decide(state, approval(ines, {"en": whole}))
        assert decide(state, approval(camille, {"en": whole}))
        assert decide(state, approval(ines, {"en": whole}, other_people=False))

    def test_who_wrote_may_approve_once_another_has_read_them_and_taken_them_over(
        self, whole: NoticeText, ines: Actor, camille: Actor, carry_out: Carry
    ) -> None:
        written = carry_out(Notices(), EditNotice(camille, NOW, "en", whole))
        with pytest.raises(RefusedError, match="takes them over"):
            decide(written, approval(camille, {"en": whole}))
        assert decide(written, TakeOverNotices(camille, NOW)) == [], "nobody takes over from themselves"
        taken = carry_out(written, TakeOverNotices(ines, NOW))
        assert (taken.drafter, taken.texts) == ("ines", written.texts)
        assert decide(taken, TakeOverNotices(ines, NOW)) == []
        assert decide(taken, approval(camille, {"en": whole}))
        assert decide(drafted(whole), TakeOverNotices(ines, NOW)) == [], "the playbook's own text is nobody's"
        with pytest.raises(RefusedError, match="only an analyst or a DPO"):
            decide(written, TakeOverNotices(SYSTEM, NOW))

    @pytest.mark.parametrize("part", ["nature", "consequences", "measures", "advice", "contact"])
    def test_art_34_2_a_text_that_lacks_a_part_is_not_approved(
        self, whole: NoticeText, camille: Actor, part: str
    ) -> None:
        poor = NoticeText(whole.subject, whole.markdown.replace(f"{{#{part}}}", ""))
        with pytest.raises(RefusedError, match=rf"in fr does not say .*\(\{{#{part}\}}\)"):
            decide(drafted(whole), approval(camille, {"en": whole, "fr": poor}))

    def test_a_placeholder_left_open_is_not_sent(self, whole: NoticeText, camille: Actor) -> None:
        text = NoticeText(whole.subject, whole.markdown + "{website}")
        with pytest.raises(RefusedError, match="leaves open website"):
            decide(drafted(whole), approval(camille, {"en": text}))

    def test_a_mail_needs_a_subject_and_somebody_to_read_it(self, whole: NoticeText, camille: Actor) -> None:
        with pytest.raises(RefusedError, match="subject"):
            decide(drafted(whole), approval(camille, {"en": NoticeText(" ", whole.markdown)}))
        with pytest.raises(RefusedError, match="nobody to tell"):
            decide(drafted(whole), approval(camille, {"en": whole}, audience=0))
        with pytest.raises(OutOfOrderError, match="no text"):
            decide(Notices(), approval(camille, {}))

    def test_people_found_later_are_told_by_a_further_approval(
        self, whole: NoticeText, camille: Actor, carry_out: Carry
    ) -> None:
        texts = {"en": whole}
        state = carry_out(drafted(whole), approval(camille, texts), approval(camille, texts, audience=3))
        assert [one.audience for one in state.approvals] == [12, 3]


class TestDispatch:
    def test_the_outcome_is_reported_once(self, whole: NoticeText, camille: Actor, carry_out: Carry) -> None:
        state = carry_out(drafted(whole), approval(camille, {"en": whole}))
        report = ReportDispatch(SYSTEM, NOW, sent=11, refused=1, proof="a" * 64)
        assert decide(state, report) == [NoticesDispatched(11, 1, "a" * 64, NOW)]
        assert decide(carry_out(state, report), report) == []

    def test_nothing_was_dispatched_before_an_approval(self) -> None:
        assert decide(Notices(), ReportDispatch(SYSTEM, NOW, 0, 0, "a" * 64)) == []


def test_the_digest_is_of_every_language_and_every_word(whole: NoticeText) -> None:
    other = NoticeText(whole.subject + ".", whole.markdown)
    digests = [digest(texts) for texts in ({"en": whole}, {"fr": whole}, {"en": other}, {"en": whole, "fr": whole})]
    assert len(set(digests)) == 4
    assert digest({"fr": other, "en": whole}) == digest({"en": whole, "fr": other})
