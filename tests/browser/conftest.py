"""A real Chromium before a real demo: the shop's day is played, the people are found, and a page is ready.

Nothing here waits by the clock: the browser looks until it sees what it was told to look for. Whatever page is opened
through these fixtures is watched: a request to any other host, an error on its console or a refusal by its content
security policy fails the test that opened it. Pictures of the pages stay in `test-output/browser/`.
"""

import asyncio
import os
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Error, Page, Request, expect, sync_playwright

from breachwatch import wiring
from breachwatch.console.passwords import one_time_code, token_hash
from breachwatch.demo.headless import AFFECTED, DemoDpo
from breachwatch.kernel.ports import Member

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "test-output" / "browser"
PATIENCE_MS = 20_000
ALONE = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--disable-sync",
    "--no-first-run",
    "--no-pings",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
"""Chromium talks to loopback and to nobody else. Its sandbox cannot run as root, which is what test machines are."""

ALL_FOUND = """async ([affected, records, patience]) => {
  const read = async (path) => (await fetch(path)).json();
  for (const until = Date.now() + patience; Date.now() < until; await new Promise((go) => setTimeout(go, 100))) {
    const { tallies, backlog } = await read("/api/status");
    const { incidents } = await read("/api/incidents");
    const taken = Object.values(tallies).reduce((sum, one) => sum + one.records, 0);
    const found = Object.entries(affected).every(([playbook, people]) =>
      incidents.some((one) => one.playbook === playbook && one.people_reachable === people));
    if (taken === records && backlog === 0 && found) return;
  }
  throw new Error("the shop's day was not read to its end, or not everybody in it was found");
}"""
"""The browser looks at what the desk tells programs until the whole day is read and its people are found."""

expect.set_options(timeout=PATIENCE_MS)


# ---------------------------------------------------------------------------------------------- Chromium


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser for the tests of one file. One that cannot start is a failure, never a skip."""
    path = os.environ.get("BREACHWATCH_TEST_CHROMIUM") or _found_chromium()
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=path, args=list(ALONE))
        except Error as error:
            pytest.fail(f"Chromium at {path} could not be started:\n{error}", pytrace=False)
        yield browser
        browser.close()


def _found_chromium() -> str:
    found = subprocess.run([ROOT / "script/browser"], capture_output=True, text=True, check=False, timeout=280)
    if found.returncode:
        pytest.fail(f"There is no Chromium, and none could be installed:\n{found.stderr}", pytrace=False)
    return found.stdout.strip()


# ---------------------------------------------------------------------------------------------- the shop


class Shop:
    """A running demo. `url` is its desk, `mailbox` where its mails can be read, `folder` where it keeps everything."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.demo = wiring.build_demo(folder, fresh=True, desk_port=0)
        self.url, self.mailbox = self.demo.service.desk_url, self.demo.mailbox_url
        self._ready = threading.Event()
        self._stop: Callable[[], None] = lambda: None
        self._died: list[BaseException] = []
        self._thread = threading.Thread(target=self._run, name="demo")

    def __enter__(self) -> "Shop":
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        self._thread.join()
        if self._died:
            raise self._died[0]

    def _run(self) -> None:
        async def live() -> None:
            stop, loop = asyncio.Event(), asyncio.get_running_loop()
            self._stop = lambda: loop.call_soon_threadsafe(stop.set)
            self._ready.set()
            await self.demo.service.run(stop)

        try:
            asyncio.run(live())
        except BaseException as error:
            self._died.append(error)

    def play(self) -> None:
        """Write the whole day into the logs at once."""
        self.demo.player.write(self.demo.player.total)

    def write(self, *lines: str) -> None:
        """Write lines of one's own into the audit log of the shop."""
        with (self.folder / "logs" / "shop-audit.ndjson").open("a", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)

    def code(self, name: str, role: Any = "") -> str:
        """A one-time sign-in for a member, who is added first when a role is given."""
        if role:
            self.demo.service.team.put(Member(name, f"{name.capitalize()} Example", frozenset({role})), None)
        code = one_time_code()
        self.demo.service.team.offer_sign_in(name, token_hash(code), datetime.now(UTC) + timedelta(hours=1))
        return code

    def stand_in(self) -> DemoDpo:
        """A second DPO at work elsewhere, so that a test finds a case that has moved on."""
        dpo = DemoDpo(self.url, self.mailbox, lambda _: None)
        dpo.sign_in(self.code("noor", "dpo"))
        return dpo


