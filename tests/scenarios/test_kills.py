"""Kill -9 wherever it hurts, a hundred times in each database: nothing that was acknowledged is lost, nothing doubled.

The log file grows and is rotated, the mail server is real, each life goes on over what the last one left. What may be
doubled is what docs/decisions/0003-what-smtp-can-promise.md says: the one mail that was in the server's hands.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from house.ordeal import PLACES, Ordeal, Told, told_by, undisturbed
from house.privacy import names_of
from house.shop import PEOPLE, short_day
from house.stage import STARTS_AT, TEAM_MAIL, Stage

from breachwatch.demo.people import customers
from breachwatch.engines.embedded.spool import Spool
from breachwatch.ledger.keys import open_keys

pytestmark = pytest.mark.timeout(900)
SEEDS = {"sqlite": 1, "postgresql": 2}


@dataclass(frozen=True)
class Aftermath:
    """What is left when the story is over: the dead lives, what an undisturbed day would have told, and what is."""

    ordeal: Ordeal
    expected: Told
    found: Told

    @property
    def stage(self) -> Stage:
        return self.ordeal.stage

    def facts(self, incident: str) -> list[Any]:
        return self.stage.store.ledger.facts(incident)  # type: ignore[arg-type]

    @property
    def incidents(self) -> list[str]:
        return [one.incident_id for one in self.stage.store.ledger.summaries()]


@contextmanager
def the_story(database: str, folder: Path, databases: Any) -> Iterator[Aftermath]:
    """The whole story over one database, and the same day undisturbed before it."""
    expected = undisturbed(folder)
    url = databases.make() if databases else ""
    day = short_day(STARTS_AT)
    stage = Stage(folder, day.people, url)
    try:
        ordeal = Ordeal(stage, day, Random(SEEDS[database]))  # noqa: S311 - so that it can be told again
        ordeal.run()
        yield Aftermath(ordeal, expected, told_by(stage))
    finally:
        stage.close()
        if databases:
            databases.drop(url)


@pytest.mark.parametrize("database", SEEDS)
def test_nothing_acknowledged_is_lost_and_nothing_doubled_by_a_hundred_kills(
    database: str, tmp_path: Path, request: pytest.FixtureRequest, subtests: pytest.Subtests
) -> None:
    databases = request.getfixturevalue("postgresql_databases") if database == "postgresql" else None
    with the_story(database, tmp_path / "shop", databases) as aftermath:
        for promise in PROMISES:
            with subtests.test(promise.__name__.replace("_", " ")):
                promise(aftermath)


@pytest.mark.parametrize("spell", [str, json.dumps, escape, quote, quote_plus, lambda text: f"to={text}&x=1"])
def test_who_looks_for_people_finds_them_however_they_are_spelled(spell: Callable[[str], str]) -> None:
    people = customers(PEOPLE)
    names = names_of(people)
    for one in people:
        for text in (one.id, one.name, one.email):
            assert names.found(f"dear {spell(text)}, welcome".encode())
    assert not names.found(b"c10031ab 7c10031 in-c10031abcd dominique example")


def the_service_was_killed_a_hundred_times_at_each_named_place(aftermath: Aftermath) -> None:
    places = aftermath.ordeal.at
    assert sum(places.values()) >= 100
    assert places.keys() >= set(PLACES)
    assert len(PLACES) >= 12
    assert set(aftermath.stage.logs.rotations) == {"rename", "copytruncate"}


def every_line_was_taken_once_through_kills_and_rotations(aftermath: Aftermath) -> None:
    assert aftermath.stage.read() == aftermath.stage.logs.written == len(aftermath.ordeal.day.lines)
    assert aftermath.found.records == aftermath.expected.records


def no_alert_and_no_incident_is_lost_or_doubled(aftermath: Aftermath) -> None:
    assert aftermath.found.alerts == aftermath.expected.alerts
    assert aftermath.found.incidents == aftermath.expected.incidents
    assert len(aftermath.found.incidents) == len(aftermath.ordeal.day.suffered)


def no_clock_is_lost_or_doubled_and_each_rang_once_for_each_reason(aftermath: Aftermath) -> None:
    for incident in aftermath.incidents:
        said = Counter(
            (fact.type, getattr(fact.body, "elapsed_hours", None))
            for fact in aftermath.facts(incident)
            if fact.type in ("IncidentRaised", "AwarenessSet", "ClockStarted", "DeadlineNear", "DeadlineMissed")
        )
        rang = [("DeadlineNear", hours) for hours in (24, 48, 66, 71)]
        began = [(name, None) for name in ("IncidentRaised", "AwarenessSet", "ClockStarted", "DeadlineMissed")]
        assert said == Counter([*began, *rang])


def every_step_of_the_dpo_was_taken_once(aftermath: Aftermath) -> None:
    for incident in aftermath.incidents:
        said = Counter(fact.type for fact in aftermath.facts(incident))
        assert [said[name] for name in ("IncidentConfirmed", "RiskDecided", "NoticesApproved")] == [1, 1, 1]
        assert said["NoticesDispatched"] == 1


def the_case_files_are_unbroken_and_published_once_each(aftermath: Aftermath) -> None:
    assert list(aftermath.stage.store.ledger.verify()) == []
    state = aftermath.stage.settings.state_dir
    spool = Spool(state / "spool.sqlite", open_keys(state).derive("spool"))
    published = [envelope for _, envelope in spool.published(limit=100_000)]
    spool.close()
    recorded = {(fact.incident_id, fact.hash) for one in aftermath.incidents for fact in aftermath.facts(one)}
    assert len(published) == len(recorded)
    assert len({one["id"] for one in published}) == len(published)


def nobody_was_left_out_and_nobody_else_was_told(aftermath: Aftermath) -> None:
    for key, people in aftermath.ordeal.day.suffered.items():
        incident = aftermath.stage.incident(key)
        reference = {one.message_id for one in aftermath.stage.store.ledger.notices(incident, limit=1000)}  # type: ignore[arg-type]
        assert len(reference) == len(people)
        told = {one.to for one in aftermath.stage.relay.taken if one.message_id in reference}
        assert told == people
    ids = {message_id for _, message_id in aftermath.stage.told()}
    assert len(ids) == sum(map(len, aftermath.ordeal.day.suffered.values())), "one mail for each person and incident"


def a_mail_is_doubled_only_when_the_kill_left_it_in_the_servers_hands(aftermath: Aftermath) -> None:
    """ADR 3: at most one person for each kill, the last one that this life was talking about, under one Message-ID."""
    taken = aftermath.stage.relay.taken
    last_of_life = {one.life: place for place, one in enumerate(taken)}
    killed = {kill.life for kill in aftermath.ordeal.kills}
    copies: dict[tuple[str, str], list[int]] = {}
    for place, one in enumerate(taken):
        copies.setdefault((one.to, one.message_id), []).append(place)
    in_doubt = [place for places in copies.values() for place in places[:-1]]
    assert all(last_of_life[taken[place].life] == place for place in in_doubt)
    assert all(taken[place].life in killed for place in in_doubt)
    unanswered = aftermath.ordeal.at["smtp:before-reply"]
    assert unanswered <= len(in_doubt) <= len(killed)


def the_team_was_told_of_each_incident_and_each_deadline_once(aftermath: Aftermath) -> None:
    mails = {one.message_id: one.subject for one in aftermath.stage.relay.taken if one.to == TEAM_MAIL}
    told = Counter(subject.strip().partition(":")[0] for subject in mails.values())
    incidents = len(aftermath.incidents)
    hours = {f"{hours} hours have passed": incidents for hours in (24, 48, 66, 71)}
    assert told == {"An incident was raised": incidents, "A deadline was missed": incidents, **hours}


def no_customer_is_named_in_any_file_table_topic_log_status_or_url(aftermath: Aftermath) -> None:
    """Looked for in the middle and at the end; what finds them in the mails and the directory finds them not there."""
    assert aftermath.ordeal.leaks == []
    names = names_of(aftermath.ordeal.day.people)
    assert len(names.found((aftermath.stage.folder / "directory.csv").read_bytes())) >= 2 * PEOPLE
    told = {one.to.encode() for one in aftermath.stage.relay.taken if one.to != TEAM_MAIL}
    assert all(names.found(one) == [one] for one in told)
    assert not any(names.found(one.content) for one in aftermath.stage.relay.taken if one.to == TEAM_MAIL)


PROMISES = (
    the_service_was_killed_a_hundred_times_at_each_named_place,
    every_line_was_taken_once_through_kills_and_rotations,
    no_alert_and_no_incident_is_lost_or_doubled,
    no_clock_is_lost_or_doubled_and_each_rang_once_for_each_reason,
    every_step_of_the_dpo_was_taken_once,
    the_case_files_are_unbroken_and_published_once_each,
    nobody_was_left_out_and_nobody_else_was_told,
    a_mail_is_doubled_only_when_the_kill_left_it_in_the_servers_hands,
    the_team_was_told_of_each_incident_and_each_deadline_once,
    no_customer_is_named_in_any_file_table_topic_log_status_or_url,
)
