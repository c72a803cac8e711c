"""Many partitions say what one correlator says: whatever is behind, whoever dies, however it is batched.

Partitions in miniature: matches are received by several partitions of records, some far behind others, and sent to
several partitions of matches, whose workers die and go on from what was stored.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from breachwatch.detection.correlating.correlator import Correlator
from breachwatch.detection.correlating.reception import Reception
from breachwatch.detection.correlating.routing import Router
from breachwatch.detection.correlating.sharding import ShardedCorrelator
from breachwatch.detection.playbooks.content import Content, load_content, read_tree
from breachwatch.detection.rules import SEPARATOR, Correlation, Input, Rule
from breachwatch.engines.final import canonical_json
from breachwatch.kernel.ids import EventId, SubjectRef
from breachwatch.kernel.shipped import shipped
from breachwatch.kernel.streams import Alert, Match
from breachwatch.notices.placeholders import PLACEHOLDERS
from breachwatch.sources.registry import load_sources

SECOND = 1_000_000
LATENESS = 20
RECEIVED_ALL = 1 << 60


@dataclass(frozen=True)
class Received:
    """What one record matched, in the order of rules, and when it was received, in microseconds."""

    matches: tuple[Match, ...]
    received_us: int


@dataclass(frozen=True)
class Sent:
    """What one partition of records sends to one of matches."""

    partition: int
    received_us: int
    clocks: dict[str, int]
    matches: dict[str, list[Match]]


@dataclass
class Partition:
    """One partition of matches, whose worker may die: what is not committed is done again from what was stored."""

    content: Content
    records: int
    dice: Random
    stored: dict[str, bytes] = field(default_factory=dict)
    reception: bytes = b""
    alerts: list[Alert] = field(default_factory=list)
    late: int = 0

    def run(self, sent: Sequence[Sent]) -> None:
        """Take everything, with deaths, batches taken twice, others taking over, and commits as the dice say."""
        committed = at = 0
        waiting: list[Alert] = []
        worker, heard = self._started()
        while at < len(sent):
            waiting += self._feed(worker, heard, sent[at])
            if self.dice.random() < 0.1:
                assert not worker.feed(sent[at].matches).alerts, "a batch that comes twice tells nothing new"
            at += 1
            fate = self.dice.random()
            if fate < 0.15:
                worker, heard = self._started()
                at, waiting = committed, []
            elif fate < 0.7 or at == len(sent):
                self._commit(worker, heard)
                self.alerts += waiting
                committed, waiting = at, []
                if fate < 0.2:
                    self.stored = dict(worker.snapshot())
                    worker, heard = self._started()
                elif fate < 0.3:
                    before, worker = worker, ShardedCorrelator(self.content)
                    worker.restore(before.snapshot())
        self.alerts += worker.finish().alerts

    def _feed(self, worker: ShardedCorrelator, heard: Reception, batch: Sent) -> list[Alert]:
        clocks = heard.report(batch.partition, self.records, batch.received_us, batch.clocks)
        done = worker.feed(batch.matches, clocks, batch.received_us)
        self.late += done.late
        return done.alerts

    def _commit(self, worker: ShardedCorrelator, heard: Reception) -> None:
        for key, blob in worker.drain_changes():
            if blob is None:
                self.stored.pop(key, None)
            else:
                self.stored[key] = blob
        self.reception = heard.dump()

    def _started(self) -> tuple[ShardedCorrelator, Reception]:
        worker, heard = ShardedCorrelator(self.content), Reception()
        worker.restore(self.stored.items())
        assert not worker.refused
        if self.reception:
            heard.load(self.reception)
        return worker, heard


def shared(content: Content, history: Iterable[Received], records: int, partitions: int, seed: int) -> list[Alert]:
    """What so many partitions make of it: each of records takes what it received in order, some far behind others."""
    dice = Random(seed)  # noqa: S311 - deals out, guards nothing
    router = Router(content)
    queues: list[list[Received]] = [[] for _ in range(records)]
    for each in sorted(history, key=lambda one: one.received_us):
        dice.choice(queues).append(each)
    inboxes: list[list[Sent]] = [[] for _ in range(partitions)]
    while any(queues):
        number = dice.choice([n for n in range(records) if queues[n]])
        for _ in range(dice.randint(1, 4)):
            some, queues[number] = _cut(queues[number], dice.randint(1, 5))
            if some:
                _send(router, number, some, inboxes)
    for number in range(records):
        for inbox in inboxes:
            inbox.append(Sent(number, RECEIVED_ALL, {}, {}))
    alerts: list[Alert] = []
    for inbox in inboxes:
        partition = Partition(content, records, dice)
        partition.run(inbox)
        assert partition.late == 0, "what was not late when it was received is not late because somebody was behind"
        alerts += partition.alerts
    return alerts


def _cut(queue: list[Received], size: int) -> tuple[list[Received], list[Received]]:
    """So many from the front; of one instant all, for a mark says that everything until then was sent."""
    while 0 < size < len(queue) and queue[size].received_us == queue[size - 1].received_us:
        size += 1
    return queue[:size], queue[size:]


def _send(router: Router, number: int, some: Sequence[Received], inboxes: Sequence[list[Sent]]) -> None:
    clocks: dict[str, int] = {}
    for each in some:
        match = each.matches[0]
        at = min(match.at_us, each.received_us)
        clocks[match.source] = max(at, clocks.get(match.source, at))
    routed = router.split((match for each in some for match in each.matches), len(inboxes))
    for target, inbox in enumerate(inboxes):
        inbox.append(Sent(number, some[-1].received_us, clocks, routed.get(target, {})))


def alone(content: Content, history: Iterable[Received]) -> list[Alert]:
    """What one correlator makes of all matches in order of their time."""
    correlator = Correlator(content)
    ordered = sorted((match for each in history for match in each.matches), key=lambda match: match.at_us)
    return correlator.feed(ordered).alerts + correlator.finish().alerts


# ---------------------------------------------------------------------- any correlations

NAMES = {"ip": ("src", "peer"), "user": ("login", "account")}
"""What even and odd rules call what correlations group by."""
KINDS: tuple[tuple[str, tuple[tuple[str, float], ...]], ...] = (
    ("event_count", (("gte", 1),)),
    ("event_count", (("gte", 3),)),
    ("event_count", (("lt", 3),)),
    ("event_count", (("eq", 2),)),
    ("value_count", (("gte", 2),)),
    ("value_count", (("gte", 4),)),
    ("value_count", (("lte", 1),)),
    ("value_sum", (("gte", 5),)),
    ("value_avg", (("gt", 2),)),
    ("value_percentile", (("gte", 3),)),
    ("value_median", (("lt", 3),)),
    ("temporal", ()),
    ("temporal_ordered", ()),
)


@st.composite
def contents(draw: Any) -> Content:
    """Correlations of rules, and of correlations, grouped by fields that each rule calls its own way."""
    made: list[Correlation] = []
    for number in range(draw(st.integers(1, 5))):
        kind, tests = draw(st.sampled_from(KINDS))
        ordering = kind.startswith("temporal")
        group = tuple(draw(st.sampled_from([("ip",), ("user",), ("ip", "user"), ("user", "ip"), ()])))
        inner = [each for each in made if set(group) <= set(each.group)]
        rules: list[int | Correlation] = [0, 1, 2, 3]
        if ordering:
            chosen = draw(st.lists(st.sampled_from([*rules, *inner]), min_size=2, max_size=3, unique_by=id))
        elif inner and kind == "event_count" and draw(st.booleans()):
            chosen = [draw(st.sampled_from(inner))]
        else:
            chosen = draw(st.lists(st.sampled_from(rules), min_size=1, max_size=3, unique_by=id))
        inputs = []
        for each in chosen:
            if isinstance(each, Correlation):
                inputs.append(Input(each.id, group, (), each.timespan_us + each.reach_us))
            else:
                names = tuple(NAMES[name][each % 2] for name in group)
                inputs.append(Input(f"r{each}", names, ("n",) if kind.startswith("value") else ()))
        all_of = frozenset(range(len(inputs)))
        made.append(
            Correlation(
                playbook="p",
                id=f"c{number}",
                title=f"c{number}",
                name=f"c{number}",
                level="high",
                kind=kind,
                inputs=tuple(inputs),
                group=group,
                tests=tests,
                timespan_us=draw(st.sampled_from([0, 10, 30])) * SECOND,
                ways=(all_of,) if draw(st.booleans()) else tuple(frozenset({each}) for each in all_of),
                suppress_us=draw(st.sampled_from([0, 40])) * SECOND,
                lateness_us=LATENESS * SECOND,
                sources=("s", "t"),
                max_samples=draw(st.sampled_from([1, 3])),
                alerts=draw(st.integers(0, 4)) > 0,
                raises_incident=True,
                shape="1",
                percentile=50,
            )
        )
    return Content({}, {}, (), tuple(made))


VALUES = st.sampled_from(["x", "x", "y", f"x{SEPARATOR}y", None])
EVENTS = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 60, 64, 90, 120, 140, 400, 420, 1500]),
        st.integers(0, LATENESS),
        st.sampled_from(["0", "1", "2", "01", "23", "0123"]),
        VALUES,
        VALUES,
        st.integers(-2, 6),
        st.sampled_from(["s", "s", "t"]),
    ),
    max_size=30,
)
"""Seconds of time and delay, the rules matched, address, account, a number, the source."""


def received(drawn: Sequence[tuple[int, int, str, str | None, str | None, int, str]]) -> list[Received]:
    """Those events as matches."""
    found = []
    for number, (second, delay, rules, ip, user, n, source) in enumerate(drawn):
        matches = []
        for rule in rules:
            odd = int(rule) % 2
            told = {NAMES["ip"][odd]: ip, NAMES["user"][odd]: user, "n": str(n)}
            match = Match(
                playbook="p",
                rule=f"r{rule}",
                event_id=EventId(f"e{number}"),
                at_us=(1_000 + second) * SECOND,
                source=source,
                values={name: value for name, value in told.items() if value is not None},
                subjects=(SubjectRef(f"s-{number}"), SubjectRef(f"s-{n}")),
                records=number,
                sample={"n": number},
            )
            matches.append(match)
        found.append(Received(tuple(matches), (1_000 + second + delay) * SECOND))
    return found


@settings(max_examples=300, deadline=None)
@given(contents(), EVENTS.map(received), st.sampled_from([1, 2, 4]), st.sampled_from([1, 3, 12]), st.integers(0, 99))
def test_partitions_say_together_what_one_correlator_says(
    content: Content, history: list[Received], records: int, partitions: int, seed: int
) -> None:
    assert canonical_json(shared(content, history, records, partitions, seed)) == canonical_json(
        alone(content, history)
    )


# ---------------------------------------------------------------------- the shipped playbooks


def _shipped() -> Content:
    return load_content(read_tree(shipped("playbooks")), load_sources(), PLACEHOLDERS)


SHIPPED = _shipped()
MINUTE = 60 * SECOND
BY_PLAYBOOK = {
    rule.playbook: [each for each in SHIPPED.rules if each.playbook == rule.playbook] for rule in SHIPPED.rules
}


@st.composite
def days(draw: Any) -> list[Received]:
    """A day on which a few rules of one playbook match, in bursts."""
    rules = draw(
        st.lists(st.sampled_from(BY_PLAYBOOK[draw(st.sampled_from(sorted(BY_PLAYBOOK)))]), min_size=1, max_size=6)
    )
    found: list[Received] = []
    for number in range(draw(st.integers(1, 12))):
        rule: Rule = draw(st.sampled_from(rules))
        second = draw(st.sampled_from([0, 1, 30, 100, 700, 1900, 4000, 9000]))
        values = {name: draw(st.sampled_from(["v", "v", f"v{SEPARATOR}w", f"{number}"])) for name in rule.wanted}
        for copy in range(draw(st.sampled_from([1, 2, 7, 25]))):
            told = {name: f"{value}-{copy}" if value == f"{number}" else value for name, value in values.items()}
            at = 1_774_612_800 * SECOND + (second + copy) * SECOND
            event = f"e{number}-{copy}"
            people = (SubjectRef(f"s-{number}"), SubjectRef(f"s-{copy}"))
            source = rule.sources[number % len(rule.sources)]
            match = Match(rule.playbook, rule.id, EventId(event), at, source, told, people, copy, {"n": copy})
            found.append(Received((match,), at + draw(st.integers(0, 4)) * MINUTE))
    return found


@settings(max_examples=40, deadline=None)
@given(days(), st.sampled_from([1, 3]), st.sampled_from([1, 3, 12]), st.integers(0, 99))
def test_partitions_say_of_the_shipped_playbooks_what_one_correlator_says(
    history: list[Received], records: int, partitions: int, seed: int
) -> None:
    assert canonical_json(shared(SHIPPED, history, records, partitions, seed)) == canonical_json(
        alone(SHIPPED, history)
    )
