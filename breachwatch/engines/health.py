"""Whether a process lives, whether it can work, and its metrics, over HTTP: `/healthz`, `/readyz`, `/metrics`.

Alive is who answers. Ready is when every part can do its work; one that cannot is named, with a reason that is fit for
everybody who may read it. Without a token whoever reaches the address may read all three, which is this machine alone
unless the settings say otherwise; with one, `/metrics` and reasons are for those who show it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal

import orjson

from breachwatch.engines.prometheus import PrometheusObserver, Reading
from breachwatch.kernel.asgi import answer, headers_of
from breachwatch.kernel.errors import BreachwatchError
from breachwatch.kernel.posted import shows_token

log = logging.getLogger(__name__)
Check = Callable[[], str]
"""Why a part cannot work now, in plain words without secrets; empty when it can. Called in a thread; it may raise."""

Access = Literal["anybody", "token"]
"""`anybody` who reaches the address; `token`: whoever shows it, where there is one, else as before."""

CHECK_SECONDS = 5.0
"""How long a check may take before its part counts as not ready."""


@dataclass(frozen=True, slots=True)
class Route:
    """One way in: all are `GET` (and so `HEAD`)."""

    path: str
    access: Access
    what: str


ROUTES = (
    Route("/healthz", "anybody", "200 and `alive`: the process answers"),
    Route("/readyz", "anybody", "200 when every part is ready, else 503; parts and reasons only as for `token`"),
    Route("/metrics", "token", "Prometheus' text format"),
)
"""Every route, and who may call it: there is no other."""


class Readiness:
    """The parts that must work before this process can.

    Args:
        role: of this process.
        instance: what this machine or container is called.
    """

    def __init__(self, role: str, instance: str) -> None:
        self.role = role
        self.instance = instance
        self._checks: dict[str, Check] = {}
        self._told: dict[str, str] = {}
        self._asking: dict[str, asyncio.Future[str]] = {}

    def needs(self, part: str, check: Check) -> None:
        """Be ready only while `check` finds nothing."""
        self._checks[part] = check

    async def ask(self) -> dict[str, str]:
        """Part to why it is not ready, empty for those that are. All are asked side by side, none twice at a time."""
        checks = dict(self._checks)
        answers = await asyncio.gather(*(self._one(part, check) for part, check in checks.items()))
        found = dict(zip(checks, answers, strict=True))
        for part, why in found.items():
            if why and self._told.get(part, "") != why:
                log.warning("not ready: %s: %s", part, why)
        self._told = found
        return found

    async def _one(self, part: str, check: Check) -> str:
        asking = self._asking.get(part)
        if asking is None or asking.done():
            asking = self._asking[part] = asyncio.ensure_future(asyncio.to_thread(check))
        try:
            return await asyncio.wait_for(asyncio.shield(asking), CHECK_SECONDS)
        except TimeoutError:
            return f"no answer within {CHECK_SECONDS:.0f} s"
        except BreachwatchError as error:
            return str(error)
        except Exception as error:
            return type(error).__name__

    def readings(self) -> list[Reading]:
        """`breachwatch_ready` of each part, as the last question found it."""
        known = {**dict.fromkeys(self._checks, ""), **self._told}
        return [Reading("breachwatch_ready", (part,), 0.0 if why else 1.0) for part, why in known.items()]


class HealthApp:
    """The ASGI application.

    Args:
        readiness: what `/readyz` tells.
        metrics: what `/metrics` tells.
        token: to be shown as `Authorization: Bearer`; empty: none is asked for.
    """

    def __init__(self, readiness: Readiness, metrics: PrometheusObserver, token: str = "") -> None:
        self._readiness = readiness
        self._metrics = metrics
        self._token_hash = sha256(token.encode()).hexdigest() if token else ""
        self._answers: Mapping[str, Callable[[Mapping[str, str]], Awaitable[_Answer]]] = {
            "/healthz": self._alive,
            "/readyz": self._ready,
            "/metrics": self._scrape,
        }

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        told = await self._answer(scope["method"], scope["path"], headers_of(scope))
        more = {"content-length": str(len(told.body)), "cache-control": "no-store", **(told.headers or {})}
        await answer(send, told.status, b"" if scope["method"] == "HEAD" else told.body, told.kind, more)

    async def _answer(self, method: str, path: str, headers: Mapping[str, str]) -> "_Answer":
        route = next((one for one in ROUTES if one.path == path), None)
        if route is None:
            return _Answer(404, b"not here\n")
        if method not in ("GET", "HEAD"):
            return _Answer(405, b"ask by GET\n", headers={"allow": "GET, HEAD"})
        if route.access == "token" and not self._trusted(headers):
            return _Answer(401, b"send the token\n", headers={"www-authenticate": 'Bearer realm="metrics"'})
        return await self._answers[path](headers)

    def _trusted(self, headers: Mapping[str, str]) -> bool:
        return not self._token_hash or shows_token(headers.get("authorization", ""), self._token_hash)

    @staticmethod
    async def _alive(_: Mapping[str, str]) -> "_Answer":
        return _Answer(200, b"alive\n")

    async def _ready(self, headers: Mapping[str, str]) -> "_Answer":
        parts = await self._readiness.ask()
        ready = not any(parts.values())
        told: dict[str, Any] = {"ready": ready, "role": self._readiness.role}
        if self._trusted(headers):
            told["instance"] = self._readiness.instance
            told["parts"] = {part: why or "ready" for part, why in sorted(parts.items())}
        return _Answer(200 if ready else 503, orjson.dumps(told) + b"\n", "application/json")

    async def _scrape(self, headers: Mapping[str, str]) -> "_Answer":
        await self._readiness.ask()
        body, kind = await asyncio.to_thread(self._metrics.scrape, headers.get("accept", ""))
        return _Answer(200, body, kind)


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: bytes
    kind: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] | None = None
