"""One relay, over a real socket: what it says becomes a verdict, and what it does never becomes an exception."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from breachwatch.couriers.message import compose
from breachwatch.couriers.reply import Accepted, PersonDeferred, PersonRefused, ServerTrouble, Verdict
from breachwatch.couriers.smtp import SmtpSettings, SmtpTransport
from breachwatch.kernel.errors import RefusedError
from breachwatch.kernel.ports import Letter

SENDER = "privacy@shop.example"


@dataclass
class Relay:
    """A relay that answers by script: recipient to answer, and what to do after DATA."""

    port: int = 0
    to_rcpt: dict[str, str] = field(default_factory=dict)
    after_data: str = "250 2.0.0 kept"
    connections: int = 0
    kept: list[str] = field(default_factory=list)

    async def handle_EHLO(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        self.connections += 1
        return responses

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = self.to_rcpt.get(address, "250 OK")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.kept.extend(envelope.rcpt_tos)
        if self.after_data == "hang up":
            server.transport.abort()
        if self.after_data == "say nothing":
            await asyncio.Event().wait()
        if self.after_data == "think":
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.Event().wait(), 0.6)
            return "250 2.0.0 kept"
        return self.after_data


@asynccontextmanager
async def listening(relay: Relay) -> AsyncIterator[Relay]:
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(relay, enable_SMTPUTF8=True), "127.0.0.1", 0)
    relay.port = server.sockets[0].getsockname()[1]
    try:
        yield relay
    finally:
        server.close()


def mail_to(address: str) -> EmailMessage:
    return compose(
        Letter(address, "Hello", "Hello", "", "en"), "out-1", SENDER, "Shop", datetime(2026, 3, 27, tzinfo=UTC)
    )


async def verdicts(relay: Relay, *people: str, data_seconds: float = 20) -> list[Verdict]:
    transport = SmtpTransport(
        SmtpSettings("127.0.0.1", relay.port, "none-loopback-only", "", None, None, 0.3, data_seconds)
    )
    found = [await transport.send(mail_to(one), SENDER, one) for one in people]
    await transport.close()
    return found


async def test_mails_in_a_row_share_one_connection() -> None:
    async with listening(Relay()) as relay:
        found = await verdicts(relay, "a@shop.example", "b@shop.example", "c@shop.example")
    assert found == [Accepted("250 2.0.0 kept")] * 3
    assert (relay.kept, relay.connections) == (["a@shop.example", "b@shop.example", "c@shop.example"], 1)


async def test_one_refused_person_costs_the_next_nothing() -> None:
    answers = {"gone@shop.example": "550 5.1.1 <gone@shop.example> unknown", "full@shop.example": "452 4.2.2 full"}
    async with listening(Relay(to_rcpt=answers)) as relay:
        found = await verdicts(relay, "gone@shop.example", "full@shop.example", "ok@shop.example")
    assert found == [
        PersonRefused("550 5.1.1 (address) unknown"),
        PersonDeferred("452 4.2.2 full"),
        Accepted("250 2.0.0 kept"),
    ]


async def test_a_connection_lost_after_the_mail_leaves_a_doubt_that_is_told() -> None:
    async with listening(Relay(after_data="hang up")) as relay:
        [found] = await verdicts(relay, "a@shop.example")
    assert isinstance(found, ServerTrouble)
    assert found.perhaps_sent


async def test_a_relay_that_says_nothing_is_the_relays_trouble() -> None:
    async with listening(Relay(after_data="say nothing")) as relay:
        [found] = await verdicts(relay, "a@shop.example", data_seconds=0.3)
    assert isinstance(found, ServerTrouble)
    assert found.perhaps_sent


async def test_a_relay_that_thinks_about_a_mail_for_long_is_waited_for() -> None:
    """RFC 5321, section 4.5.3.2.6: giving up while the server decides is how people are told twice."""
    async with listening(Relay(after_data="think")) as relay:
        [found] = await verdicts(relay, "a@shop.example")
    assert found == Accepted("250 2.0.0 kept")
    assert SmtpSettings("relay.example", 25, "starttls").data_timeout_seconds >= 600


async def test_a_relay_that_is_down_is_trouble_and_nothing_was_sent() -> None:
    async with listening(Relay()) as relay:
        pass
    [found] = await verdicts(relay, "a@shop.example")
    assert isinstance(found, ServerTrouble)
    assert not found.perhaps_sent


async def test_a_relay_without_tls_gets_no_notice_when_tls_is_asked_for() -> None:
    async with listening(Relay()) as relay:
        transport = SmtpTransport(SmtpSettings("127.0.0.1", relay.port, "starttls"))
        found = await transport.send(mail_to("a@shop.example"), SENDER, "a@shop.example")
        await transport.close()
    assert isinstance(found, ServerTrouble)
    assert relay.kept == []


async def test_an_address_beyond_ascii_goes_by_smtputf8() -> None:
    async with listening(Relay()) as relay:
        [found] = await verdicts(relay, "zoé@shop.example")
    assert isinstance(found, Accepted)
    assert relay.kept == ["zoé@shop.example"]


def test_clear_text_never_leaves_this_machine() -> None:
    with pytest.raises(RefusedError, match="this machine only"):
        SmtpTransport(SmtpSettings("relay.example", 25, "none-loopback-only"))
