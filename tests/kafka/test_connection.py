"""Signing in to Kafka: who is let in, and what a person is told who is not. The certificates are made here."""

import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import GroupAuthorizationFailedError, KafkaError, TopicAuthorizationFailedError

from breachwatch.engines.kafka.connection import Connection, connection
from breachwatch.kernel.errors import ContentError, UnavailableError

USERS = {"owner": "correct horse".replace(" ", "-"), "stranger": "let-me-in"}


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def authority_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return path


def pkcs8(certificate: trustme.LeafCert) -> bytes:
    """Key and chain as Kafka reads them: its key is a PKCS #8 one."""
    from cryptography.hazmat.primitives import serialization as form

    key = form.load_pem_private_key(certificate.private_key_pem.bytes(), None)
    pem = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    return pem + b"".join(one.bytes() for one in certificate.cert_chain_pems)


def prepared(authority: trustme.CA, *names: str, more: str = "") -> Callable[[Path], None]:
    def prepare(folder: Path) -> None:
        (folder / "tls").mkdir()
        authority.cert_pem.write_to_path(folder / "tls/ca.pem")
        (folder / "tls/server.pem").write_bytes(pkcs8(authority.issue_cert(*names)))
        (folder / "users").write_text("".join(f"{name} {password}\n" for name, password in USERS.items()))
        (folder / "extra.properties").write_text(more)

    return prepare


@pytest.fixture(scope="session")
def secured(start_kafka: Callable[..., Any], authority: trustme.CA) -> Any:
    """A broker with TLS and SCRAM-SHA-512; its certificate is for localhost and 127.0.0.1."""
    return start_kafka(1, "--tls", prepare=prepared(authority, "localhost", "127.0.0.1"))


@pytest.fixture
def signing_in(secured: Any, authority_file: Path) -> Callable[..., Connection]:
    def make(user: str = "owner", password: str = "", **other: Any) -> Connection:
        known = {"certificate_authority_file": authority_file, "brokers": [secured.bootstrap]} | other
        return connection(**known, username=user, password=password or USERS.get(user, ""))

    return make


def refused_visits(broker: Any) -> int:
    """How often the broker turned somebody away, by its own log."""
    return sum("Failed authentication" in line for line in broker.log().splitlines())


async def told(attempt: Connection, *topics: str) -> str:
    with pytest.raises(ContentError) as refused:
        await attempt.wait_until_open(topics)
    return str(refused.value)


# ------------------------------------------------------------------------------------------ who is let in


async def test_every_client_gets_in_with_the_same_arguments(
    secured: Any, signing_in: Callable[..., Connection]
) -> None:
    open_door = signing_in()
    topic = secured.prefix()
    admin = AIOKafkaAdminClient(**open_door.client())
    producer = AIOKafkaProducer(**open_door.client(), transactional_id=topic)
    consumer = AIOKafkaConsumer(topic, **open_door.client(), auto_offset_reset="earliest")
    await admin.start()
    await admin.create_topics([NewTopic(topic, 1, 1)])
    await open_door.check([topic])
    await producer.start()
    await consumer.start()
    async with producer.transaction():
        await producer.send(topic, b"signed in")
    assert (await consumer.getone()).value == b"signed in"
    for client in (consumer, producer):
        await client.stop()
    await admin.close()


async def test_a_faust_app_gets_in_too(secured: Any, signing_in: Callable[..., Connection]) -> None:
    import faust

    app = faust.App(
        secured.prefix(), **signing_in().faust(), web_enabled=False, topic_disable_leader=True, topic_partitions=1
    )
    topic = app.topic(secured.prefix(), value_type=bytes, value_serializer="raw", partitions=1)
    await app.producer.start()
    try:
        await topic.maybe_declare()
        sent = await app.producer.send_and_wait(topic.get_topic_name(), None, b"x", None, None, None)
        assert sent.offset == 0
    finally:
        await app.producer.stop()


