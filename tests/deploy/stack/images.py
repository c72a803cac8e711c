"""What other people's images do with the command that the Compose file gives them, done here with the same programs.

Apache Kafka is the one that script/kafka fetches, PostgreSQL the system's; the mail server takes the place of Mailpit,
with the same certificate, port and insistence on TLS.
"""

import asyncio
import json
import os
import pwd
import shlex
import shutil
import signal
import ssl
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from stack.compose import Service
from stack.place import Places

ROOT = Path(__file__).parents[3]
PROBE = Path(__file__).with_name("kafka_probe.py")
STOPPED_BY = {"postgres": signal.SIGINT}
"""What an image says it is stopped by, if not SIGTERM: PostgreSQL would wait for its clients."""
JAVA_MAINS = {"kafka-storage.sh": "kafka.tools.StorageTool", "kafka-server-start.sh": "kafka.Kafka"}


def kafka_programs(places: Places, service: Service) -> None:
    """`/opt/kafka/bin`, as far as the service uses it."""
    subprocess.run([ROOT / "script/kafka", "fetch"], check=True, capture_output=True, timeout=280)
    pom = subprocess.run(["cksum"], stdin=(ROOT / "script/kafka-pom.xml").open(), capture_output=True, check=True)
    libraries = ROOT / ".cache" / "kafka" / f"libs-{pom.stdout.decode().split()[0]}"
    java = shutil.which("java") or str(next(Path("/usr/lib/jvm").glob("*/bin/java")))
    folder = places.at(service, "/opt/kafka/bin")
    folder.mkdir(parents=True, exist_ok=True)
    for name, main in JAVA_MAINS.items():
        options = f"-cp '{libraries}/*' -XX:+UseSerialGC -Djava.io.tmpdir={places.at(service, '/tmp')}"  # noqa: S108
        heap = "${KAFKA_HEAP_OPTS:-} ${KAFKA_LOG4J_OPTS:-}"
        _program(folder / name, f'exec {shlex.quote(java)} {options} {heap} {main} "$@"')
    _program(folder / "kafka-broker-api-versions.sh", f'exec {shlex.quote(sys.executable)} {PROBE} "$@"')


def _program(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)


# ------------------------------------------------------------------ PostgreSQL


def postgres_binaries() -> Path:
    """The folder of the newest PostgreSQL of this machine; script/postgres installs one where there is none."""
    subprocess.run([ROOT / "script/postgres", "start"], check=True, capture_output=True, timeout=280)
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    return found[-1]


def as_postgres(command: list[str]) -> list[str]:
    """It refuses to run as root."""
    return ["runuser", "-u", "postgres", "--", *command] if os.geteuid() == 0 else command


def postgres_owns(*folders: Path) -> None:
    """Give folders and what is in them to whom the server runs as."""
    if os.geteuid() != 0:
        return
    owner = pwd.getpwnam("postgres")
    for folder in folders:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, owner.pw_uid, owner.pw_gid)


def initialise_postgres(places: Places, service: Service, binaries: Path) -> Path:
    """What the image's entry point does at its first start, before the server runs; returns the folder of data."""
    environment = {name: places.here(service, value) for name, value in service.environment.items()}
    data = Path(environment["PGDATA"])
    data.parent.mkdir(parents=True, exist_ok=True)
    postgres_owns(places.root(service))
    arguments = shlex.split(environment["POSTGRES_INITDB_ARGS"])
    password = environment["POSTGRES_PASSWORD_FILE"]
    command = [str(binaries / "initdb"), "-D", str(data), "-U", "postgres", f"--pwfile={password}", *arguments]
    subprocess.run(as_postgres(command), check=True, capture_output=True, cwd="/")
    return data


def run_first_sql(places: Places, service: Service, socket: Path) -> None:
    """What the image's entry point does with `/docker-entrypoint-initdb.d`, by its user and password."""
    environment = {name: places.here(service, value) for name, value in service.environment.items()}
    password = Path(environment["POSTGRES_PASSWORD_FILE"]).read_text("utf-8").strip()
    for script in sorted(places.at(service, "/docker-entrypoint-initdb.d").iterdir()):
        command = ["psql", "-v", "ON_ERROR_STOP=1", "--no-password", "-h", str(socket), "-p", str(places.port(5432))]
        subprocess.run(
            [*command, "-U", "postgres", "-f", str(script)],
            check=True,
            capture_output=True,
            env={"PATH": os.environ["PATH"], "PGPASSWORD": password},
        )


# ------------------------------------------------------------------ the mail server


@dataclass
class Mailbox:
    """A mail server that insists on STARTTLS and keeps what it gets; in a thread of its own."""

    port: int
    certificate: Path
    key: Path
    mails: list[EmailMessage] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="mailbox", daemon=True)
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)

    async def _listen(self) -> asyncio.Server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)

        def talk() -> SMTP:
            return SMTP(self, hostname="mail.example", tls_context=context, require_starttls=True, loop=self._loop)

        return await self._loop.create_server(talk, "127.0.0.1", self.port)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        content: Any = envelope.content
        self.mails.append(message_from_bytes(content, policy=policy.default))
        return "250 2.0.0 kept"

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._server.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def to(self) -> list[str]:
        """Whom mails were sent to, in their order."""
        return [str(mail["To"]) for mail in self.mails]


def mailbox(places: Places, service: Service) -> Mailbox:
    """Mailpit's place, as its environment says."""
    said = {name: places.here(service, value) for name, value in service.environment.items()}
    assert json.loads(said["MP_SMTP_REQUIRE_STARTTLS"])
    port = int(said["MP_SMTP_BIND_ADDR"].rpartition(":")[2])
    return Mailbox(port, Path(said["MP_SMTP_TLS_CERT"]), Path(said["MP_SMTP_TLS_KEY"]))
