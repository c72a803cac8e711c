"""What an SMTP server's answer means for one person's mail. Pure: codes and texts in, a verdict out."""

import re
from dataclasses import dataclass

_ADDRESS = re.compile(r"<?[^\s<>@:;,()]+@[^\s<>:;,()]+>?")
_ENHANCED = re.compile(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b")
_LONGEST_REPLY = 300
_ABOUT_US = (421, 530, 534, 535, 538)
_WILL_NOT_RELAY = re.compile(
    r"\brelay(?:ing)?\b(?: access)?(?: is)? (?:denied|prohibited|refused|forbidden|disabled|not\b)"
    r"|\b(?:to|not|no|cannot|can't|won't|don't) relay\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The server took responsibility for the mail (RFC 5321, section 6.1)."""

    reply: str


@dataclass(frozen=True, slots=True)
class PersonRefused:
    """The server will not take mail for this person: a permanent answer to RCPT or DATA.

    `by_relay` is False when no server was asked, because what we have is no address or there is nothing to send.
    """

    reply: str
    by_relay: bool = True


@dataclass(frozen=True, slots=True)
class PersonDeferred:
    """Not now, for this person: a transient answer, such as greylisting or a full mailbox."""

    reply: str


@dataclass(frozen=True, slots=True)
class ServerTrouble:
    """The server is away, slow, or refuses us rather than the person; says nothing about any one person.

    `perhaps_sent`: the connection broke after the mail was handed over and before the answer came.
    """

    reply: str
    perhaps_sent: bool = False


Verdict = Accepted | PersonRefused | PersonDeferred | ServerTrouble


def judge(step: str, code: int, text: str) -> Verdict:
    """The verdict for a server's answer to `step` (`mail`, `rcpt` or `data`).

    421 closes the channel, an answer to MAIL is about the sender, and an enhanced status of class 7 (security or
    policy) or words that a mail is not relayed for us are about us: none of them is held against the person.

    Source: RFC 5321, sections 4.2.1 and 4.2.3; RFC 3463, section 3.8.
    """
    reply = without_addresses(f"{code} {text}")
    about_us = (
        step == "mail"
        or code in _ABOUT_US
        or (code == 554 and step == "rcpt")
        or _subject(text) == 7
        or _WILL_NOT_RELAY.search(reply) is not None
    )
    if 200 <= code < 300:
        return Accepted(reply)
    if about_us:
        return ServerTrouble(reply)
    return PersonDeferred(reply) if 400 <= code < 500 else PersonRefused(reply)


def without_addresses(text: str) -> str:
    """A server's words on one line, with every mail address taken out, cut to 300 characters."""
    return _ADDRESS.sub("(address)", " ".join(text.split()))[:_LONGEST_REPLY]


def _subject(text: str) -> int:
    found = _ENHANCED.search(text)
    return int(found.group(2)) if found else 0