async def test_a_certificate_of_ones_own_is_shown_where_the_broker_wants_one(
    start_kafka: Callable[..., Any], authority: trustme.CA, authority_file: Path, tmp_path: Path
) -> None:
    wants = "listener.name.sasl_ssl.ssl.client.auth=required\n"
    mine = authority.issue_cert("worker.example.test")
    (tmp_path / "mine.pem").write_bytes(pkcs8(mine))
    mine.private_key_pem.write_to_path(tmp_path / "mine.key")
    # the broker visits itself too, with its own certificate
    broker = start_kafka(1, "--tls", prepare=prepared(authority, "localhost", "127.0.0.1", more=wants))
    known: dict[str, Any] = {"username": "owner", "password": USERS["owner"]}
    known["certificate_authority_file"] = authority_file
    shown = connection(
        [broker.bootstrap], **known, certificate_file=tmp_path / "mine.pem", key_file=tmp_path / "mine.key"
    )
    await shown.check()
    assert "refuses our certificate, or wants one" in await told(connection([broker.bootstrap], **known))
    broker.kill()


async def test_plain_text_is_for_this_machine(kafka: Any) -> None:
    await connection([kafka.bootstrap], tls=False).check()


async def test_one_broker_of_those_named_is_enough(kafka: Any) -> None:
    await connection([nobody_there(), kafka.bootstrap], tls=False).check()


# ------------------------------------------------------------------------------------------ what a person is told


async def test_a_wrong_password_is_told_at_once_and_tried_once(
    secured: Any, signing_in: Callable[..., Connection]
) -> None:
    before = refused_visits(secured)
    text = await told(signing_in(password="wrong"))
    assert f"kafka.username: the Kafka broker {secured.bootstrap} refuses the user owner or the password" in text
    assert "wrong" not in text
    assert refused_visits(secured) == before + 1


async def test_an_unknown_user_reads_the_same(signing_in: Callable[..., Connection]) -> None:
    assert "refuses the user nobody or the password" in await told(signing_in("nobody", "x"))


async def test_a_client_that_was_let_in_wrongly_configured_gives_up_after_one_visit(
    secured: Any, signing_in: Callable[..., Connection]
) -> None:
    """Even without a first `check` no client storms the broker: its start fails, and `told` knows why."""
    before = refused_visits(secured)
    producer = AIOKafkaProducer(**signing_in(password="wrong").client())
    with pytest.raises(KafkaError):
        await producer.start()
    await producer.stop()
    assert refused_visits(secured) == before + 1


async def test_a_mechanism_that_the_broker_has_not(signing_in: Callable[..., Connection]) -> None:
    assert "does not sign in users by SCRAM-SHA-256" in await told(signing_in(mechanism="SCRAM-SHA-256"))


async def test_a_user_without_rights_learns_which_topics_they_are_about(
    secured: Any, signing_in: Callable[..., Connection]
) -> None:
    text = await told(signing_in("stranger"), "breachwatch.records", "breachwatch.alerts")
    assert "does not allow this to stranger: breachwatch.alerts, breachwatch.records" in text
    assert "`breachwatch topics rights` prints" in text


async def test_errors_of_clients_at_work_are_told_by_the_same_words(
    secured: Any, signing_in: Callable[..., Connection]
) -> None:
    stranger = signing_in("stranger")
    for error in (TopicAuthorizationFailedError("breachwatch.records"), GroupAuthorizationFailedError("breachwatch")):
        assert "does not allow this to stranger: breachwatch" in str(stranger.told(error))


async def test_a_certificate_that_nobody_vouches_for(
    signing_in: Callable[..., Connection], tmp_path: Path, secured: Any
) -> None:
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    for trusted in (tmp_path / "other.pem", None):
        text = await told(signing_in(certificate_authority_file=trusted))
        assert text.startswith(
            f"kafka.certificate_authority_file: the certificate of the Kafka broker {secured.bootstrap}"
        )
        assert "not signed by an authority we trust" in text


