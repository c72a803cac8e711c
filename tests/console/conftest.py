"""A desk over a real ledger with one breach in it, a clock the test holds, and a browser that reads forms."""

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import pytest
from argon2 import PasswordHasher
from starlette.applications import Starlette

from breachwatch.clocks.regimes import package_regimes
from breachwatch.console.app import ConsoleParts, create_app
from breachwatch.console.passwords import one_time_code, token_hash
from breachwatch.detection.playbooks.playbook import (
    ChecklistItem,
    DetectionMeaning,
    FilingDefaults,
    NoticeTemplate,
    Playbook,
    SeverityDefaults,
    SubjectField,
)
from breachwatch.filings.forms import package_forms
from breachwatch.kernel.errors import UnavailableError
from breachwatch.kernel.facts import Actor
from breachwatch.kernel.ids import AlertId, IncidentId
from breachwatch.kernel.organisation import Organisation
from breachwatch.kernel.ports import Contact, DirectoryEntry, Member
from breachwatch.kernel.pseudonyms import pseudonymiser
from breachwatch.kernel.streams import Alert, Chunk
from breachwatch.ledger.keys import open_keys
from breachwatch.ledger.store import Store, open_ledger
from breachwatch.pipeline import CaseFlow, World
from breachwatch.pipeline.case import codec

START = datetime(2026, 3, 27, 9, 42, tzinfo=UTC)
HOUR = timedelta(hours=1)
PASSWORD = "seven quiet herons"
HASH = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
"""Cheap, since its costs are not what is tested; verifying honours the costs that the hash names."""
INGEST_TOKEN = "an-ingest-token-for-tests"
NASTY = "<script>alert('x')</script>\u202egnp.exe\x1b[31m"
"""A user agent as an attacker would send it: markup, a direction override, a terminal escape."""

NOTICE = """## What happened {#nature}
Somebody used your password at {organisation} on {occurred_on}.
## What it may mean {#consequences}
They could read your orders.
## What we did {#measures}
We closed the door.
## What you can do {#advice}
Choose another password.
## Whom to ask {#contact}
{dpo_name}, {dpo_email}.
"""


def a_playbook() -> Playbook:
    """A kind of breach like the shipped ones, small."""
    return Playbook(
        id="stolen-passwords",
        title="Accounts entered with stolen passwords",
        summary="Somebody entered accounts with passwords from elsewhere.",
        breach_types=("confidentiality",),
        detection=DetectionMeaning(
            raises_incident=("entered",),
            subjects=(SubjectField(field="user.uid", kind="customer_id"),),
            merge_by=("src_endpoint.ip",),
        ),
        severity=SeverityDefaults(
            data_classes=("simple", "behavioural"),
            identification="maximum",
            confidentiality="unknown_recipients",
            malicious=True,
        ),
        filing=FilingDefaults(
            origin="hacking",
            cause="external_malice",
            data_categories=("identity", "contact"),
            people_categories=("customers",),
            prior_measures="An audit log is watched.",
            consequences="Whoever entered could read what the owner can.",
        ),
        checklist=(
            ChecklistItem(id="block", phase="contain", text="Block the address.", measure="The address was blocked."),
            ChecklistItem(id="read", phase="assess", text="Read the audit log."),
        ),
    )


def a_world() -> World:
    """Everything a case is judged by."""
    playbook = a_playbook()
    organisation = Organisation(
        name="Atelier Exemple", address="12 rue des Exemples, 75011 Paris", country="FR", timezone="Europe/Paris",
        website="https://shop.example/", dpo_name="Jeanne Exemple", dpo_email="dpo@shop.example", dpo_phone="",
        authority="CNIL", authority_url="https://www.cnil.fr/",
    )  # fmt: skip
    notices = {
        (playbook.id, language): NoticeTemplate(
            playbook=playbook.id, language=language, subject=f"Your account ({language})", markdown=NOTICE
        )
        for language in ("en", "fr")
    }
    form = next(iter(package_forms().values()))
    return World({playbook.id: playbook}, notices, package_regimes(), form, organisation)


PSEUDONYM = pseudonymiser(b"a key for tests only")
PEOPLE = tuple(f"c{number}" for number in range(7))


