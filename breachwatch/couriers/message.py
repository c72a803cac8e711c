"""A letter as a mail: what every notice carries in its head, and what it must never carry."""

import re
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime

from breachwatch.kernel.errors import RefusedError
from breachwatch.kernel.ports import Letter

_ADDRESS = re.compile(r"""[^\s<>()\[\]\\,;:@"\x00-\x1f\x7f]{1,64}@[^\s<>()\[\]\\,;:@"\x00-\x1f\x7f]{1,253}""")


def mailable(address: str) -> str:
    """The address as an envelope carries it: an internationalised domain in its ASCII form, the rest as written.

    Raises:
        RefusedError: this is no address; the text does not repeat it.
    Source: RFC 5321, section 4.1.2, without quoted local parts; RFC 5891 (IDNA); RFC 2047, section 5: an encoded word
        (`=?utf-8?q?...?=`) has no place in an address, where a mail program would show another one.
    """
    local, _, domain = address.strip().rpartition("@")
    try:
        plain = f"{local}@{domain if domain.isascii() else domain.encode('idna').decode('ascii')}"
    except UnicodeError:
        plain = ""
    if not _ADDRESS.fullmatch(plain) or ".." in plain or plain.startswith(".") or "=?" in plain:
        raise RefusedError("the address in the directory is not a mail address")
    return plain


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
    to = mailable(letter.to_address)
    if any(char in letter.subject for char in "\r\n"):
        raise RefusedError("a subject is one line")
    mail = EmailMessage(policy=SMTP if to.isascii() else SMTPUTF8)
    mail["From"] = Address(display_name=sender_name, addr_spec=sender)
    mail["To"] = to
    mail["Subject"] = letter.subject
    mail["Date"] = format_datetime(at)
    mail["Message-ID"] = message_id(item_id, sender)
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(letter.text)
    if letter.html:
        mail.add_alternative(letter.html, subtype="html")
    mail["Content-Language"] = letter.language
    return mail
