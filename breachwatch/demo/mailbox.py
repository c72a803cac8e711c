"""A mail server of one's own that keeps what it receives, and a page to read it on. For trying out only.

It binds to loopback, speaks plain SMTP and has no accounts: everything that lands here was sent by the demo.
"""

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session
from jinja2 import Environment, PackageLoader
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class Kept:
    """One mail as it arrived; `number` counts from 1 in order of arrival."""

    number: int
    to: str
    subject: str
    language: str
    date: str
    message_id: str


class Mailbox:
    """A folder of received mails, one `.eml` file each, in order of arrival."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._last = max((int(path.stem) for path in folder.glob("*.eml")), default=0)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Keep a mail; answers only once it is stored."""
        self._last += 1
        content = envelope.content or b""
        unfinished = self._folder / f"{self._last:06}.part"
        unfinished.write_bytes(content.encode() if isinstance(content, str) else content)
        unfinished.rename(unfinished.with_suffix(".eml"))
        return "250 2.0.0 kept"

    def mails(self) -> list[Kept]:
        """All mails, newest first."""
        return [_kept(path) for path in sorted(self._folder.glob("*.eml"), reverse=True)]

    def message(self, number: int) -> EmailMessage | None:
        """One mail, parsed; None when there is none of this number."""
        path = self._folder / f"{number:06}.eml"
        return _parsed(path) if path.is_file() else None


async def serve_smtp(mailbox: Mailbox, listener: socket.socket, stop: asyncio.Event) -> None:
    """Take mail on a listening socket until `stop` is set."""
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(mailbox, hostname="mailbox.example", enable_SMTPUTF8=True), sock=listener
    )
    async with server:
        await stop.wait()


def create_mailbox_app(mailbox: Mailbox, desk_url: str) -> Starlette:
    """The pages: the list, one mail with its text and HTML side by side, and the list as JSON."""
    templates = Environment(loader=PackageLoader("breachwatch.demo"), autoescape=True)

    def page(name: str, **values: object) -> HTMLResponse:
        return HTMLResponse(templates.get_template(name).render(desk_url=desk_url, **values), headers=_HEADERS)

    def the_list(request: Request) -> Response:
        return page("mailbox.html", mails=mailbox.mails())

    def one(request: Request) -> Response:
        number = request.path_params["number"]
        mail = _found(mailbox, number)
        return page("mail.html", mail=mail, number=number, text=_part(mail, "plain"), html=_part(mail, "html"))

    def as_json(request: Request) -> Response:
        fields: Sequence[str] = Kept.__slots__
        return JSONResponse([{name: getattr(mail, name) for name in fields} for mail in mailbox.mails()])

    return Starlette(
        routes=[
            Route("/", the_list),
            Route("/mails.json", as_json),
            Route("/mails/{number:int}", one),
        ]
    )


def _found(mailbox: Mailbox, number: int) -> EmailMessage:
    mail = mailbox.message(number)
    if mail is None:
        raise HTTPException(404)
    return mail


def _kept(path: Path) -> Kept:
    mail = _parsed(path)
    names = ("to", "subject", "content-language", "date", "message-id")
    to, subject, language, date, message_id = (str(mail.get(name, "")) for name in names)
    return Kept(int(path.stem), to, subject, language, date, message_id)


def _parsed(path: Path) -> EmailMessage:
    return message_from_bytes(path.read_bytes(), policy=policy.default)


def _part(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    return str(part.get_content()) if part is not None else ""
