"""A probe learns whether a process lives and can work; whoever may not know why is not told why."""

import asyncio
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx
import pytest

from breachwatch.engines import health
from breachwatch.engines.health import ROUTES, HealthApp, Readiness
from breachwatch.engines.prometheus import PrometheusObserver
from breachwatch.kernel.errors import UnavailableError

AT = datetime(2026, 3, 27, 13, tzinfo=UTC)
TOKEN = "a token of the operator's own"
WITH_TOKEN = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def readiness() -> Readiness:
    return Readiness("worker", "node-1")


def client(readiness: Readiness, token: str = "") -> httpx.AsyncClient:
    metrics = PrometheusObserver("worker", lambda: AT)
    metrics.reads("ready", readiness.readings)
    transport = httpx.ASGITransport(HealthApp(readiness, metrics, token))
    return httpx.AsyncClient(transport=transport, base_url="http://observe.test")


@pytest.fixture
async def anybody(readiness: Readiness) -> AsyncIterator[httpx.AsyncClient]:
    async with client(readiness) as one:
        yield one


@pytest.fixture
async def guarded(readiness: Readiness) -> AsyncIterator[httpx.AsyncClient]:
    async with client(readiness, TOKEN) as one:
        yield one


class TestReadiness:
    async def test_ready_is_when_every_part_is(self, readiness: Readiness, anybody: httpx.AsyncClient) -> None:
        wrong = {"kafka": "not joined yet", "ledger": ""}
        readiness.needs("kafka", lambda: wrong["kafka"])
        readiness.needs("ledger", lambda: wrong["ledger"])
        answer = await anybody.get("/readyz")
        assert answer.status_code == 503
        assert answer.json() == {
            "ready": False,
            "role": "worker",
            "instance": "node-1",
            "parts": {"kafka": "not joined yet", "ledger": "ready"},
        }
        wrong["kafka"] = ""
        assert (await anybody.get("/readyz")).status_code == 200

    async def test_who_is_not_ready_is_alive(self, readiness: Readiness, anybody: httpx.AsyncClient) -> None:
        readiness.needs("kafka", lambda: "not joined yet")
        answer = await anybody.get("/healthz")
        assert (answer.status_code, answer.text) == (200, "alive\n")

    async def test_a_part_that_fails_is_told_by_kind_and_not_by_what_the_error_quotes(
        self, readiness: Readiness, anybody: httpx.AsyncClient
    ) -> None:
        def away() -> str:
            raise UnavailableError("the database is away")

        def bug() -> str:
            raise KeyError("postgresql://user:secret@db.example/ledger")

        readiness.needs("ledger", away)
        readiness.needs("kafka", bug)
        parts = (await anybody.get("/readyz")).json()["parts"]
        assert parts == {"ledger": "the database is away", "kafka": "KeyError"}

    async def test_a_check_that_hangs_is_not_ready_and_is_not_asked_twice(
        self, readiness: Readiness, anybody: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(health, "CHECK_SECONDS", 0.05)
        done, asked = threading.Event(), list[int]()

        def hangs() -> str:
            asked.append(1)
            done.wait(30)
            return ""

        readiness.needs("ledger", hangs)
        for _ in range(3):
            assert (await anybody.get("/readyz")).json()["parts"]["ledger"].startswith("no answer within")
        assert len(asked) == 1
        done.set()
        await asyncio.gather(*readiness._asking.values())
        assert (await anybody.get("/readyz")).status_code == 200

    async def test_metrics_tell_which_part_is_not_ready(self, readiness: Readiness, anybody: httpx.AsyncClient) -> None:
        readiness.needs("kafka", lambda: "not joined yet")
        readiness.needs("ledger", lambda: "")
        text = (await anybody.get("/metrics")).text
        assert 'breachwatch_ready{part="kafka"} 0.0' in text
        assert 'breachwatch_ready{part="ledger"} 1.0' in text


class TestWhoMayAsk:
    def test_every_route_says_who_may_call_it(self) -> None:
        assert {route.path: route.access for route in ROUTES} == {
            "/healthz": "anybody",
            "/readyz": "anybody",
            "/metrics": "token",
        }

    async def test_nothing_else_is_there_and_nothing_can_be_changed(self, anybody: httpx.AsyncClient) -> None:
        for path in ("/", "/metrics/", "/debug", "/healthz/x", "/-/reload"):
            assert (await anybody.get(path)).status_code == 404, path
        for route in ROUTES:
            for method in ("POST", "PUT", "DELETE"):
                assert (await anybody.request(method, route.path)).status_code == 405

    async def test_the_routes_are_what_the_application_answers(self, guarded: httpx.AsyncClient) -> None:
        for route in ROUTES:
            stranger = await guarded.get(route.path)
            assert (stranger.status_code == 401) == (route.access == "token"), route.path
            assert (await guarded.get(route.path, headers=WITH_TOKEN)).status_code == 200
            assert (await guarded.head(route.path, headers=WITH_TOKEN)).content == b""

    @pytest.mark.parametrize("shown", ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x"])
    async def test_a_wrong_token_is_none(self, guarded: httpx.AsyncClient, shown: str) -> None:
        answer = await guarded.get("/metrics", headers={"Authorization": shown})
        assert answer.status_code == 401
        assert "breachwatch_" not in answer.text

    async def test_a_stranger_learns_that_a_process_is_not_ready_and_not_why(
        self, readiness: Readiness, guarded: httpx.AsyncClient
    ) -> None:
        readiness.needs("ledger", lambda: "the database db.example is away")
        stranger = await guarded.get("/readyz")
        assert (stranger.status_code, stranger.json()) == (503, {"ready": False, "role": "worker"})
        known = await guarded.get("/readyz", headers=WITH_TOKEN)
        assert known.json()["parts"] == {"ledger": "the database db.example is away"}

    async def test_prometheus_gets_the_format_that_it_asks_for(self, anybody: httpx.AsyncClient) -> None:
        plain = await anybody.get("/metrics")
        open_metrics = await anybody.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
        assert plain.headers["content-type"].startswith("text/plain")
        assert open_metrics.headers["content-type"].startswith("application/openmetrics-text")
        assert open_metrics.text.endswith("# EOF\n")
