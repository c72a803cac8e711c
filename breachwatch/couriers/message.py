"""A letter as a mail: what every notice carries in its head, and what it must never carry."""

from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from breachwatch.kernel.errors import RefusedError
from breachwatch.kernel.ports import Letter


def message_id(item_id: str, sender: str) -> str:
    """The Message-ID of an outbox item: the same at every attempt, so that a repeat can be told as one.

    Source: RFC 5322, section 3.6.4.
    """
    return f"<{item_id}@{sender.rpartition('@')[2]}>"


def compose(letter: Letter, item_id: str, sender: str, sender_name: str, at: datetime) -> EmailMessage:
    """The mail for one person: plain text and HTML, no tracking, no unsubscribing (it is a legal notice).

    Args:
        letter: what to say, and to whom.
        item_id: the outbox item; gives the Message-ID.
        sender: the organisation's address, also the envelope's.
        sender_name: what stands before it.
        at: when this attempt is made, an aware instant.

    Raises:
        RefusedError: an address is not one (the text does not repeat it), or a header would break the message.
    Source: RFC 5322; RFC 3834, section 5 (Auto-Submitted); RFC 2046, section 5.1.4 (multipart/alternative).
    """
    mail = EmailMessage(policy=SMTP)
    try:
        mail["From"] = Address(display_name=sender_name, addr_spec=sender)
        mail["To"] = Address(addr_spec=letter.to_address)
        mail["Subject"] = letter.subject
    except (ValueError, IndexError, TypeError) as error:
        raise RefusedError("the address or subject cannot stand in a mail") from error
    except Exception as error:
        if type(error).__module__.startswith("email."):
            raise RefusedError("the address cannot stand in a mail") from error
        raise
    mail["Date"] = format_datetime(at)
    mail["Message-ID"] = message_id(item_id, sender)
    mail["Auto-Submitted"] = "auto-generated"
    mail["Content-Language"] = letter.language
    mail.set_content(letter.text)
    if letter.html:
        mail.add_alternative(letter.html, subtype="html")
    return mail
