"""Makes what a cluster keeps secret: an authority of its own, certificates, passwords, keys and tokens.

    .venv/bin/python deploy/make_secrets.py                    # all that docker-compose.yml needs, in deploy/secrets
    .venv/bin/python deploy/make_secrets.py --host ingest=logs.shop.example

What is there already stays as it is, so that it can be run again: remove `NAME.pem` and `NAME.key` to renew a
certificate. Nothing has a default: every password is drawn here. The files belong to `--owner`, whom the containers run
as, and nobody else may read them. `ca.key` signs certificates and opens nothing; keep it elsewhere once all are made.
"""

import argparse
import base64
import hashlib
import hmac
import ipaddress
import os
import secrets
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

HERE = Path(__file__).resolve().parent
SERVERS = ("kafka", "postgres", "desk", "ingest", "mail")
"""Who shows a certificate of their own. Two more names for each: its service and this machine."""
SERVICES: Mapping[str, str] = {"desk": "console", "ingest": "collect"}
"""What a service is called on the network, where it is not called like its certificate."""
USER = "breachwatch"
AUTHORITY_LASTS, CERTIFICATE_LASTS = timedelta(days=3650), timedelta(days=397)
KAFKA_ITERATIONS, POSTGRES_ITERATIONS = 8192, 4096
"""Rounds of SCRAM (RFC 5802) as each server has them by default."""


@dataclass(frozen=True, slots=True)
class Folder:
    """Where the secrets lie. Each file is written once, whole, for its owner's eyes only."""

    path: Path

    def once(self, name: str, make: Callable[[], bytes], mode: int = 0o600) -> bytes:
        """What the file says; made now if there is none."""
        file = self.path / name
        if not file.exists():
            draft = file.with_name(f".{name}.{os.getpid()}")
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with os.fdopen(descriptor, "wb") as out:
                out.write(make())
            draft.chmod(mode)
            draft.rename(file)
        return file.read_bytes()

    def drawn(self, name: str) -> str:
        """A password of 192 bits, in letters that need no quoting anywhere."""
        return self.once(name, lambda: secrets.token_hex(24).encode()).decode().strip()


