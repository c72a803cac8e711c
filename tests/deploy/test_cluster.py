"""The guide to Compose, lived through: every command of it, every service by its own command and environment.

No container engine is asked for. Kafka and PostgreSQL are real, run with the Compose file's own settings, over TLS and
with the passwords that the script drew; what is changed are paths, names of hosts, and ports (see `stack/place.py`).
"""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import pytest
from stack.cluster import Cluster, wait_until
from stack.engine import Engine, Guide

from breachwatch.demo.people import customers
from breachwatch.demo.visitor import Page, Visitor
from breachwatch.kernel.time import rfc3339

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "how-to" / "run-with-compose.md"
TAKEN = 120
"""As many people as deploy/compose/directory.csv has; more than a parcel run takes, so that it is a breach."""
TEAM = "security@shop.example"
OURS = ("collect", "worker", "worker-2", "clock", "courier", "console", "topics")
pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def engine(checkout: Path) -> Iterator[Engine]:
    made = Engine(checkout)
    try:
        yield made
    finally:
        if made.cluster is not None:
            made.cluster.close()


@pytest.fixture
def guide(checkout: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Guide:
    """The page, and a reader whose programs trust the cluster's own authority."""
    monkeypatch.setenv("SSL_CERT_FILE", str(checkout / "deploy" / "secrets" / "ca.pem"))
    return Guide(PAGE, checkout, engine)


def test_a_cluster_is_started_used_grown_upgraded_and_stopped_as_the_guide_tells(
    guide: Guide, engine: Engine, checkout: Path, subtests: pytest.Subtests
) -> None:
    guide.do("1. Draw the secrets")
    told = guide.do("3. Start it")
    cluster, secrets = engine.running, checkout / "deploy" / "secrets"
    with subtests.test("a line that is sent is taken"):
        assert json.loads(told[-1])["accepted"] == 1
    with subtests.test("from a log line to an incident, and what was approved to one mail a person"):
        dpo = signed_in(cluster, code_in(told[1]))
        incident = raised(cluster, dpo, token_in(secrets))
        approved(cluster, dpo, incident)
    with subtests.test("strangers are not let in, and nothing is said in clear"):
        assert post(cluster, stolen(), "guessed") == 401
        with pytest.raises((URLError, ConnectionError)):
            post(cluster, stolen(), token_in(secrets), scheme="http")
    with subtests.test("a second worker shares the work"):
        guide.do("4. More workers")
    with subtests.test("while Kafka is away records are taken, and go on when it is back"):
        cluster.stop("kafka")
        assert post(cluster, stolen("key-parcels"), token_in(secrets)) == 202
        cluster.start_again("kafka")
        wait_until(lambda: len(incidents(dpo)) == 2, "the incident of what was taken meanwhile")
    with subtests.test("after an upgrade the same case is there, with a new certificate shown"):
        guide.do("Upgrade")
        guide.do("Renew a certificate")
        assert incident["incident_id"] in {one["incident_id"] for one in incidents(dpo)}
        assert len(incidents(dpo)) == 2
        assert post(cluster, stolen(), token_in(secrets)) == 202
    with subtests.test("the case file proves that nobody changed it"):
        assert "every chain is whole" in cluster.run("clock", "breachwatch", "verify")
    with subtests.test("no log names a person or tells a secret"):
        told_nobody(cluster, secrets)
    with subtests.test("it ends when it is told to"):
        guide.do("Stop")
    assert guide.left() == []


# ------------------------------------------------------------------ the story


def stolen(key: str = "key-mailing") -> list[dict[str, Any]]:
    """A stolen API key takes the records of 120 customers, four at a time, in two minutes."""
    people, now = customers(TAKEN), datetime.now(UTC)
    return [
        {
            "time": rfc3339(now - timedelta(minutes=3) + timedelta(seconds=first)),
            "app": "shop",
            "action": "export",
            "outcome": "success",
            "actor": {"id": key, "type": "api_key"},
            "client": {"ip": "198.51.100.24"},
            "subjects": [one.id for one in people[first : first + 4]],
            "object": {"type": "customer", "id": f"list-{first}"},
            "records": 4,
        }
        for first in range(0, TAKEN, 4)
    ]


def post(cluster: Cluster, events: list[dict[str, Any]], token: str, scheme: str = "https") -> int:
    """Send records to the way in, as a program of the shop does; returns the status."""
    url = f"{scheme}://127.0.0.1:{cluster.places.port(8421)}/ingest/app-audit"
    body = "".join(json.dumps(event) + "\n" for event in events).encode()
    name = f"{scheme}-{events[0]['actor']['id']}"
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/x-ndjson", "Idempotency-Key": name}
    try:
        with urlopen(Request(url, data=body, headers=headers), timeout=30) as answer:  # noqa: S310 - both are meant
            return int(answer.status)
    except HTTPError as error:
        return error.code


def token_in(secrets: Path) -> str:
    return (secrets / "ingest.token").read_text().strip()


def code_in(told: str) -> str:
    """The one-time code that the operator passes on."""
    return told.split("with the code ")[1].split(maxsplit=1)[0]


def signed_in(cluster: Cluster, code: str) -> Visitor:
    visitor = Visitor(f"https://127.0.0.1:{cluster.places.port(8420)}")
    done(visitor.send(visitor.get("/sign-in/once").form("sign-in-once-form"), code=code))
    return visitor


def done(page: Page) -> Page:
    assert page.status == 200, f"{page.url}: {page.status} {page.text[:400]}"
    return page


def incidents(visitor: Visitor) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(done(visitor.get("/api/incidents")).html)["incidents"]
    return rows


def raised(cluster: Cluster, dpo: Visitor, token: str) -> dict[str, Any]:
    """One incident, with everybody found, and nobody told but the team."""
    assert post(cluster, stolen(), token) == 202

    def found() -> dict[str, Any]:
        rows = incidents(dpo)
        assert len(rows) <= 1
        return rows[0] if rows and rows[0]["people_reachable"] == TAKEN else {}

    incident = wait_until(found, "one incident whose people are all found")
    assert incident["playbook"] == "mass-export"
    assert set(mails(cluster)) <= {TEAM}
    return incident


def approved(cluster: Cluster, dpo: Visitor, incident: dict[str, Any]) -> None:
    """The DPO decides and approves; then everybody gets one mail, and the case file knows."""
    case = f"/incidents/{incident['incident_id']}"
    fill_in(dpo, case, "decision-form", duty="notify_authority_and_people", reason="strangers have it")
    fill_in(dpo, f"{case}/notices", "approve-notices-form")
    expected = {one.email: 1 for one in customers(TAKEN)}
    wait_until(lambda: expected.keys() <= set(mails(cluster)), "a mail to everybody")
    wait_until(lambda: incidents(dpo)[0]["notices"] not in ("none", "draft", "approved"), "the case file to know of it")
    assert Counter(to for to in mails(cluster) if to != TEAM) == expected


def fill_in(visitor: Visitor, path: str, form: str, **values: str) -> None:
    done(visitor.send(done(visitor.get(path)).form(form), **values))


def mails(cluster: Cluster) -> list[str]:
    assert cluster.mailbox is not None
    return cluster.mailbox.to()


def told_nobody(cluster: Cluster, secrets: Path) -> None:
    tokens = [(secrets / name).read_text().strip() for name in ("kafka.password", "ledger.password", "ingest.token")]
    people = [word for one in customers(TAKEN) for word in (one.email, one.name)]
    for name in OURS:
        said = cluster.log(name)
        assert [word for word in (*tokens, *people) if word in said] == [], name