@dataclass(frozen=True)
class ShopDirectory:
    """Knows five of the seven people (or as many as you say), one of them without an address."""

    knows: int = 5

    def entries(self) -> Iterator[DirectoryEntry]:
        """All rows."""
        for number in range(self.knows):
            email = f"person{number}@example.org" if number else ""
            contact = Contact(f"Person {number}", email, "fr" if number % 2 else "en")
            yield DirectoryEntry({"customer_id": f"c{number}"}, contact)


def an_alert(name: str = "al-entered", *, raises: bool = True, at: datetime = START, **changes: Any) -> Alert:
    """An alert as the detection plane gives it."""
    values: dict[str, Any] = {
        "id": AlertId(name),
        "revision": 1,
        "playbook": "stolen-passwords",
        "rule": "entered" if raises else "tried",
        "title": "Accounts entered" if raises else "Many accounts tried",
        "level": "high",
        "group": {"src_endpoint.ip": "203.0.113.7"},
        "first_event_at": at - timedelta(minutes=20),
        "last_event_at": at - timedelta(minutes=2),
        "count": 12,
        "subjects": tuple(PSEUDONYM("customer_id", name) for name in PEOPLE) if raises else (),
        "subject_count": len(PEOPLE) if raises else 0,
        "records": 12,
        "sources": ("app-audit",),
        "samples": ({"time": 1774604520000, "http_request": {"user_agent": NASTY}},),
        "raises_incident": raises,
    }
    return Alert(**{**values, **changes})


@dataclass
class Clock:
    """The time, as the test says it is."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def forward(self, span: timedelta) -> None:
        """Let time pass."""
        self.now += span


@dataclass
class Spool:
    """Where ingest puts its chunks; it can be full."""

    chunks: list[Chunk] = field(default_factory=list)
    full: bool = False

    def append(self, chunk: Chunk) -> None:
        """Keep a chunk, or refuse it."""
        if self.full:
            raise UnavailableError("the disk is full")
        self.chunks.append(chunk)


@dataclass
class House:
    """A whole desk: what is behind it, and what the test holds."""

    store: Store
    flow: CaseFlow
    clock: Clock
    spool: Spool
    app: Starlette
    parts: ConsoleParts
    incident: IncidentId
    status: dict[str, Any]
    password: str = PASSWORD
    ingest_token: str = INGEST_TOKEN
    nasty: str = NASTY

    @staticmethod
    def alert(name: str, **changes: Any) -> Alert:
        """Another alert."""
        return an_alert(name, **changes)

    @property
    def path(self) -> str:
        """The incident's page."""
        return f"/incidents/{self.incident}"

    def actor(self, name: str) -> Actor:
        """A member as the case file knows them."""
        member = next(one for one in self.store.team.members() if one.name == name)
        return Actor(member.name, "person", member.roles)

    @property
    def seq(self) -> int:
        """The number of the incident's last fact."""
        return self.flow.case(self.incident).seq

    def look_up(self, knows: int) -> None:
        """The directory, which knows so many people now, is asked."""
        self.flow.look_up(self.incident, ShopDirectory(knows), PSEUDONYM, self.clock())

    def browser(self, **headers: str) -> "Browser":
        """A visitor without a session."""
        return Browser(self, headers)

    def one_time_code(self, name: str) -> str:
        """A code as the command line would print it."""
        code = one_time_code()
        self.store.team.offer_sign_in(name, token_hash(code), self.clock() + HOUR)
        return code


MEMBERS = (
    Member("ines", "Inès Martin", frozenset({"analyst"})),
    Member("camille", "Camille Roux", frozenset({"dpo"})),
    Member("robin", "Robin Admin", frozenset({"admin"})),
)


@pytest.fixture
def desk_store(tmp_path: Path) -> Iterator[Store]:
    store = open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}", open_keys(tmp_path / "state"), codec())
    yield store
    store.close()


def a_house(desk_store: Store) -> House:
    """The desk over a store, its team, one incident and one loose alert; an hour has passed since."""
    flow = CaseFlow(desk_store.ledger, desk_store.vault, a_world())
    clock, spool, status = Clock(), Spool(), {}
    for member in MEMBERS:
        desk_store.team.put(member, HASH)
    flow.take_alert(an_alert("al-tried", raises=False, group={"src_endpoint.ip": "198.51.100.9"}), START)
    incident = flow.take_alert(an_alert(), START)
    assert incident is not None
    flow.look_up(incident, ShopDirectory(), PSEUDONYM, START)
    clock.forward(HOUR)
    parts = ConsoleParts(
        flow=flow,
        ledger=desk_store.ledger,
        outbox=desk_store.outbox,
        team=desk_store.team,
        now=clock,
        status=lambda: status,
        append=spool.append,
        ingest_token_hash=token_hash(INGEST_TOKEN),
        sources=("app-audit",),
    )
    return House(desk_store, flow, clock, spool, create_app(parts), parts, incident, status)


