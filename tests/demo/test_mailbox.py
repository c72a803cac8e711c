"""The demo's mailbox keeps what it is sent and shows it harmlessly."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import httpx

from breachwatch.console.serving import listen
from breachwatch.couriers.message import compose
from breachwatch.couriers.reply import Accepted
from breachwatch.couriers.smtp import SmtpSettings, SmtpTransport
from breachwatch.demo.mailbox import Mailbox, create_mailbox_app, serve_smtp
from breachwatch.kernel.ports import Letter

AT = datetime(2026, 3, 27, tzinfo=UTC)


async def test_what_was_mailed_can_be_read_and_cannot_act(tmp_path: Path) -> None:
    mailbox = Mailbox(tmp_path)
    listener, stop = listen("127.0.0.1", 0), asyncio.Event()
    port = listener.getsockname()[1]
    serving = asyncio.create_task(serve_smtp(mailbox, listener, stop))
    letter = Letter(
        "zoe@shop.example", "<b>Votre compte</b>", "Bonjour", "<p>Bonjour</p><script>alert(1)</script>", "fr"
    )
    transport = SmtpTransport(SmtpSettings("127.0.0.1", port, "none-loopback-only"))
    verdict = await transport.send(
        compose(letter, "out-1", "a@shop.example", "Shop", AT), "a@shop.example", "zoe@shop.example"
    )
    await transport.close()
    stop.set()
    await serving
    assert verdict == Accepted("250 2.0.0 kept")
    app = create_mailbox_app(Mailbox(tmp_path), "http://127.0.0.1:8420")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://mailbox.example") as browser:
        listed = (await browser.get("/mails.json")).json()
        page = (await browser.get("/mails/1")).text
        gone = await browser.get("/mails/2")
    assert [(one["to"], one["language"]) for one in listed] == [("zoe@shop.example", "fr")]
    assert "&lt;b&gt;Votre compte" in page
    assert "<script>" not in page
    assert "sandbox" in page
    assert gone.status_code == 404