def make_all(folder: Path, hosts: Mapping[str, Sequence[str]], now: datetime) -> None:
    """Make every secret that is not there yet.

    Args:
        folder: where they lie; made for its owner alone.
        hosts: further names and addresses for the certificate of a server, by its name in `SERVERS`.
        now: when new certificates begin.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    kept = Folder(folder)
    _certificates(kept, hosts, now)
    _kafka(kept)
    _postgres(kept)
    for name in ("master.key", "pseudonym.key"):
        kept.once(name, lambda: secrets.token_hex(32).encode() + b"\n")
    for name in ("ingest.token", "metrics.token"):
        kept.once(name, lambda: secrets.token_urlsafe(32).encode() + b"\n")


# ------------------------------------------------------------------ certificates


def _certificates(kept: Folder, hosts: Mapping[str, Sequence[str]], now: datetime) -> None:
    signer = _private(kept.once("ca.key", _new_key))
    authority = x509.load_pem_x509_certificate(kept.once("ca.pem", lambda: _authority(signer, now), 0o644))
    for name in SERVERS:
        names = [SERVICES.get(name, name), "localhost", "127.0.0.1", "::1", *hosts.get(name, ())]
        key = kept.once(f"{name}.key", _new_key)
        shown = kept.once(f"{name}.pem", _leaf(authority, signer, _private(key), names, now), 0o644)
        if name == "kafka":  # it reads key and certificate from one file, which follows them when they are renewed
            (kept.path / "kafka.keystore.pem").unlink(missing_ok=True)
            kept.once("kafka.keystore.pem", b"".join((key, shown)).strip)


def _new_key() -> bytes:
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _private(pem: bytes) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(pem, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise SystemExit("deploy/make_secrets.py knows keys on elliptic curves only; remove the key that is another")
    return key


def _called(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _authority(signer: ec.EllipticCurvePrivateKey, now: datetime) -> bytes:
    name, identifier = _called("breachwatch"), x509.SubjectKeyIdentifier.from_public_key(signer.public_key())
    usage = x509.KeyUsage(
        digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    builder = _begun(name, name, signer.public_key(), now, AUTHORITY_LASTS)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(usage, critical=True).add_extension(identifier, critical=False)
    return builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _leaf(
    authority: x509.Certificate,
    signer: ec.EllipticCurvePrivateKey,
    key: ec.EllipticCurvePrivateKey,
    names: Sequence[str],
    now: datetime,
) -> Callable[[], bytes]:
    def make() -> bytes:
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
        purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
        builder = _begun(_called(names[0]), authority.subject, key.public_key(), now, CERTIFICATE_LASTS)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(purposes, critical=False).add_extension(issuer, critical=False)
        builder = builder.add_extension(x509.SubjectAlternativeName([_alternative(name) for name in names]), False)
        return builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    return make


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, lasts: timedelta
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(now - timedelta(minutes=5)).not_valid_after(now + lasts)


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


# ------------------------------------------------------------------ who may sign in


def _kafka(kept: Folder) -> None:
    """The user of the brokers: for us its password, for them (`format --add-scram`) only what proves it."""
    password = kept.drawn("kafka.password")
    kept.once("kafka.cluster", lambda: base64.urlsafe_b64encode(secrets.token_bytes(16)).rstrip(b"="))
    kept.once("kafka.scram", lambda: _kafka_user(password, secrets.token_bytes(16)))
    kept.once("kafka-client.properties", lambda: _KAFKA_CLIENT.format(user=USER, password=password).encode())


_KAFKA_CLIENT = """\
security.protocol=SASL_SSL
sasl.mechanism=SCRAM-SHA-512
sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required username="{user}" password="{password}";
ssl.truststore.type=PEM
ssl.truststore.location=/run/secrets/ca.pem
"""  # noqa: E501 - the format has no continuation that every tool reads


def _kafka_user(password: str, salt: bytes) -> bytes:
    salted = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, KAFKA_ITERATIONS)
    proof = f'iterations={KAFKA_ITERATIONS},salt="{_text(salt)}",saltedpassword="{_text(salted)}"'
    return f"SCRAM-SHA-512=[name={USER},{proof}]".encode()


def _postgres(kept: Folder) -> None:
    """The role that owns the ledger, and for us the ledger's address. The server never learns the password."""
    kept.drawn("postgres.password")
    password = kept.drawn("ledger.password")
    role = f"CREATE ROLE {USER} LOGIN PASSWORD '{{proof}}';\nCREATE DATABASE {USER} OWNER {USER};\n"
    kept.once("ledger.sql", lambda: role.format(proof=_postgres_proof(password, secrets.token_bytes(16))).encode())
    verified = "sslmode=verify-full&sslrootcert=/run/secrets/ca.pem"
    kept.once("ledger.url", f"postgresql+psycopg://{USER}:{password}@postgres:5432/{USER}?{verified}\n".encode)


def _postgres_proof(password: str, salt: bytes) -> str:
    """A password as PostgreSQL stores it: SCRAM-SHA-256$ITERATIONS:SALT$STOREDKEY:SERVERKEY."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, POSTGRES_ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    return f"SCRAM-SHA-256${POSTGRES_ITERATIONS}:{_text(salt)}${_text(stored)}:{_text(server)}"


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


# ------------------------------------------------------------------ the command


def _hosts(given: Sequence[str]) -> dict[str, list[str]]:
    hosts: dict[str, list[str]] = {}
    for one in given:
        server, _, host = one.partition("=")
        if server not in SERVERS or not host:
            raise SystemExit(f"--host {one}: say it like ingest=logs.shop.example, with one of {', '.join(SERVERS)}")
        hosts.setdefault(server, []).append(host)
    return hosts


def _give(folder: Path, owner: int) -> None:
    if os.geteuid() == 0:
        for path in (folder, *folder.iterdir()):
            os.chown(path, owner, owner)
    elif os.geteuid() != owner:
        sys.stderr.write(f"The containers run as user {owner} and cannot read these files: run this with sudo.\n")


def main(arguments: Sequence[str] | None = None) -> None:
    """Make what is missing, and say where it lies."""
    parser = argparse.ArgumentParser(description="Make the certificates, passwords and keys of a cluster.")
    parser.add_argument("folder", nargs="?", type=Path, default=HERE / "secrets")
    parser.add_argument("--host", action="append", default=[], metavar="SERVER=HOST", help="another name of a server")
    parser.add_argument("--owner", type=int, default=1000, help="whom the containers run as (default 1000)")
    given = parser.parse_args(arguments)
    make_all(given.folder, _hosts(given.host), datetime.now(UTC))  # noqa: TID251 - certificates begin when they are made
    _give(given.folder, given.owner)
    sys.stdout.write(f"{given.folder} holds everything. Keep copies of master.key and pseudonym.key offline.\n")


if __name__ == "__main__":
    main()
