"""A window's verdict does not depend on arrival order, chunking, crashes or repeats: held against a naive oracle.

The oracle looks at all events at once and tries every window; it shares no code with what it judges.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from breachwatch.detection.correlating.correlator import Correlator
from breachwatch.detection.playbooks.content import Content
from breachwatch.detection.rules import Correlation, Input
from breachwatch.kernel.ids import EventId, SubjectRef, derive
from breachwatch.kernel.streams import Alert, Match
from breachwatch.kernel.time import to_microseconds

SECOND = 1_000_000
LATENESS = 20


def correlation(
    name: str,
    kind: str,
    inputs: Sequence[tuple[str, int]],
    *,
    threshold: int = 1,
    timespan: int = 30,
    suppress: int = 40,
    ways: tuple[frozenset[int], ...] = (),
    alerts: bool = True,
) -> Correlation:
    counted = ("who",) if kind == "value_count" else ()
    return Correlation(
        playbook="p",
        id=name,
        title=name,
        name=name,
        level="high",
        kind=kind,  # type: ignore[arg-type]
        inputs=tuple(Input(rule, ("ip",), counted, reach * SECOND) for rule, reach in inputs),
        group=("ip",),
        tests=(("gte", threshold),),
        timespan_us=timespan * SECOND,
        ways=ways,
        suppress_us=suppress * SECOND,
        lateness_us=LATENESS * SECOND,
        sources=("s",),
        max_samples=4,
        alerts=alerts,
        raises_incident=True,
        shape="1",
    )


ANY = correlation("single", "event_count", [("a", 0)], threshold=1, timespan=0)
MANY = correlation("many", "event_count", [("a", 0)], threshold=3)
EITHER = correlation("either", "event_count", [("a", 0), ("b", 0)], threshold=3, suppress=0)
DISTINCT = correlation("distinct", "value_count", [("a", 0), ("b", 0)], threshold=3)
VARIED = correlation("varied", "value_count", [("a", 0)], threshold=2)
TOGETHER = correlation("together", "temporal", [("a", 0), ("b", 0), ("c", 0)], ways=(frozenset({0, 1, 2}),))
SOME = correlation("some", "temporal", [("a", 0), ("b", 0), ("c", 0)], ways=(frozenset({0, 1}), frozenset({2})))
ORDERED = correlation("ordered", "temporal_ordered", [("a", 0), ("b", 0)])
AFTER = correlation("after", "temporal_ordered", [("many", 30), ("b", 0)], timespan=50, suppress=10)
AMID = correlation("amid", "temporal_ordered", [("a", 0), ("b", 0), ("many", 30)], timespan=40)
DEEP = correlation("deep", "event_count", [("after", 80)], threshold=2, timespan=20)
ALL = (ANY, MANY, EITHER, DISTINCT, VARIED, TOGETHER, SOME, ORDERED, AFTER, AMID, DEEP)
CONTENT = Content({}, {}, (), ALL)


@dataclass(frozen=True)
class Seen:
    """An event as the oracle takes it; `rule` is the rule or correlation it comes by."""

    at: int
    id: str
    rule: int
    who: tuple[str, ...] = ()
    subjects: frozenset[str] = frozenset()
    records: int = 1
    armed: bool = True


@dataclass
class Told:
    first: tuple[int, str]
    last: int
    events: dict[str, Seen] = field(default_factory=dict)
    subjects: set[str] = field(default_factory=set)


def satisfied(rule: Correlation, window: list[Seen]) -> bool:
    armed = [each for each in window if each.armed]
    match rule.kind:
        case "event_count":
            return len({each.id for each in armed}) >= rule.at_least
        case "value_count":
            return len({who for each in armed for who in each.who}) >= rule.at_least
        case "temporal":
            present = {each.rule for each in armed}
            return any(way <= present for way in rule.ways)
    since = -1
    for number in range(len(rule.inputs)):
        times = [each.at for each in armed if each.rule == number and each.at >= since]
        if not times:
            return False
        since = min(times)
    return True


def oracle(matches: Sequence[Match]) -> dict[tuple[str, str], list[Told]]:
    """(correlation, group) to its episodes, from all matches at once."""
    heard: dict[tuple[str, str], list[Seen]] = {}
    for match in matches:
        for ip in match.values["ip"].split("\x1f"):
            seen = Seen(
                match.at_us, match.event_id, 0, (match.values["who"],), frozenset(match.subjects), match.records
            )
            heard.setdefault((match.rule, ip), []).append(seen)
    groups = sorted({ip for _, ip in heard})
    told: dict[tuple[str, str], list[Told]] = {}
    for rule, ip in product(ALL, groups):
        events: dict[tuple[str, int], Seen] = {}
        for number, listened in enumerate(rule.inputs):
            for each in heard.get((listened.rule, ip), ()):
                key = (each.id, number if rule.kind.startswith("temporal") else 0)
                armed = each.armed or (key in events and events[key].armed)
                events[key] = Seen(each.at, each.id, number, each.who, each.subjects, each.records, armed)
        ordered = sorted(events.values(), key=lambda each: (each.at, each.id))
        spans, inside, ends = [], {}, set()
        for end in (each for each in ordered if each.armed):
            window = [each for each in ordered if end.at - rule.timespan_us <= each.at <= end.at]
            # Among events of one instant, those that come before in order of input and id decide where it ends.
            upto = [e for e in window if (e.at, e.rule, e.id) <= (end.at, end.rule, end.id)]
            last = rule.kind != "temporal_ordered" or end.rule == len(rule.inputs) - 1
            if last and satisfied(rule, upto):
                ends.add((end.id, end.rule))
            if not (last and satisfied(rule, window)):
                continue
            story = story_of(rule, ordered, end)
            inside.update({(each.id, each.rule): each for each in story})
            spans.append((story, end.at))
        heard[rule.id, ip] = [
            Seen(e.at, e.id, 0, (), e.subjects, e.records, (e.id, e.rule) in ends) for e in inside.values()
        ]
        told[rule.id, ip] = episodes(rule, spans)
    return {key: found for key, found in told.items() if found}


def story_of(rule: Correlation, ordered: list[Seen], end: Seen) -> list[Seen]:
    """What belongs to a satisfied window: all that lies in it; of an order, only what takes part in one that ends here.

    Of an inner correlation also what lies within its own timespan before.
    """
    since = end.at - rule.timespan_us
    reach = [each.reach_us for each in rule.inputs]
    if rule.kind != "temporal_ordered":
        return [each for each in ordered if since - reach[each.rule] <= each.at <= end.at]
    ahead: list[list[Seen]] = []
    for number in range(len(rule.inputs)):
        armed = [each for each in ordered if each.armed and each.rule == number and since <= each.at <= end.at]
        ahead.append([each for each in armed if not ahead or any(one.at <= each.at for one in ahead[-1])])
    links, later = {end}, [end]
    for found in reversed(ahead[:-1]):
        later = [each for each in found if any(each.at <= one.at for one in later)]
        links.update(later)
    return [
        each
        for each in ordered
        if each in links or any(one.rule == each.rule and 0 <= one.at - each.at <= reach[each.rule] for one in links)
    ]


def episodes(rule: Correlation, spans: list[tuple[list[Seen], int]]) -> list[Told]:
    found: list[Told] = []
    for story, end in sorted(spans, key=lambda span: min(each.at for each in span[0])):
        first = min((each.at, each.id) for each in story)
        gap = first[0] - found[-1].last if found else 1
        if not found or (gap > 0 and gap >= rule.suppress_us):
            found.append(Told(first, end))
        told = found[-1]
        told.first, told.last = min(told.first, first), max(told.last, end)
        told.events.update({each.id: each for each in story})
        told.subjects.update(*(each.subjects for each in story))
    return found


EVENTS = st.tuples(
    st.sampled_from([0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 60, 64, 90, 120, 140, 400, 420, 1500]),
    st.integers(0, LATENESS),
    st.sampled_from(["a", "b", "c", "ab", "abc", "a", "b"]),
    st.sampled_from(["192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.1\x1f192.0.2.2"]),
    st.sampled_from("xyzw"),
    st.booleans(),
    st.booleans(),
)
"""Seconds of time and delay, rules matched, groups, a value, whether a chunk ends before it, whether it is special."""


def arrived(drawn: Sequence[tuple[int, int, str, str, str, bool, bool]]) -> list[tuple[list[Match], bool]]:
    """Chunks of matches in an order of arrival within the allowed lateness; for each, whether it is special."""
    chunks: list[tuple[list[Match], bool]] = [([], False)]
    numbered = sorted(enumerate(drawn), key=lambda each: (each[1][0] + each[1][1], each[0]))
    for number, (at, _, rules, ip, who, ends, special) in numbered:
        if ends:
            chunks.append(([], special))
        chunks[-1][0].extend(
            Match(
                playbook="p",
                rule=rule,
                event_id=EventId(f"e{number}"),
                at_us=at * SECOND,
                source="s",
                values={"ip": ip, "who": who},
                subjects=(SubjectRef(f"s-{who}"), SubjectRef(f"s-{number}")),
                records=number,
                sample={"n": number},
            )
            for rule in rules
        )
    return chunks


HISTORIES = st.lists(EVENTS, max_size=25).map(arrived)


class Inbox:
    """What the case plane keeps of alerts: the newest revision of each id, superseded ones gone."""

    def __init__(self) -> None:
        self.live: dict[str, Alert] = {}
        self.people: dict[str, set[str]] = {}
        self.gone: set[str] = set()

    def take(self, alerts: Sequence[Alert]) -> None:
        assert len({alert.id for alert in alerts}) == len(alerts), "an alert came twice in one feed"
        for alert in alerts:
            assert alert.id not in self.gone, "a superseded alert came back"
            known = self.live.get(alert.id)
            assert known is None or alert.revision > known.revision, "a revision was not higher"
            assert not self.people.get(alert.id, set()) & set(alert.subjects), "a reference was told twice"
            self.live[alert.id] = alert
            self.people.setdefault(alert.id, set()).update(alert.subjects)
            for old in alert.supersedes:
                self.gone.add(old)
                self.live.pop(old, None)


def outcome(alerts: dict[str, Alert], people: dict[str, set[str]]) -> list[Any]:
    return sorted(
        (
            alert.rule,
            alert.group["ip"],
            alert.id,
            to_microseconds(alert.first_event_at),
            to_microseconds(alert.last_event_at),
            alert.count,
            alert.records,
            alert.subject_count,
            sorted(people[alert.id]),
        )
        for alert in alerts.values()
    )


def foretold(matches: Sequence[Match]) -> list[Any]:
    return sorted(
        (
            rule,
            ip,
            derive("al", "p", rule, ip, told.first[1]),
            told.first[0],
            told.last,
            len(told.events),
            sum(each.records for each in told.events.values()),
            len(told.subjects),
            sorted(told.subjects),
        )
        for (rule, ip), found in oracle(matches).items()
        for told in found
    )


@settings(max_examples=250, deadline=None)
@given(HISTORIES)
def test_any_order_and_any_chunks_lead_to_what_all_events_at_once_say(history: list[tuple[list[Match], bool]]) -> None:
    correlator, inbox = Correlator(CONTENT), Inbox()
    for chunk, _ in history:
        correlated = correlator.feed(chunk)
        assert correlated.late == 0
        inbox.take(correlated.alerts)
    assert outcome(inbox.live, inbox.people) == foretold([match for chunk, _ in history for match in chunk])


@settings(max_examples=100, deadline=None)
@given(HISTORIES)
def test_feeding_a_chunk_again_changes_nothing(history: list[tuple[list[Match], bool]]) -> None:
    correlator, inbox = Correlator(CONTENT), Inbox()
    for chunk, twice in history:
        inbox.take(correlator.feed(chunk).alerts)
        if twice:
            assert correlator.feed(chunk).alerts == []
    assert outcome(inbox.live, inbox.people) == foretold([match for chunk, _ in history for match in chunk])


@settings(max_examples=150, deadline=None)
@given(HISTORIES, st.integers(1, 3))
def test_killed_anywhere_it_goes_on_from_what_was_stored(
    history: list[tuple[list[Match], bool]], stored_every: int
) -> None:
    """Each special chunk is one in which the program is killed, once, before it could commit."""
    stored: dict[str, bytes] = {}
    correlator, inbox = Correlator(CONTENT), Inbox()
    killed_at: set[int] = set()
    uncommitted: list[Alert] = []
    offset = at = 0
    while at < len(history):
        chunk, dies = history[at]
        uncommitted.extend(correlator.feed(chunk).alerts)
        if dies and at not in killed_at:
            killed_at.add(at)
            correlator, uncommitted, at = Correlator(CONTENT), [], offset
            correlator.restore(stored.items())
            continue
        at += 1
        if at % stored_every and at < len(history):
            continue
        store(correlator, stored)
        for alert in uncommitted:
            inbox.take([alert])
        uncommitted, offset = [], at
    assert outcome(inbox.live, inbox.people) == foretold([match for chunk, _ in history for match in chunk])


def store(correlator: Correlator, stored: dict[str, bytes]) -> None:
    for key, blob in correlator.drain_changes():
        if blob is None:
            assert key in stored, "deletes what was never stored"
            del stored[key]
        else:
            stored[key] = blob
