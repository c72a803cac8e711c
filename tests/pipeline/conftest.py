"""A small shop's world, and a story of one case told without any store: what is asked, and what is said."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from breachwatch.clocks.regimes import package_regimes
from breachwatch.detection.playbooks.playbook import (
    ChecklistItem,
    DetectionMeaning,
    FilingDefaults,
    NoticeTemplate,
    Playbook,
    SubjectField,
)
from breachwatch.detection.playbooks.playbook import SeverityDefaults as Severity
from breachwatch.filings.commands import ApproveFiling
from breachwatch.filings.form import FilledForm, fill
from breachwatch.filings.forms import package_forms
from breachwatch.incidents.commands import TakeAlert
from breachwatch.kernel.facts import SYSTEM, Actor
from breachwatch.kernel.ids import AlertId, IncidentId, SubjectRef
from breachwatch.kernel.organisation import Organisation
from breachwatch.kernel.streams import Alert
from breachwatch.notices.commands import ApproveNotices
from breachwatch.notices.decide import digest
from breachwatch.pipeline.case import Case
from breachwatch.pipeline.evidence import evidence_of, filled_texts
from breachwatch.pipeline.flow import react
from breachwatch.pipeline.gates import overdue
from breachwatch.pipeline.world import World

RAISED = datetime(2026, 3, 27, 17, tzinfo=UTC)
CAMILLE = Actor("camille", roles=frozenset({"dpo"}))
INES = Actor("ines", roles=frozenset({"analyst", "dpo"}))
NOTICE = """Dear {person_name},

## What happened {#nature}

On {occurred_on} records of {organisation} were taken: {data_categories}.

## What it may mean {#consequences}

Phishing.

## What we did {#measures}

The key was revoked.

## What you can do {#advice}

Be wary.

## Whom to ask {#contact}

{dpo_name}, {dpo_email}.
"""

PLAYBOOK = Playbook(
    id="mass-export",
    title="Mass export",
    summary="Records were taken out at once.",
    breach_types=("confidentiality",),
    detection=DetectionMeaning(
        raises_incident=("Many records",),
        subjects=(SubjectField(field="user.uid", kind="customer_id"),),
        merge_by=("actor.user.uid",),
    ),
    severity=Severity(data_classes=("financial",), identification="maximum", confidentiality="unknown_recipients"),
    filing=FilingDefaults(
        origin="hacking",
        cause="external_malice",
        data_categories=("identity", "contact"),
        people_categories=("customers",),
        prior_measures="Audit log.",
        consequences="Phishing.",
    ),
    checklist=(
        ChecklistItem(id="revoke", phase="contain", text="Revoke the key.", measure="The key was revoked."),
        ChecklistItem(id="rights", phase="recover", text="Narrow its rights.", measure="Its rights were narrowed."),
        ChecklistItem(id="read", phase="notify", text="Read the notice."),
    ),
)


def shop(**changes: Any) -> Organisation:
    plain: dict[str, Any] = {
        "name": "Example Shop",
        "address": "1 Example Street",
        "country": "FR",
        "timezone": "Europe/Paris",
        "website": "https://shop.example/",
        "dpo_name": "Camille Example",
        "dpo_email": "dpo@example.org",
        "dpo_phone": "",
        "authority": "CNIL",
        "authority_url": "https://www.cnil.fr/",
    }
    return Organisation(**plain | changes)


@pytest.fixture
def make_world() -> Callable[..., World]:
    """The world; keywords change the organisation."""

    def make(**organisation: Any) -> World:
        notices = {
            ("mass-export", language): NoticeTemplate(
                playbook="mass-export", language=language, subject="Your data at {organisation}", markdown=NOTICE
            )
            for language in ("en", "fr")
        }
        return World(
            playbooks={"mass-export": PLAYBOOK},
            notices=notices,
            regimes=package_regimes(),
            form=package_forms()["cnil"],
            organisation=shop(**organisation),
            team=("one", "two"),
        )

    return make


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world()


@pytest.fixture
def hour() -> Callable[[float], datetime]:
    return lambda n: RAISED + timedelta(hours=n)


@pytest.fixture
def camille() -> Actor:
    return CAMILLE


@pytest.fixture
def ines() -> Actor:
    return INES


@pytest.fixture
def alert() -> Callable[..., Alert]:
    """An alert that raises an incident; keywords change it."""

    def make(**changes: Any) -> Alert:
        plain: dict[str, Any] = {
            "id": AlertId("al-1"),
            "revision": 1,
            "playbook": "mass-export",
            "rule": "many-records",
            "title": "Many records",
            "level": "high",
            "group": {"actor.user.uid": "key-7"},
            "first_event_at": RAISED - timedelta(hours=1),
            "last_event_at": RAISED,
            "count": 40,
            "subjects": (SubjectRef("s-a"), SubjectRef("s-b")),
            "subject_count": 2,
            "records": 340,
            "sources": ("app-audit",),
            "samples": (),
            "raises_incident": True,
        }
        return Alert(**plain | changes)

    return make


@dataclass
class Story:
    """One case as it goes on. `said` are the facts of the last thing asked."""

    world: World
    case: Case = field(default_factory=lambda: Case(IncidentId("in-story")))
    said: list[Any] = field(default_factory=list)

    def ask(self, command: Any, at: datetime | None = None) -> list[Any]:
        """Ask, fold, and give back what was said."""
        self.case, spoken = react(self.case, command, self.world, at or command.at)
        self.said = [fact for _, fact in spoken]
        return self.said

    def raised(self, alert: Alert) -> "Story":
        self.ask(TakeAlert(SYSTEM, RAISED, alert))
        return self

    def names(self) -> list[str]:
        return [type(fact).__name__ for fact in self.said]

    def form(self, at: datetime) -> FilledForm:
        return fill(self.world.form, evidence_of(self.case, self.world, at), self.case.filing.edits)

    def approve_filing(self, by: Actor, at: datetime, **changes: Any) -> list[Any]:
        form = self.form(at)
        plain: Mapping[str, Any] = {
            "phase": self.case.filing.phase,
            "fields": form.values,
            "digest_seen": form.digest,
            "overdue": overdue(self.case, self.world, at),
            "other_people": True,
        }
        return self.ask(ApproveFiling(by, at, **{**plain, **changes}))

    def approve_notices(self, by: Actor, at: datetime, **changes: Any) -> list[Any]:
        texts = filled_texts(self.case, self.world)
        plain: Mapping[str, Any] = {
            "texts": texts,
            "digest_seen": digest(texts),
            "audience": 2,
            "other_people": True,
        }
        return self.ask(ApproveNotices(by, at, **{**plain, **changes}))


@pytest.fixture
def story(world: World) -> Story:
    return Story(world)
