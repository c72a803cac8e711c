"""One SMTP relay: a connection kept while there is mail, verified TLS, and a verdict for each mail."""

import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from ipaddress import ip_address
from pathlib import Path
from typing import Literal, Protocol

import aiosmtplib

from breachwatch.couriers.reply import PersonRefused, ServerTrouble, Verdict, judge, without_addresses
from breachwatch.kernel.errors import RefusedError
from breachwatch.kernel.ports import Waypoint, passing

Security = Literal["starttls", "tls", "none-loopback-only"]


@dataclass(frozen=True, slots=True)
class SmtpSettings:
    """Where the relay is and how it is trusted.

    `timeout_seconds` bounds each answer, not the whole mail. The answer to the mail itself may take
    `data_timeout_seconds`: whoever gives up while a slow server still decides will tell a person twice (RFC 5321,
    section 4.5.3.2.6: ten minutes).
    """

    host: str
    port: int
    security: Security
    username: str = ""
    password_file: Path | None = None
    certificate_authority_file: Path | None = None
    timeout_seconds: float = 30.0
    data_timeout_seconds: float = 600.0


class Transport(Protocol):
    """A way for one mail to leave."""

    async def send(self, mail: EmailMessage, sender: str, to: str) -> Verdict:
        """Hand over one mail; never raises for what a server or the network does."""

    async def close(self) -> None:
        """Say goodbye; harmless when there is no connection."""


class SmtpTransport:
    """Speaks to one relay, one mail at a time.

    Raises:
        RefusedError: clear text was asked for with a host that is not this machine.
    Source: RFC 5321; RFC 3207 (STARTTLS); RFC 8314 (implicit TLS); RFC 6531 (SMTPUTF8).
    """

    def __init__(self, settings: SmtpSettings, waypoint: Waypoint = passing) -> None:
        if settings.security == "none-loopback-only" and not is_loopback(settings.host):
            raise RefusedError(f"mail without TLS is allowed to this machine only, not to {settings.host}")
        self._settings = settings
        self._waypoint = waypoint
        self._client: aiosmtplib.SMTP | None = None

    async def send(self, mail: EmailMessage, sender: str, to: str) -> Verdict:
        """Hand over one mail.

        Returns:
            what the server's answer means; any doubt about the connection closes it, the next mail opens another.
        """
        step = "mail"
        try:
            client = await self._connected()
            utf8 = not to.isascii() or not sender.isascii()
            if utf8 and not client.supports_extension("SMTPUTF8"):
                return PersonRefused("the relay cannot carry addresses beyond ASCII (no SMTPUTF8)")
            encoding = "utf-8" if utf8 else "ascii"
            await client.mail(sender, options=["SMTPUTF8"] if utf8 else [], encoding=encoding)
            step = "rcpt"
            await client.rcpt(to, encoding=encoding)
            self._waypoint("courier:before-data")
            step = "data"
            content = mail.as_bytes(policy=SMTPUTF8 if utf8 else SMTP)
            answer = await client.data(content, timeout=self._settings.data_timeout_seconds)
        except (aiosmtplib.SMTPConnectError, aiosmtplib.SMTPAuthenticationError, aiosmtplib.SMTPHeloError) as error:
            await self.close()
            return ServerTrouble(without_addresses(str(error)))
        except aiosmtplib.SMTPResponseException as error:
            await self._after_refusal(error.code)
            return judge(step, error.code, error.message)
        except (aiosmtplib.SMTPException, OSError, TimeoutError, ssl.SSLError) as error:
            await self.close()
            return ServerTrouble(_plain(error), perhaps_sent=step == "data")
        return judge("data", answer.code, answer.message)

    async def close(self) -> None:
        """Say goodbye; harmless when there is no connection."""
        client, self._client = self._client, None
        if client is None:
            return
        try:
            if client.is_connected:
                await client.quit(timeout=2)
        except (aiosmtplib.SMTPException, OSError, TimeoutError):
            client.close()

    async def _after_refusal(self, code: int) -> None:
        if code == 421 or self._client is None:
            await self.close()
            return
        try:
            await self._client.rset()
        except (aiosmtplib.SMTPException, OSError, TimeoutError):
            await self.close()

    async def _connected(self) -> aiosmtplib.SMTP:
        if self._client is not None and self._client.is_connected:
            return self._client
        settings = self._settings
        client = aiosmtplib.SMTP(
            hostname=settings.host,
            port=settings.port,
            username=settings.username or None,
            password=settings.password_file.read_text("utf-8").strip() if settings.password_file else None,
            timeout=settings.timeout_seconds,
            use_tls=settings.security == "tls",
            start_tls=settings.security == "starttls",
            tls_context=None if settings.security == "none-loopback-only" else self._tls(),
        )
        await client.connect()
        if client.is_ehlo_or_helo_needed:
            await client.ehlo()
        self._client = client
        return client

    def _tls(self) -> ssl.SSLContext:
        authority = self._settings.certificate_authority_file
        context = ssl.create_default_context(cafile=str(authority) if authority else None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context


def is_loopback(host: str) -> bool:
    """Whether a host name or address can only be this machine."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _plain(error: BaseException) -> str:
    return without_addresses(f"{type(error).__name__.removeprefix('SMTP')}: {error}".rstrip(": "))
