"""The values that cross streams, from raw records to alerts; `topics/` describes each for other programs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from breachwatch.kernel.ids import AlertId, EventId, SubjectRef
from breachwatch.kernel.time import rfc3339


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some records of one source, in order of arrival: the unit of work of the detection plane.

    `origin` names where they came from without personal data (`file:/var/log/auth.log#3`, `http:shop`),
    and `first_ordinal` is the 0-based place of `records[0]` in it; both together derive event ids.
    `records` are raw bytes without the line ending. A record longer than the collector's bound arrives cut,
    with its index in `records` and its true size in bytes listed in `oversized`.
    """

    source: str
    origin: str
    first_ordinal: int
    received_at: datetime
    records: tuple[bytes, ...]
    oversized: tuple[tuple[int, int], ...] = ()


@dataclass(slots=True)
class Match:
    """One event that matched one Sigma rule; past this point people are references.

    `at_us`: event time in microseconds since the epoch. `rule`: the Sigma rule's id, else its name, else title.
    `values`: the fields that correlations group by or count, by the name the rule uses, as text; fields that the
    playbook names as subjects are already pseudonyms. `records`: how many personal-data records it touched.
    `sample`: the OCSF attributes the playbook lists as evidence, nested, pseudonymised.
    """

    # Not frozen: making a frozen one takes 1.2 us, this one 0.2, and there may be one for every event.
    playbook: str
    rule: str
    event_id: EventId
    at_us: int
    source: str
    values: Mapping[str, str]
    subjects: tuple[SubjectRef, ...] = ()
    records: int = 1
    sample: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class MatchBatch:
    """What one partition of records sends to one partition of matches: matches of one batch, and how far time has come.

    `partition` of `partitions`: which one of the records' partitions these come from; `partitions` is 0 in what an
    earlier version wrote, which tells of no reception. `received_us`: the *reception mark*: every record that the
    broker took into that partition until then, in microseconds since the epoch, has been matched and sent on.
    `clocks`: source to the newest event time in microseconds, of records matched since the last report of this
    partition, never beyond their time of receipt. `matches`: family of correlations to its matches for the target
    partition; a batch without any is a *tick*. In what an earlier version wrote, the family is empty: not yet routed.
    """

    # Not frozen, for the same reason as a match.
    partition: int
    partitions: int
    received_us: int
    clocks: Mapping[str, int] = field(default_factory=dict)
    matches: Mapping[str, tuple[Match, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Alert:
    """A rule or correlation was satisfied for one group over one episode.

    The id derives from playbook, rule, group and the first event of the episode. The same episode growing is the
    same id with a higher `revision`; a late event that moves its start makes a new id that `supersedes` the old.
    `count`: events inside crossing windows; `subjects`: references not carried by an earlier revision of this id;
    `subject_count`: all of them so far; `records`: personal-data records touched. `group`: OCSF path to value.
    `estimated`: so many distinct values had to be counted that their number is an estimate.
    """

    id: AlertId
    revision: int
    playbook: str
    rule: str
    title: str
    level: str
    group: Mapping[str, str]
    first_event_at: datetime
    last_event_at: datetime
    count: int
    subjects: tuple[SubjectRef, ...]
    subject_count: int
    records: int
    sources: tuple[str, ...]
    samples: tuple[Mapping[str, Any], ...]
    raises_incident: bool
    supersedes: tuple[AlertId, ...] = ()
    estimated: bool = False


def alert_line(alert: Alert) -> dict[str, Any]:
    """An alert as one JSON object, times RFC 3339 in UTC. Documented in `docs/reference/inputs.md`."""
    return {
        "id": alert.id,
        "rule": alert.rule,
        "playbook": alert.playbook,
        "title": alert.title,
        "level": alert.level,
        "group": dict(alert.group),
        "first_event_at": rfc3339(alert.first_event_at),
        "last_event_at": rfc3339(alert.last_event_at),
        "count": alert.count,
        "people": alert.subject_count,
        "records": alert.records,
        "sources": list(alert.sources),
        "raises_incident": alert.raises_incident,
        "estimated": alert.estimated,
    }


@dataclass(frozen=True, slots=True)
class FactEnvelope:
    """One fact of a case file as others read it: a CloudEvents 1.0 envelope in its JSON form.

    `id` is the fact's place in its case, so that publishing twice is one event. `type` is `eu.breachwatch.fact.` and
    the fact's name, `subject` the incident's id, `time` RFC 3339 in UTC, `data` the fact. `sequence` is its number in
    the case file, `facthash` the hash that chains it to the one before.
    Source: CloudEvents 1.0.2, sections 3.1 and 3.2.
    """

    specversion: Literal["1.0"]
    id: str
    source: str
    type: str
    time: str
    subject: str
    datacontenttype: Literal["application/json"]
    sequence: str
    facthash: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that could not be read: its address and the reason; never its content."""

    source: str
    origin: str
    ordinal: int
    reason: str


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of the records of a chunk or a run: `records = events + sum(ignored) + sum(dead)`, always.

    `late`: events beyond the allowed lateness, counted among `events` but kept out of the windows.
    `ignored` and `dead`: reason to number of records. `allowed`: matches set aside because the operator allows them, by
    what the entry is called.
    """

    records: int = 0
    events: int = 0
    late: int = 0
    ignored: Mapping[str, int] = field(default_factory=dict)
    dead: Mapping[str, int] = field(default_factory=dict)
    allowed: Mapping[str, int] = field(default_factory=dict)

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.records + other.records,
            self.events + other.events,
            self.late + other.late,
            _sum(self.ignored, other.ignored),
            _sum(self.dead, other.dead),
            _sum(self.allowed, other.allowed),
        )


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one partition of records has been matched, for whoever takes it over and for the operator.

    `offset` is the next one to be read; `received_us` the reception mark that was last told (see `MatchBatch`).
    `totals`: source to what became of its records in this partition so far. `broken_rules`: rule to the error that
    switched it off, and `worker`: who wrote this, by the name of its instance. `clocks`: source to the newest event
    time in microseconds. `sent`: how many batches went to each partition of matches, so that none can go missing there
    unnoticed.
    """

    partition: int
    offset: int
    received_us: int
    totals: Mapping[str, Tally] = field(default_factory=dict)
    broken_rules: Mapping[str, str] = field(default_factory=dict)
    worker: str = ""
    clocks: Mapping[str, int] = field(default_factory=dict)
    sent: tuple[int, ...] = ()


def _sum(left: Mapping[str, int], right: Mapping[str, int]) -> dict[str, int]:
    return {reason: left.get(reason, 0) + right.get(reason, 0) for reason in {**left, **right}}
