"""The 72 hours go on while everything is down: what should have rung rings with the next start, once."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from breachwatch.clocks.facts import DeadlineMissed, DeadlineNear
from breachwatch.clocks.regimes import package_regimes
from breachwatch.detection.playbooks.content import load_content, read_tree
from breachwatch.engines.watches import clock_watch
from breachwatch.filings.forms import package_forms
from breachwatch.incidents.commands import RaiseByHand
from breachwatch.kernel.facts import Actor
from breachwatch.kernel.ids import IncidentId
from breachwatch.kernel.organisation import Organisation
from breachwatch.notices.placeholders import PLACEHOLDERS
from breachwatch.pipeline import CaseFlow, World
from breachwatch.sources.registry import load_sources

PLAYBOOKS = Path(__file__).resolve().parents[2] / "playbooks"
ANALYST = Actor("alex", roles=frozenset({"analyst"}))


def world() -> World:
    content = load_content(read_tree(PLAYBOOKS), load_sources(), PLACEHOLDERS)
    shop = Organisation(
        name="Example Shop",
        address="",
        country="FR",
        timezone="Europe/Paris",
        website="https://shop.example",
        dpo_name="Camille Example",
        dpo_email="dpo@shop.example",
        dpo_phone="",
        authority="CNIL",
        authority_url="https://www.cnil.fr/",
    )
    return World(content.playbooks, content.notices, package_regimes(), package_forms()["cnil"], shop, ("team-1",))


async def one_life(flow: CaseFlow, clock: Any) -> None:
    """Start the clock's watch, and stop it as soon as it has looked and found nothing more to ring."""
    stop, quiet = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    class Flow:
        def ring(self, now: Any) -> int:
            rung = flow.ring(now)
            if not rung:
                loop.call_soon_threadsafe(quiet.set)
            return rung

    running = asyncio.create_task(clock_watch(Flow(), clock).run(stop))  # type: ignore[arg-type]
    await asyncio.wait_for(quiet.wait(), 30)
    stop.set()
    await running


def rung(store: Any, incident_id: IncidentId) -> list[object]:
    bodies = [fact.body for fact in store.ledger.facts(incident_id)]
    return [body for body in bodies if isinstance(body, DeadlineNear | DeadlineMissed)]


def mails(store: Any) -> int:
    return sum(count for (kind, _), count in store.outbox.counts().items() if kind == "team_mail")


async def test_art_33_1_a_reminder_slept_through_rings_with_the_next_start_and_once(
    open_store: Callable[..., Any], clock: Any
) -> None:
    the_world = world()
    first = open_store()
    flow = CaseFlow(first.ledger, first.vault, the_world)
    lost = RaiseByHand(ANALYST, clock(), "lost-device", "A laptop", "left on a train")
    incident_id = flow.raise_by_hand(lost)
    await one_life(flow, clock)
    assert rung(first, incident_id) == []
    told = mails(first)
    first.close()

    clock.advance(timedelta(hours=50))  # nobody was there at 24 and 48 hours
    second = open_store()
    await one_life(CaseFlow(second.ledger, second.vault, the_world), clock)
    [near] = rung(second, incident_id)
    assert isinstance(near, DeadlineNear)
    assert near.elapsed_hours == 48
    assert mails(second) == told + 1
    second.close()

    third = open_store()
    await one_life(CaseFlow(third.ledger, third.vault, the_world), clock)
    assert rung(third, incident_id) == [near]

    clock.advance(timedelta(hours=22))  # to the very second of the deadline
    await one_life(CaseFlow(third.ledger, third.vault, the_world), clock)
    assert [type(body) for body in rung(third, incident_id)] == [DeadlineNear, DeadlineMissed]
    assert mails(third) == told + 2