@pytest.fixture
def house(desk_store: Store) -> House:
    return a_house(desk_store)


@pytest.fixture
def house_in_each_database(store: Store) -> House:
    """The same, once in SQLite and once in PostgreSQL."""
    return a_house(store)


class _Forms(HTMLParser):
    """Every form of a page by id, with its action and the fields as a browser would send them untouched."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.forms: dict[str, tuple[str, dict[str, list[str]]]] = {}
        self._open: dict[str, list[str]] | None = None
        self._area: tuple[str, list[str]] | None = None
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._open = {}
            self.forms[values.get("id") or values["action"]] = (values["action"], self._open)
        elif self._open is not None:
            self._control(tag, values)

    def _control(self, tag: str, values: Mapping[str, str]) -> None:
        assert self._open is not None
        name, kind = values.get("name", ""), values.get("type", "text")
        if tag == "input" and name and (kind not in ("radio", "checkbox") or "checked" in values):
            self._open.setdefault(name, []).append(values.get("value", ""))
        elif tag == "textarea":
            self._area = (name, [])
        elif tag == "select":
            self._select = name
            self._open.setdefault(name, [""])
        elif tag == "option" and "selected" in values:
            self._open[self._select] = [values.get("value", "")]

    def handle_data(self, data: str) -> None:
        if self._area is not None:
            self._area[1].append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None
        elif tag == "textarea" and self._area is not None and self._open is not None:
            self._open.setdefault(self._area[0], []).append("".join(self._area[1]).removeprefix("\n"))
            self._area = None


class Browser:
    """Fetches pages and submits the forms on them, without scripts, like the plainest browser."""

    def __init__(self, house: House, headers: Mapping[str, str]) -> None:
        self.house = house
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(house.app), base_url="http://localhost:8420", headers=dict(headers)
        )
        self.page = httpx.Response(204)

    async def get(self, path: str) -> httpx.Response:
        """Fetch a page, redirects included."""
        self.page = await self.http.get(path, follow_redirects=True)
        return self.page

    def form(self, name: str) -> tuple[str, dict[str, list[str]]]:
        """The action and fields of a form on the page."""
        reader = _Forms()
        reader.feed(self.page.text)
        assert name in reader.forms, f"no form {name!r} on {self.page.url}; there are {sorted(reader.forms)}"
        return reader.forms[name]

    async def submit(self, which: str, /, *, follow: bool = True, **fields: str | list[str] | None) -> httpx.Response:
        """Send a form of the page, some fields filled in; None leaves one out."""
        action, data = self.form(which)
        sent = {key: value for key, value in {**data, **fields}.items() if value is not None}
        answer = await self.http.post(action, data=sent, follow_redirects=follow)
        if follow:
            self.page = answer
        return answer

    async def sign_in(self, name: str) -> "Browser":
        """Sign in with the password."""
        await self.get("/sign-in")
        answer = await self.submit("sign-in-form", name=name, password=PASSWORD)
        assert answer.status_code == 200, answer.text
        return self

    @property
    def csrf(self) -> str:
        """The token of the forms of this session."""
        return self.form("/sign-out")[1]["csrf"][0]


@pytest.fixture
async def visitor(house: House) -> AsyncIterator[Browser]:
    browser = house.browser()
    yield browser
    await browser.http.aclose()


async def _signed_in(house: House, name: str) -> AsyncIterator[Browser]:
    browser = await house.browser().sign_in(name)
    yield browser
    await browser.http.aclose()


@pytest.fixture
async def analyst(house: House) -> AsyncIterator[Browser]:
    async for browser in _signed_in(house, "ines"):
        yield browser


@pytest.fixture
async def dpo(house: House) -> AsyncIterator[Browser]:
    async for browser in _signed_in(house, "camille"):
        yield browser


@pytest.fixture
async def admin(house: House) -> AsyncIterator[Browser]:
    async for browser in _signed_in(house, "robin"):
        yield browser
