"""The form, the people around it, and a filing with every required field filled."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import Any

import pytest

from breachwatch.filings.commands import ApproveFiling
from breachwatch.filings.decide import decide, evolve
from breachwatch.filings.form import digest_of, fill
from breachwatch.filings.forms import package_forms
from breachwatch.filings.forms.model import Form
from breachwatch.filings.meta import FilingMeta
from breachwatch.filings.state import Filing
from breachwatch.kernel.facts import Actor

RAISED = datetime(2026, 3, 27, 17, tzinfo=UTC)


@pytest.fixture(scope="session")
def form() -> Form:
    return package_forms()["cnil"]


@pytest.fixture
def hour() -> Callable[[float], datetime]:
    return lambda n: RAISED + timedelta(hours=n)


@pytest.fixture
def camille() -> Actor:
    return Actor("camille", roles=frozenset({"dpo"}))


@pytest.fixture
def ines() -> Actor:
    return Actor("ines", roles=frozenset({"analyst", "dpo"}))


@pytest.fixture
def evidence() -> dict[str, str]:
    return {
        "notification_kind": "initial",
        "controller_name": "Example Shop",
        "dpo_name": "Camille Example",
        "dpo_contact": "dpo@example.org",
        "started_at": "2026-03-27T16:00:00Z",
        "discovered_at": "2026-03-27T17:00:00Z",
        "aware_at": "2026-03-27T17:00:00Z",
        "breach_types": "confidentiality",
        "nature_description": "Records were taken out.",
        "data_categories": "identity; contact",
        "records_count": "340",
        "people_categories": "customers",
        "people_count": "120-340",
        "consequences": "Phishing.",
        "measures_taken": "The key was revoked.",
    }


@pytest.fixture
def approval(
    form: Form, evidence: dict[str, str], camille: Actor, hour: Callable[[float], datetime]
) -> Callable[..., ApproveFiling]:
    """An approval as the service completes it; keywords change what is true of it."""

    def make(state: Filing, **changes: Any) -> ApproveFiling:
        fields = (
            changes.pop("fields", None) or fill(form, evidence | {"notification_kind": state.phase}, state.edits).values
        )
        plain: dict[str, Any] = {
            "by": camille,
            "at": hour(5),
            "phase": state.phase,
            "fields": fields,
            "digest_seen": digest_of(fields),
            "overdue": False,
            "other_people": True,
        }
        return ApproveFiling(**plain | changes)

    return make


@pytest.fixture
def carry_out(form: Form) -> Callable[..., Filing]:
    """Fold what each command says into the filing."""
    return lambda state, *commands: reduce(
        lambda now, command: reduce(evolve, decide(now, command, form), now), commands, state
    )


@pytest.fixture
def meta() -> FilingMeta:
    return FilingMeta(
        incident_id="in-abc",
        title="Mass export",
        organisation="Example Shop",
        authority="CNIL",
        authority_url="https://www.cnil.fr/",
        timezone="Europe/Paris",
        phase="initial",
        status="draft",
        made_at=RAISED,
    )