async def test_a_certificate_for_another_name(
    secured: Any, signing_in: Callable[..., Connection], authority: trustme.CA
) -> None:
    with behind(secured.bootstrap, "127.0.0.2") as elsewhere:
        text = await told(signing_in(brokers=[elsewhere]))
    assert f"the certificate of the Kafka broker {elsewhere} is for another name" in text


async def test_tls_to_a_port_that_speaks_none_and_the_reverse(kafka: Any, secured: Any, authority_file: Path) -> None:
    tls_to_plain = connection([kafka.bootstrap], certificate_authority_file=authority_file)
    with pytest.raises((ContentError, UnavailableError), match=r"does not speak TLS|is away"):
        await tls_to_plain.check()
    with pytest.raises(UnavailableError, match='hung up; it may be starting, or wants security = "tls"'):
        await connection([secured.bootstrap], tls=False).check()


# ------------------------------------------------------------------------------------------ nobody there


async def test_nobody_there_is_tried_more_and_more_slowly_and_not_for_ever() -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    absent = nobody_there()
    with pytest.raises(UnavailableError, match=f"nobody listens at the Kafka broker {absent}; is it running"):
        await connection([absent], tls=False).wait_until_open(patience=20.0, sleep=sleep)
    assert waits == [0.25, 0.5, 1.0, 2.0, 5.0, 5.0, 5.0]


async def test_somebody_who_comes_late_is_waited_for(own_kafka: Any) -> None:
    own_kafka.stop()
    tries: list[float] = []

    async def start_it(seconds: float) -> None:
        tries.append(seconds)
        own_kafka.start()

    await connection([own_kafka.bootstrap], tls=False).wait_until_open(sleep=start_it)
    assert tries == [0.25]


async def test_a_broker_that_answers_nothing_is_not_waited_for_without_end(own_kafka: Any) -> None:
    own_kafka.freeze()
    silent = Connection((own_kafka.bootstrap,), answer_within=0.2)
    with pytest.raises(UnavailableError, match="does not answer"):
        await silent.check()


# ------------------------------------------------------------------------------------------ before any visit


def test_every_fault_of_the_files_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("")
    with pytest.raises(ContentError) as told:
        connection(
            ["kafka.example.test:9093"],
            certificate_authority_file=tmp_path / "empty.pem",
            certificate_file=tmp_path / "absent.pem",
            key_file=tmp_path / "absent.key",
        )
    first, second = told.value.problems
    assert str(first).startswith("kafka.certificate_authority_file: ")
    assert "absent.pem cannot be read: No such file or directory" in str(second)


def test_no_broker_at_all() -> None:
    with pytest.raises(ContentError, match="no Kafka broker is named"):
        connection([])


def test_a_connection_never_shows_its_password() -> None:
    shown = connection(["localhost:9092"], tls=False, username="owner", password="secret-word")
    assert "secret-word" not in repr(shown)


def test_tls_is_verified_and_not_an_old_one(authority_file: Path) -> None:
    made = connection(["kafka.example.test:9093"], certificate_authority_file=authority_file).tls
    assert made is not None
    assert (made.verify_mode, made.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert made.minimum_version >= ssl.TLSVersion.TLSv1_2


def nobody_there() -> str:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{one.getsockname()[1]}"


@contextlib.contextmanager
def behind(bootstrap: str, address: str) -> Iterator[str]:
    """The same broker at another address of loopback, for which it has no certificate."""
    import threading

    host, _, port = bootstrap.rpartition(":")

    def pump(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = door.accept()
                far = socket.create_connection((host, int(port)))
                threading.Thread(target=pump, args=(near, far), daemon=True).start()
                threading.Thread(target=pump, args=(far, near), daemon=True).start()

    with socket.create_server((address, 0)) as door:
        threading.Thread(target=serve, daemon=True).start()
        yield f"{address}:{door.getsockname()[1]}"
        door.shutdown(socket.SHUT_RDWR)
