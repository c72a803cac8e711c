"""One story's house: settings, logs, mail server, clock, the service, and the DPO at the desk."""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.error import URLError

from breachwatch import wiring
from breachwatch.demo.people import Customer
from breachwatch.demo.shop import AUDIT, AUTH
from breachwatch.demo.visitor import Page, Visitor
from breachwatch.kernel.ports import Member
from breachwatch.ledger.store import Store
from breachwatch.settings import Settings, read_settings
from house.relay import Relay
from house.service import Clock, Service, free_port, wait_until
from house.shop import Logs, lay_out

STARTS_AT = datetime(2026, 3, 27, 17, tzinfo=UTC)
TEAM_MAIL = "security@shop.example"

SETTINGS = """
state_dir = "state"
[organisation]
name = "Example Shop"
address = "1 Example Street, 75000 Paris"
website = "https://shop.example"
dpo_name = "Dominique Example"
dpo_email = "dpo@shop.example"
default_language = "fr"
[[inputs]]
type = "file"
path = "logs/{audit}"
source = "app-audit"
[[inputs]]
type = "file"
path = "logs/{auth}"
source = "linux-sshd"
[directory]
type = "csv"
path = "directory.csv"
identifiers = {{ customer_id = "customer_id", login = "login" }}
[ledger]
{ledger}
[mail]
host = "127.0.0.1"
port = {smtp}
security = "none-loopback-only"
sender = "privacy@shop.example"
[team]
notify = ["{team}"]
[desk]
port = {desk}
[observe]
port = 0
log_format = "json"
{observe}
"""


