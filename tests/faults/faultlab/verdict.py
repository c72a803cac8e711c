"""What must be true when everything that was sent has gone through: counted, compared, and told in one line each."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import sqlalchemy as sa

from breachwatch.engines.final import canonical_json, final_alerts
from breachwatch.engines.kafka.changelog import CHECKPOINT, restore
from breachwatch.engines.kafka.effects import Taken
from breachwatch.engines.kafka.reading import Reader
from breachwatch.engines.wire import unpack_alert, unpack_chunk, unpack_progress
from breachwatch.kernel.streams import Alert, Tally
from breachwatch.wiring.stores import open_store
from faultlab.cluster import Cluster
from faultlab.load import RECORDS

_STORY = "SELECT playbook, key, alerts, people_total, due_at IS NOT NULL AS clocked FROM summaries"
_FACTS = "SELECT incident_id, type, count(*) FROM facts WHERE type LIKE :kind GROUP BY incident_id, type"
_MAILS = "SELECT incident_id, state, message_id FROM outbox WHERE kind = 'team_mail'"


@dataclass(slots=True)
class Verdict:
    """`problems`: what is not as it must be; empty when all is well."""

    sent: int = 0
    accepted: int = 0
    matched: int = 0
    alerts: int = 0
    incidents: int = 0
    mails: int = 0
    problems: list[str] = field(default_factory=list)

    def must(self, holds: bool, told: str) -> None:
        if not holds:
            self.problems.append(told)


async def settled(cluster: Cluster) -> Verdict:
    """Wait until everything that was sent has gone all the way to a mail, and judge.

    Raises:
        AssertionError: it does not come to rest in time.
    """
    async with Reader(cluster.connection.client()) as reader:
        await _gone_through(cluster, reader)
        verdict = Verdict()
        records = await _all(reader, cluster.names.records, cluster.partitions)
        _count(verdict, cluster, records, await _totals(cluster))
        alerts = [unpack_alert(each.value) for each in await _all(reader, cluster.names.alerts, 2)]
    wanted = await asyncio.to_thread(cluster.reference.of_first, cluster.sent)
    _compare(verdict, alerts, wanted)
    await _in_the_ledger(cluster, verdict, wanted)
    return verdict


# ------------------------------------------------------------------------------------------ the streams


async def _gone_through(cluster: Cluster, reader: Reader) -> None:
    for what, topic, changelog in (
        ("matched", cluster.names.records, cluster.names.progress),
        ("correlated", cluster.names.matches, cluster.names.windows),
    ):
        ends: dict[int, int] = {}

        async def known(topic: str = topic, ends: dict[int, int] = ends) -> bool:
            ends.update(await _last(reader, topic, range(cluster.partitions)))
            return len(ends) == cluster.partitions

        await cluster.until(known, f"the ends of {topic} are known")

        async def reached(changelog: str = changelog, ends: dict[int, int] = ends) -> bool:
            at = {part: await _checkpoint(cluster, changelog, part) for part in ends}
            return all(at[part] >= end for part, end in ends.items())

        await cluster.until(reached, f"everything is {what}: {ends}")


async def _last(reader: Reader, topic: str, partitions: Sequence[int] | range) -> dict[int, int]:
    """Partition to the offset after its last record; marks of transactions that follow are not counted."""
    found = {}
    for part, end in (await reader.ends(topic, list(partitions))).items():
        at, last = max(0, end - 50), 0
        while at < end:
            some, at = await reader.between(topic, part, at, end)
            last = some[-1].offset + 1 if some else last
            if not some:
                break
        found[part] = last
    return found


async def _checkpoint(cluster: Cluster, changelog: str, partition: int) -> int:
    stored = await restore(cluster.connection.client(), changelog, partition)
    return unpack_progress(stored[CHECKPOINT]).offset if CHECKPOINT in stored else 0


async def _totals(cluster: Cluster) -> Tally:
    whole = Tally()
    for part in range(cluster.partitions):
        stored = await restore(cluster.connection.client(), cluster.names.progress, part)
        if CHECKPOINT in stored:
            for tally in unpack_progress(stored[CHECKPOINT]).totals.values():
                whole += tally
    return whole


async def _all(reader: Reader, topic: str, partitions: int) -> list[Taken]:
    found: list[Taken] = []
    for part, end in (await reader.ends(topic, list(range(partitions)))).items():
        at = 0
        while at < end:
            some, at = await reader.between(topic, part, at, end)
            found += some
            if not some:
                break
    return found


def _count(verdict: Verdict, cluster: Cluster, records: Sequence[Taken], totals: Tally) -> None:
    """Everything sent is in the topic, and everything in the topic was matched, each once."""
    places: set[tuple[str, int]] = set()
    poison = 0
    for each in records:
        try:
            one = unpack_chunk(each.value)
        except ValueError:
            poison += 1
            continue
        places |= {(one.origin, one.first_ordinal + n) for n in range(len(one.records))}
        verdict.accepted += len(one.records)
    verdict.sent = cluster.sent * RECORDS + cluster.large
    verdict.matched = totals.records
    verdict.must(len(places) == verdict.sent, f"{len(places)} of {verdict.sent} sent records are in the topic")
    verdict.must(poison == cluster.poison, f"{poison} of {cluster.poison} poisoned values are in the topic")
    verdict.must(
        verdict.matched == verdict.accepted + poison,
        f"{verdict.accepted} records and {poison} poisoned values were accepted, {verdict.matched} matched",
    )
    verdict.must(totals.late == 0, f"{totals.late} events were taken for late")


def _compare(verdict: Verdict, alerts: Sequence[Alert], wanted: Sequence[Alert]) -> None:
    verdict.alerts = len(final_alerts(alerts))
    got, want = set(canonical_json(alerts).splitlines()), set(canonical_json(wanted).splitlines())
    for told, lines in (("is missing or different", want - got), ("should not be", got - want)):
        for line in sorted(lines)[:3]:
            one = orjson.loads(line)
            verdict.problems.append(f"alert {one['rule']} {one['group']} ({one['count']} events) {told}")


# ------------------------------------------------------------------------------------------ the case plane


async def _in_the_ledger(cluster: Cluster, verdict: Verdict, wanted: Sequence[Alert]) -> None:
    """Each story is one incident with its people, one clock and one mail to the team, which came once."""
    people: dict[str, set[str]] = {}
    raising = [alert for alert in wanted if alert.raises_incident]
    for alert in wanted:
        people.setdefault(_story(alert.playbook, alert.group), set()).update(alert.subjects)
    want = {_story(alert.playbook, alert.group) for alert in raising}
    engine = sa.create_engine(cluster.ledger, poolclass=sa.NullPool)

    def rows(query: str, **values: str) -> Sequence[Any]:
        with engine.connect() as connection:
            return connection.execute(sa.text(query), values).all()

    async def taken() -> bool:
        found = {_story(row.playbook, orjson.loads(row.key)): row for row in await asyncio.to_thread(rows, _STORY)}
        mails = await asyncio.to_thread(rows, _MAILS)
        return (
            want <= set(found)
            and all(found[story].people_total >= len(people[story]) for story in want)
            and len(mails) >= len(want)
            and all(mail.state == "sent" for mail in mails)
        )

    try:
        await cluster.until(taken, "every alert has become a case with its people, and every mail is sent")
    except AssertionError as error:
        verdict.problems.append(str(error).splitlines()[0])
    found = [_story(row.playbook, orjson.loads(row.key)) for row in rows(_STORY)]
    verdict.incidents = len(found)
    verdict.must(
        set(found) == want, f"incidents: {sorted(want - set(found))} missing, {sorted(set(found) - want)} more"
    )
    verdict.must(len(found) == len(set(found)), "an incident was raised twice")
    for row in rows(_STORY):
        story = _story(row.playbook, orjson.loads(row.key))
        if story in people:
            verdict.must(row.people_total == len(people[story]), f"{story}: {row.people_total} people")
        verdict.must(bool(row.clocked), f"{story} has no clock")
    clocks = Counter(row.incident_id for row in rows(_FACTS, kind="%ClockStarted%"))
    verdict.must(len(clocks) == len(found) and set(clocks.values()) <= {1}, f"{sum(clocks.values())} clocks started")
    mails = rows(_MAILS)
    verdict.mails = len(cluster.mails.taken)
    ids = {mail.message_id for mail in mails}
    verdict.must(set(cluster.mails.taken) == ids, f"{len(ids)} mails were owed, {verdict.mails} came")
    twice = sum(count - 1 for count in cluster.mails.taken.values())
    verdict.must(not twice, f"{twice} mails came twice")
    verdict.must(len({mail.incident_id for mail in mails}) == len(found), "an incident without a mail")
    store = await asyncio.to_thread(open_store, cluster.settings)
    verdict.must(not list(store.ledger.verify()), "the ledger does not verify")
    store.close()
    engine.dispose()


def _story(playbook: str, key: Any) -> str:
    return f"{playbook} {sorted(dict(key).items())}"


async def backlog(cluster: Cluster) -> dict[int, int]:
    """Partition of records to how many of its chunks are not matched yet."""
    async with Reader(cluster.connection.client()) as reader:
        ends = await _last(reader, cluster.names.records, range(cluster.partitions))
    return {part: end - await _checkpoint(cluster, cluster.names.progress, part) for part, end in ends.items()}