@pytest.fixture(scope="module")
def empty_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A demo in which nothing has happened yet."""
    with Shop(tmp_path_factory.mktemp("shop")) as shop:
        yield shop


@pytest.fixture(scope="module")
def shop(empty_shop: Shop, chromium: Browser) -> Shop:
    """A demo whose day is over: both incidents are there, and everybody they concern is found."""
    empty_shop.play()
    with Guests(chromium, empty_shop) as guests:
        page = guests.page(as_="alex")
        page.goto("/")
        page.evaluate(ALL_FOUND, [AFFECTED, empty_shop.demo.player.total, PATIENCE_MS])
    return empty_shop


@pytest.fixture
def incidents(shop: Shop) -> Mapping[str, str]:
    """Playbook to the path of its incident's page."""
    found = shop.stand_in().incidents()
    assert isinstance(found, dict)
    return {playbook: f"/incidents/{name}" for playbook, name in found.items()}


# ---------------------------------------------------------------------------------------------- pages


@dataclass
class Guests:
    """Opens pages at the desk, each with its own cookies, and remembers what they did that no page should do."""

    chromium: Browser
    shop: Shop
    wrongs: list[str] = field(default_factory=list)
    _open: list[BrowserContext] = field(default_factory=list)

    def page(self, *, as_: str = "", role: str = "", **options: Any) -> Page:
        """A page of somebody signed in (`as_`), or of a stranger; `options` are those of a browser context."""
        given = {"viewport": {"width": 1280, "height": 900}, "reduced_motion": "reduce", "locale": "en-GB", **options}
        context = self.chromium.new_context(base_url=self.shop.url, timezone_id="Europe/Paris", **given)
        context.set_default_timeout(PATIENCE_MS)
        self._open.append(context)
        context.on("request", self._asked)
        context.on("console", self._said)
        context.on("weberror", lambda error: self.wrongs.append(f"uncaught: {error.error}"))
        page = context.new_page()
        if as_:
            page.goto("/sign-in/once")
            page.fill("#code", self.shop.code(as_, role))
            page.press("#code", "Enter")
            expect(page).to_have_url(f"{self.shop.url}/password")
        return page

    def _asked(self, request: Request) -> None:
        parts = urlsplit(request.url)
        here = (urlsplit(self.shop.url).netloc, urlsplit(self.shop.mailbox).netloc)
        if parts.scheme not in ("data", "about") and parts.netloc not in here:
            self.wrongs.append(f"asked another host: {request.url}")

    def _said(self, message: ConsoleMessage) -> None:
        itself = message.page is not None and message.location["url"] == message.page.url  # a 404 that was asked for
        if message.type in ("error", "warning") and not itself:
            self.wrongs.append(f"on the console: {message.text}")

    def __enter__(self) -> "Guests":
        return self

    def __exit__(self, *_: object) -> None:
        for context in self._open:
            context.close()


@pytest.fixture
def guests(chromium: Browser, empty_shop: Shop) -> Iterator[Guests]:
    """Pages that are watched; the test fails afterwards if one of them misbehaved."""
    with Guests(chromium, empty_shop) as guests:
        yield guests
        assert guests.wrongs == []


@pytest.fixture(scope="module")
def module_guests(chromium: Browser, empty_shop: Shop) -> Iterator[Guests]:
    """Pages for all tests of a file together; the file says what becomes of their `wrongs`."""
    with Guests(chromium, empty_shop) as guests:
        yield guests


@pytest.fixture(scope="session")
def keep() -> Callable[..., None]:
    """Keep a picture of a page under a name: all of it, what is seen at first, or its first `height` pixels."""
    PICTURES.mkdir(parents=True, exist_ok=True)

    def keep(page: Page, name: str, *, full: bool = True, height: int | None = None) -> None:
        clip = {"x": 0, "y": 0, "width": 1280, "height": height} if height else None
        page.screenshot(path=PICTURES / f"{name}.png", full_page=full, clip=clip)

    return keep
