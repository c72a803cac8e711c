"""The secrets of a cluster: nothing has a default, nobody but their owner reads them, and what is there stays."""

import base64
import hashlib
import hmac
import re
import ssl
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from breachwatch.ledger.keys import open_keys

ROOT = Path(__file__).parents[2]
MAKE_SECRETS = ROOT / "deploy" / "make_secrets.py"
SERVERS = {"kafka": "kafka", "postgres": "postgres", "desk": "console", "ingest": "collect", "mail": "mail"}
PUBLIC = {"ca.pem", *(f"{name}.pem" for name in SERVERS)}


def make(folder: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, MAKE_SECRETS, folder, *options], capture_output=True, text=True, check=False)


def certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def names(found: x509.Certificate) -> set[str]:
    told = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(one.value) for one in told}


def test_only_their_owner_reads_secrets(secrets: Path) -> None:
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in secrets.iterdir()}
    assert {name for name, mode in modes.items() if mode != 0o600} == PUBLIC
    assert {modes[name] for name in PUBLIC} == {0o644}


def test_two_clusters_have_no_secret_in_common(secrets: Path, tmp_path: Path) -> None:
    assert make(tmp_path / "other").returncode == 0
    mine = {path.name: path.read_bytes() for path in secrets.iterdir()}
    others = {path.name: path.read_bytes() for path in (tmp_path / "other").iterdir()}
    assert mine.keys() == others.keys()
    assert [name for name in mine if mine[name] == others[name]] == []


def test_what_is_there_stays_when_it_is_run_again(tmp_path: Path) -> None:
    make(tmp_path / "kept")
    before = {path.name: path.read_bytes() for path in (tmp_path / "kept").iterdir()}
    assert make(tmp_path / "kept").returncode == 0
    assert {path.name: path.read_bytes() for path in (tmp_path / "kept").iterdir()} == before


def test_a_certificate_that_was_removed_is_made_anew_and_the_broker_gets_it_too(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    make(folder)
    before = (folder / "kafka.pem").read_bytes()
    (folder / "kafka.pem").unlink()
    make(folder, "--host", "kafka=kafka.shop.example")
    after = (folder / "kafka.pem").read_bytes()
    assert after != before
    assert after.strip() in (folder / "kafka.keystore.pem").read_bytes()
    assert "kafka.shop.example" in names(certificate(folder / "kafka.pem"))


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_s_certificate_is_signed_for_its_names_and_its_key_fits(secrets: Path, name: str) -> None:
    authority, shown = certificate(secrets / "ca.pem"), certificate(secrets / f"{name}.pem")
    shown.verify_directly_issued_by(authority)
    assert names(shown) == {SERVERS[name], "localhost", "127.0.0.1", "::1"}
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(secrets / f"{name}.pem", secrets / f"{name}.key")


def test_the_authority_signs_servers_and_no_further_authority(secrets: Path) -> None:
    authority, key = certificate(secrets / "ca.pem"), certificate(secrets / "ca.pem").public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    limits = authority.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert (limits.ca, limits.path_length) == (True, 0)
    shown = certificate(secrets / "desk.pem").extensions.get_extension_for_class(x509.BasicConstraints).value
    assert not shown.ca


def test_the_keys_are_those_that_the_ledger_opens(secrets: Path) -> None:
    keys = open_keys(secrets, must_exist=True)
    assert keys.master != keys.pseudonym


def test_the_broker_learns_what_proves_the_password_and_not_the_password(secrets: Path) -> None:
    password = (secrets / "kafka.password").read_text()
    told = (secrets / "kafka.scram").read_text()
    assert password not in told
    found: Any = re.fullmatch(
        r'SCRAM-SHA-512=\[name=breachwatch,iterations=8192,salt="(.*)",saltedpassword="(.*)"\]', told
    )
    salted = hashlib.pbkdf2_hmac("sha512", password.encode(), base64.b64decode(found[1]), 8192)
    assert base64.b64decode(found[2]) == salted


def test_the_database_learns_what_proves_the_password_and_not_the_password(secrets: Path) -> None:
    password, told = (secrets / "ledger.password").read_text(), (secrets / "ledger.sql").read_text()
    assert password not in told
    assert password in (secrets / "ledger.url").read_text()
    found: Any = re.search(r"SCRAM-SHA-256\$(\d+):([^$]+)\$([^:]+):([^']+)'", told)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(found[2]), int(found[1]))
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    assert base64.b64decode(found[3]) == stored
    assert base64.b64decode(found[4]) == hmac.digest(salted, b"Server Key", "sha256")


def test_a_server_that_does_not_exist_is_named(tmp_path: Path) -> None:
    done = make(tmp_path / "none", "--host", "front=shop.example")
    assert done.returncode != 0
    assert "front=shop.example" in done.stderr
    assert "ingest" in done.stderr
