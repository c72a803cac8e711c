"""The mail itself: a legal notice that says what it is, in two forms, and carries nothing that watches."""

from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest

from breachwatch.couriers.message import compose, message_id
from breachwatch.kernel.errors import RefusedError
from breachwatch.kernel.ports import Letter

AT = datetime(2026, 3, 27, 18, 0, tzinfo=UTC)
FRENCH = Letter("zoe@shop.example", "À propos de vos données", "Bonjour Zoé,\n…", "<p>Bonjour Zoé,</p>", "fr")


def sent(letter: Letter) -> EmailMessage:
    mail = compose(letter, "out-abc", "privacy@shop.example", "La Boutique, vie privée", AT)
    return message_from_bytes(mail.as_bytes(), policy=policy.default)


def test_a_notice_is_text_and_html_in_the_persons_language() -> None:
    mail = sent(FRENCH)
    assert mail["Subject"] == "À propos de vos données"
    assert mail["Content-Language"] == "fr"
    assert [part.get_content_type() for part in mail.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    assert "Bonjour Zoé" in mail.get_body(("plain",)).get_content()


def test_a_notice_is_automatic_mail_and_not_a_mailing_list() -> None:
    mail = sent(FRENCH)
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["List-Unsubscribe"] is None
    assert not list(mail.iter_attachments())


def test_every_attempt_carries_the_same_message_id() -> None:
    assert sent(FRENCH)["Message-ID"] == message_id("out-abc", "privacy@shop.example") == "<out-abc@shop.example>"


@pytest.mark.parametrize(
    ("address", "subject"),
    [
        ("not an address", "Hello"),
        ("", "Hello"),
        ("a@b.example\r\nBcc: c@d.example", "Hello"),
        ("a@b.example", "Hello\r\nBcc: c@d.example"),
    ],
)
def test_what_cannot_stand_in_a_head_is_refused_without_repeating_it(address: str, subject: str) -> None:
    with pytest.raises(RefusedError) as refused:
        sent(Letter(address, subject, "text", "", "en"))
    assert "example" not in str(refused.value)