class Stage:
    """Everything a story needs. `ledger_url`: empty for SQLite in the state folder. `observe`: more of that section."""

    def __init__(
        self, folder: Path, people: list[Customer] | Any, ledger_url: str = "", observe: str = "", **service: float
    ) -> None:
        self.folder = folder
        self.logs: Logs = lay_out(folder, people)
        self.relay = Relay()
        self.ledger_url = ledger_url
        if ledger_url:
            (folder / "ledger.url").write_text(ledger_url)
        settings_file = folder / "breachwatch.toml"
        settings_file.write_text(
            SETTINGS.format(
                audit=AUDIT,
                auth=AUTH,
                ledger='url_file = "ledger.url"' if ledger_url else "",
                smtp=self.relay.port,
                team=TEAM_MAIL,
                desk=free_port(),
                observe=observe,
            )
        )
        self.settings: Settings = read_settings(settings_file)
        self.clock = Clock(folder / "clock", STARTS_AT)
        self.service = Service(settings_file, self.clock, folder / "service.log", **service)  # type: ignore[arg-type]
        self.urls: list[str] = []
        self.posted = 0
        self._store: Store | None = None

    def close(self) -> None:
        self.service.close()
        self.relay.close()
        self.let_go()

    def let_go(self) -> None:
        """Close the test's own connection to the ledger."""
        if self._store is not None:
            self._store.close()
            self._store = None

    # ------------------------------------------------------------------ lives

    def live(self, place: str = "", passing: int = 0) -> None:
        """Begin a life, to be killed at a place of the program or (`smtp:...`) of the mail server."""
        relay = self.relay
        relay.life, relay.kill_at, relay.kill_passing = self.service.lives + 1, "", 0
        if place.startswith("smtp:"):
            relay.pid, relay.kill_passing = 0, passing
            self.service.start()
            relay.pid, relay.kill_at = self.service.pid, place.removeprefix("smtp:")
        else:
            self.service.start(place, passing)
            relay.pid = self.service.pid

    # ------------------------------------------------------------------ what there is

    @property
    def store(self) -> Store:
        """The ledger, beside the service; to be had once the first life has begun."""
        if self._store is None:
            self._store = wiring.open_store(self.settings)
        return self._store

    def spool(self, query: str) -> list[Any]:
        """What the spool's file says, read beside the service."""
        path = self.settings.state_dir / "spool.sqlite"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as db:
            return db.execute(query).fetchall()

    def read(self) -> int:
        """Records that became of something."""
        return int(self.spool("SELECT coalesce(sum(count), 0) FROM tallies WHERE what = 'records'")[0][0])

    def watched(self) -> bool:
        """Whether every line written or posted so far was matched, and what follows from it stands in the ledger."""
        waiting = "SELECT (SELECT count(*) FROM chunks) + (SELECT count(*) FROM alerts WHERE delivered = 0)"
        quiet = self.read() == self.logs.written + self.posted and self.spool(waiting)[0][0] == 0
        return quiet and not self.store.ledger.stale_people()

    def carried(self) -> bool:
        """Whether nothing is left in the outbox, and the case files know."""
        still = {state for (_, state), count in self.store.outbox.counts().items() if count}
        return not still - {"sent", "refused"} and not self.store.ledger.unreported_dispatches()

    def settle(self) -> None:
        """Wait for both."""
        wait_until(self.watched, "every line to be watched")
        wait_until(self.carried, "every mail and fact to be carried")

    def incident(self, key: str) -> str:
        """The incident whose key has this value."""
        found = [one.incident_id for one in self.store.ledger.summaries() if key in one.key.values()]
        assert len(found) == 1, f"{len(found)} incidents for {key}"
        return found[0]

    def told(self) -> Counter[tuple[str, str]]:
        """(recipient, Message-ID) to how often the mail server took it, the team's mails left out."""
        return Counter((one.to, one.message_id) for one in self.relay.taken if one.to != TEAM_MAIL)

    # ------------------------------------------------------------------ the DPO at the desk

    def sign_in(self, name: str = "dominique", role: Any = "dpo") -> Visitor:
        """A browser of somebody on the team, signed in by a new one-time code."""
        self.store.team.put(Member(name, name.title(), frozenset({role})), None)
        code = wiring.offer(self.store.team, name, self.clock.now(), timedelta(hours=1))
        desk = Visitor(self.service.desk)
        page = desk.send(desk.get("/sign-in/once").form("sign-in-once-form"), code=code)
        assert page.status == 200, page.text
        return desk

    def look(self, desk: Visitor, path: str) -> Page:
        """One page, which has to be there."""
        page = desk.get(path)
        self.urls += [page.url, *page.links, *(form.action for form in page.forms)]
        assert page.status == 200, f"{path}: {page.status} {page.text[:300]}"
        return page

    def fill_in(self, desk: Visitor, path: str, form: str, **values: str) -> Page:
        """Send one form of a page."""
        page = desk.send(self.look(desk, path).form(form), **values)
        self.urls.append(page.url)
        assert page.status == 200, f"{form}: {page.status} {page.text[:300]}"
        return page

    def decide_people(self, desk: Visitor, incident: str) -> None:
        """Decide that the people are to be told."""
        values = {"duty": "notify_authority_and_people", "reason": "strangers have it"}
        self.fill_in(desk, f"/incidents/{incident}", "decision-form", **values)

    def approve_notices(self, desk: Visitor, incident: str) -> None:
        """Approve the notices as they read."""
        self.fill_in(desk, f"/incidents/{incident}/notices", "approve-notices-form")

    def file(self, desk: Visitor, incident: str) -> None:
        """Approve the filing and hand it in."""
        case = f"/incidents/{incident}"
        self.fill_in(desk, f"{case}/filing", "approve-filing-form")
        self.fill_in(desk, f"{case}/filing", "submission-form", reference="R-1", channel="online form")

    def status(self, desk: Visitor) -> dict[str, Any]:
        """The service's own account of how it is doing."""
        found: dict[str, Any] = json.loads(self.look(desk, "/api/status").html)
        return found

    @contextmanager
    def at_the_desk(self) -> Iterator[Visitor]:
        """Work at the desk that may end because the service is gone in the middle of it."""
        try:
            yield self.sign_in()
        except (URLError, ConnectionError):
            assert self.service.killed_within(10)
