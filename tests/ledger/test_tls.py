"""The ledger in a PostgreSQL elsewhere, over TLS that is verified; the certificates are made here."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import trustme

from breachwatch.kernel.errors import UnavailableError
from breachwatch.ledger.keys import Keys
from breachwatch.ledger.store import open_ledger

SCRIPT = Path(__file__).parents[2] / "script/postgres"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def folder(authority: trustme.CA) -> Iterator[Path]:
    """One that the server's user may enter too; it holds the server's certificate and who may come in."""
    made = Path(tempfile.mkdtemp(prefix="breachwatch-tls-"))
    made.chmod(0o755)
    server = authority.issue_cert("localhost", "127.0.0.1")
    (made / "server.pem").write_bytes(b"".join(one.bytes() for one in server.cert_chain_pems))
    server.private_key_pem.write_to_path(made / "server.key")
    (made / "server.key").chmod(0o600)
    if os.geteuid() == 0:
        shutil.chown(made / "server.key", "postgres", "postgres")
    authority.cert_pem.write_to_path(made / "ca.pem")
    trustme.CA().cert_pem.write_to_path(made / "other.pem")
    (made / "hba").write_text("hostssl all all 127.0.0.1/32 scram-sha-256\n")
    yield made
    shutil.rmtree(made)


def run(command: str, home: Path, **more: str) -> str:
    environment = {**os.environ, "BREACHWATCH_POSTGRES_HOME": str(home), **more}
    done = subprocess.run([SCRIPT, command], env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[sa.URL]:
    """A server that lets in nobody without TLS; its URL, which does not ask for it yet."""
    options = (
        f"-c ssl=on -c ssl_cert_file={folder}/server.pem -c ssl_key_file={folder}/server.key -c hba_file={folder}/hba"
    )
    yield sa.make_url(run("start", folder, BREACHWATCH_POSTGRES_OPTIONS=options))
    run("stop", folder)


def verified(server: sa.URL, authority_file: Path) -> sa.URL:
    return server.update_query_dict({"sslmode": "verify-full", "sslrootcert": str(authority_file)})


def told(url: sa.URL, keys: Keys, fact_codec: Any) -> str:
    """What a person reads who opens the ledger so; never the password."""
    with pytest.raises(UnavailableError) as refused:
        open_ledger(url.render_as_string(hide_password=False), keys, fact_codec)
    text = str(refused.value)
    assert str(url.password) not in text
    return text


def test_a_ledger_is_kept_over_a_verified_connection(server: sa.URL, folder: Path, keys: Keys, fact_codec: Any) -> None:
    url = verified(server, folder / "ca.pem").render_as_string(hide_password=False)
    store = open_ledger(url, keys, fact_codec)
    try:
        with store.database.reading() as connection:
            asked = "SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
            assert tuple(connection.exec_driver_sql(asked).one()) == (True, "TLSv1.3")
        assert list(store.ledger.verify()) == []
    finally:
        store.close()


def test_a_server_that_nobody_vouches_for_is_not_spoken_to(
    server: sa.URL, folder: Path, keys: Keys, fact_codec: Any
) -> None:
    text = told(verified(server, folder / "other.pem"), keys, fact_codec)
    assert "shows a certificate that we do not trust; name its authority's by sslrootcert" in text


def test_a_missing_file_of_the_authority_is_told(server: sa.URL, folder: Path, keys: Keys, fact_codec: Any) -> None:
    text = told(verified(server, folder / "absent.pem"), keys, fact_codec)
    assert "sslrootcert must name the certificate of its authority" in text


def test_a_certificate_for_another_name_is_told(server: sa.URL, folder: Path, keys: Keys, fact_codec: Any) -> None:
    elsewhere = verified(server, folder / "ca.pem").set(host="postgres.example.test")
    text = told(elsewhere.update_query_dict({"hostaddr": "127.0.0.1"}), keys, fact_codec)
    assert "shows a certificate for another name; write the name that it bears into the URL" in text


def test_a_wrong_password_is_told_and_tried_once(server: sa.URL, folder: Path, keys: Keys, fact_codec: Any) -> None:
    log = Path(_state(folder)["folder"]) / "log"
    before = log.read_text().count("password authentication failed")
    text = told(verified(server, folder / "ca.pem").set(password="not-it"), keys, fact_codec)
    assert "refuses this user or password; put them right in the URL of the ledger" in text
    assert log.read_text().count("password authentication failed") == before + 1


def test_a_server_that_wants_tls_says_how_to_ask_for_it(server: sa.URL, keys: Keys, fact_codec: Any) -> None:
    text = told(server.update_query_dict({"sslmode": "disable"}), keys, fact_codec)
    assert "wants TLS; add sslmode=verify-full and sslrootcert=FILE to the URL" in text


def test_a_server_without_tls_is_refused_by_who_wants_it(
    postgresql_server: str, folder: Path, keys: Keys, fact_codec: Any
) -> None:
    text = told(verified(sa.make_url(postgresql_server), folder / "ca.pem"), keys, fact_codec)
    assert "does not speak TLS; turn it on there" in text


def _state(folder: Path) -> dict[str, str]:
    lines = (folder / "postgres.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)
