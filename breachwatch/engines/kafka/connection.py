"""How one gets to the brokers: the arguments of every client, and a first visit whose failure is told in a sentence.

What only a person can put right (a certificate, a password, a right) is a `ContentError`, and nothing is tried again; a
broker that is away is an `UnavailableError`, and is tried again more and more slowly.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiokafka import errors
from aiokafka.conn import AIOKafkaConnection, create_conn
from aiokafka.protocol.metadata import MetadataRequest
from faust import SASLCredentials, SSLCredentials

from breachwatch.kernel.errors import BreachwatchError, ContentError, Problem, UnavailableError

RETRY_MILLISECONDS = 500
"""How long a running client waits before it asks a broker again."""

_WAITS = (0.25, 0.5, 1.0, 2.0)
_LONGEST_WAIT = 5.0
_OTHER_NAME = (62, 64)  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
_OUT_OF_DATE = (9, 10)  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED
_FORBIDDEN = (
    errors.TopicAuthorizationFailedError,
    errors.GroupAuthorizationFailedError,
    errors.ClusterAuthorizationFailedError,
    errors.TransactionalIdAuthorizationFailed,
)


@dataclass(frozen=True, slots=True)
class Connection:
    """Where the brokers are and how one signs in; made by `connection`.

    Attributes:
        brokers: `host:port` of some of them; they tell of the rest. IPv6 addresses stand in brackets.
        tls: with which authorities and certificate of one's own; None speaks plain text.
        username: who signs in (SASL); empty for nobody.
        mechanism: how: SCRAM-SHA-512, SCRAM-SHA-256 or PLAIN.
        answer_within: seconds that a broker has for one answer.
    """

    brokers: tuple[str, ...]
    tls: ssl.SSLContext | None = None
    username: str = ""
    password: str = field(default="", repr=False)
    mechanism: str = "SCRAM-SHA-512"
    answer_within: float = 10.0

    def client(self) -> dict[str, Any]:
        """Arguments of aiokafka's producer, consumer and admin client."""
        known = {"bootstrap_servers": list(self.brokers), "retry_backoff_ms": RETRY_MILLISECONDS}
        return known | self._sign_in()

    def faust(self) -> dict[str, Any]:
        """Arguments of a Faust app: `broker` and `broker_credentials`."""
        credentials: SASLCredentials | SSLCredentials | None = None
        if self.username:
            credentials = SASLCredentials(
                username=self.username, password=self.password, mechanism=self.mechanism, ssl_context=self.tls
            )
        elif self.tls:
            credentials = SSLCredentials(context=self.tls)
        return {
            "broker": [f"kafka://{broker}" for broker in self.brokers],
            "broker_credentials": credentials,
        }

    async def check(self, topics: Sequence[str] = ()) -> None:
        """Visit the brokers one after the other, each once, until one lets us in and knows us for these topics.

        Raises:
            ContentError: a certificate, name, user, password or right is wrong; trying again would not help.
            UnavailableError: nobody answers.
        """
        told: list[BreachwatchError] = []
        for broker in self.brokers:
            try:
                return await self._visit(broker, topics)
            except BreachwatchError as error:
                told.append(error)
        raise next((error for error in told if isinstance(error, ContentError)), told[0])

    async def wait_until_open(
        self,
        topics: Sequence[str] = (),
        *,
        patience: float = 60.0,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`check`, and again after 0.25, 0.5, 1, 2, 5, 5, ... seconds while nobody answers, for `patience` seconds.

        Raises:
            ContentError: at once, as `check` says.
            UnavailableError: patience has ended.
        """
        waited = 0.0
        for wait in _waits():
            try:
                return await self.check(topics)
            except UnavailableError:
                if waited + wait > patience:
                    raise
            await sleep(wait)
            waited += wait

    def told(self, error: BaseException, broker: str = "") -> BreachwatchError:
        """What an error of a client means, and what to do about it."""
        at = broker or ", ".join(self.brokers)
        causes = tuple(_causes(error))
        for cause in causes:
            if problem := self._problem(cause, at):
                return ContentError([problem])
        if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
            return UnavailableError(f"nobody listens at the Kafka broker {at}; is it running?")
        if any(isinstance(cause, TimeoutError | errors.RequestTimedOutError) for cause in causes):
            return UnavailableError(f"the Kafka broker {at} does not answer; try again")
        reason = str(causes[-1]).removeprefix(f"{type(causes[-1]).__name__}: ") or type(causes[-1]).__name__
        return UnavailableError(f"the Kafka broker {at} is away ({reason}); try again")

    def _problem(self, error: BaseException, at: str) -> Problem | None:
        """What a person must put right, or None."""
        match error:
            case ssl.SSLCertVerificationError() if error.verify_code in _OTHER_NAME:
                message = f"the certificate of the Kafka broker {at} is for another name"
                return _problem("brokers", message, "write the name that the certificate bears")
            case ssl.SSLCertVerificationError() if error.verify_code in _OUT_OF_DATE:
                message = f"the certificate of the Kafka broker {at} is not valid today"
                return _problem("brokers", message, "renew it, or set this machine's clock")
            case ssl.SSLCertVerificationError():
                message = f"the certificate of the Kafka broker {at} is not signed by an authority we trust"
                return _problem("certificate_authority_file", message, "name the file of its authority's certificate")
            case ssl.SSLError() if "ALERT" in (error.reason or ""):
                message = f"the Kafka broker {at} refuses our certificate, or wants one"
                return _problem("certificate_file", message, "name a certificate, and its key, that the broker trusts")
            case ssl.SSLError():
                message = f"the Kafka broker {at} does not speak TLS at this port"
                return _problem("brokers", message, "name its port for TLS")
            case errors.SaslAuthenticationFailed() | errors.AuthenticationFailedError():
                message = f"the Kafka broker {at} refuses the user {self.username} or the password"
                return _problem("username", message, "put them right here and in password_file")
            case errors.UnsupportedSaslMechanismError() | errors.IllegalSaslStateError():
                message = f"the Kafka broker {at} does not sign in users by {self.mechanism}"
                return _problem("mechanism", message, "choose one that the broker has enabled")
            case _ if isinstance(error, _FORBIDDEN):
                who = self.username or "this program"
                what = ", ".join(str(one) for one in error.args) or type(error).__name__
                message = f"the Kafka broker {at} does not allow this to {who}: {what}"
                return _problem("username", message, "grant it the rights that `breachwatch topics rights` prints")
        return None

    def _sign_in(self) -> dict[str, Any]:
        protocol = ("SASL_" if self.username else "") + ("SSL" if self.tls else "PLAINTEXT")
        known: dict[str, Any] = {"security_protocol": protocol, "ssl_context": self.tls}
        if self.username:
            known |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.username,
                "sasl_plain_password": self.password,
            }
        return known

    async def _visit(self, broker: str, topics: Sequence[str]) -> None:
        host, _, port = broker.rpartition(":")
        visit: AIOKafkaConnection | None = None
        try:
            async with asyncio.timeout(self.answer_within):
                visit = await create_conn(host.strip("[]"), int(port), **self._sign_in())
                seen = await visit.send(MetadataRequest(list(topics), allow_auto_topic_creation=False))
        except (OSError, EOFError, ValueError, errors.KafkaError) as error:
            if not self.tls and _hung_up(error):
                hint = 'it may be starting, or wants security = "tls"'
                raise UnavailableError(f"the Kafka broker {broker} hung up; {hint}") from error
            raise self.told(error, broker) from error
        finally:
            if visit:
                visit.close()
        forbidden = [topic[1] for topic in seen.topics if topic[0] == errors.TopicAuthorizationFailedError.errno]
        if forbidden:
            raise self.told(errors.TopicAuthorizationFailedError(*sorted(forbidden)), broker)


def connection(
    brokers: Sequence[str],
    *,
    tls: bool = True,
    certificate_authority_file: Path | None = None,
    certificate_file: Path | None = None,
    key_file: Path | None = None,
    username: str = "",
    password: str = "",
    mechanism: str = "SCRAM-SHA-512",
) -> Connection:
    """A connection from plain values; certificates are read now.

    Args:
        brokers: `host:port` of at least one.
        tls: verified TLS 1.2 or newer; without it plain text, for loopback only.
        certificate_authority_file: whom to trust, PEM; the system's authorities without it.
        certificate_file: a certificate of our own to show, PEM.
        key_file: its key.
        username: who signs in; empty for nobody.
        password: of that user.
        mechanism: SCRAM-SHA-512, SCRAM-SHA-256 or PLAIN.

    Raises:
        ContentError: no broker is named, or a file cannot be read or does not hold what it should.
    """
    if not brokers:
        raise ContentError(
            [_problem("brokers", "no Kafka broker is named", 'for example brokers = ["localhost:9092"]')]
        )
    context = _context(certificate_authority_file, certificate_file, key_file) if tls else None
    return Connection(tuple(brokers), context, username, password, mechanism)


def _context(authority: Path | None, certificate: Path | None, key: Path | None) -> ssl.SSLContext:
    problems: list[Problem] = []
    context = ssl.create_default_context()
    try:
        context = ssl.create_default_context(cafile=str(authority) if authority else None)
    except OSError as error:  # an SSLError is one too
        problems.append(_unreadable("certificate_authority_file", authority, error))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if certificate:
        try:
            context.load_cert_chain(certificate, key)
        except OSError as error:
            problems.append(_unreadable("certificate_file", certificate, error))
    if problems:
        raise ContentError(problems)
    return context


def _unreadable(key: str, path: Path | None, error: OSError) -> Problem:
    if isinstance(error, ssl.SSLError):
        return _problem(key, f"{path} holds no certificate (and key) that fits", "PEM is expected")
    return _problem(key, f"{path} cannot be read: {error.strerror}", "name a file that this user may read")


def _problem(key: str, message: str, hint: str) -> Problem:
    return Problem(f"kafka.{key}", 0, 0, message, hint)


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen:
        yield seen
        seen = seen.__cause__


def _hung_up(error: BaseException) -> bool:
    """Closed on us before the first answer: a broker that expects TLS does so to plain text."""
    last = list(_causes(error))[-1]
    return isinstance(last, EOFError | ConnectionResetError | errors.KafkaConnectionError)


def _waits() -> Iterator[float]:
    yield from _WAITS
    while True:
        yield _LONGEST_WAIT
