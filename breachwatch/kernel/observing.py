"""What the program tells of itself while it runs: an `Observer` hears numbers and times, never content or people.

Every edge and engine tells one; `SILENT` is what everything has that is given no other. Observers are told from any
thread, return at once, and never raise.
"""

from contextvars import ContextVar
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal

from breachwatch.kernel.ids import IncidentId, derive
from breachwatch.kernel.streams import Alert, Tally

Stage = Literal["match", "correlate", "cases", "forward", "pack"]
"""Where records of a stream are worked on: detection's two stages, the case plane, and the two that write records."""

MailResult = Literal["accepted", "refused", "deferred", "held", "relay_trouble"]

about: ContextVar[str] = ContextVar("about", default="")
"""Trace id of what is being worked on here, for log lines; empty when it is of no alert or incident."""

WAY_HEADER = "breachwatch-way"
"""Kafka header by which matches carry their `Way` from the match stage to the correlate stage."""

TRACE_HEADER = "traceparent"
"""Kafka header of alerts and facts. Source: W3C Trace Context, Level 1, section 3.2."""


@dataclass(frozen=True, slots=True)
class Way:
    """When the newest of some matches came by, in microseconds since the epoch.

    `received_us`: its chunk was received. `taken_us`: the match stage took it. `matched_us`: it had been matched.
    """

    received_us: int
    taken_us: int
    matched_us: int

    def packed(self) -> bytes:
        """As the value of a Kafka header: three numbers with dashes between."""
        return f"{self.received_us}-{self.taken_us}-{self.matched_us}".encode()


def unpack_way(packed: bytes | None) -> Way | None:
    """The way that a header tells; None where it tells none that can be read."""
    parts = (packed or b"").split(b"-")
    return Way(*map(int, parts)) if len(parts) == 3 and all(part.isdigit() for part in parts) else None


@dataclass(frozen=True, slots=True)
class Mailed:
    """One attempt at one mail: what came of it, and how long it took. `item_id`, `incident_id`: opaque, derived."""

    kind: str
    result: MailResult
    item_id: str
    incident_id: IncidentId
    attempt: int
    seconds: float


class Observer:
    """Hears how it goes and keeps none of it; whoever does overrides what it listens to.

    Sources, topics, rules' levels and stages are few and fixed by the configuration.
    """

    def received(self, source: str, records: int) -> None:
        """A collector stored so many records durably."""

    def worked(self, source: str, tally: Tally) -> None:
        """What became of some records, once that is durable; its late events are told here or by `late`, not twice."""

    def matched(self, matches: int) -> None:
        """So many matches were found and are durable, or sent."""

    def late(self, events: int) -> None:
        """So many came too late for their windows."""

    def dead_letter(self, reason: str) -> None:
        """One more record could not be worked on, found elsewhere than in a `worked` tally."""

    def alert(self, alert: Alert, way: Way | None = None) -> None:
        """The correlate stage found an alert, or that one grew; `way`: of the matches that it was found by."""

    def taken(self, alert: Alert, incident_id: IncidentId | None, seconds: float) -> None:
        """The case plane took an alert, into which incident if into any, and how long that took."""

    def mailed(self, mailed: Mailed) -> None:
        """A courier made an attempt."""

    def batch(self, stage: Stage, seconds: float) -> None:
        """A stage worked through one batch, from taking it to acknowledging it."""

    def transaction(self, stage: Stage, seconds: float, *, failed: bool = False) -> None:
        """One transaction that made a batch's effects durable ended."""

    def lag(self, topic: str, partition: int, waiting: int) -> None:
        """So many Kafka records of a partition wait; `topic` by its short name, such as `records`."""

    def assigned(self, stage: Stage, partitions: int) -> None:
        """This process has so many partitions of a stage now."""

    def released(self, topic: str, partition: int) -> None:
        """A partition was given up: its lag and its keys are somebody else's to tell."""

    def restored(self, stage: Stage, seconds: float) -> None:
        """The state of one partition was read back."""

    def window_keys(self, partition: int, keys: int) -> None:
        """A partition's windows hold so many groups."""

    def stalled(self, stage: Stage, seconds: float) -> None:
        """How long the longest of a stage's partitions had something waiting and made no progress; 0 when none."""

    def broken_rules(self, rules: int) -> None:
        """So many rules are switched off since they raised."""

    def reloaded(self, *, failed: bool = False) -> None:
        """New rules are at work, or could not be used."""

    def restarted(self, role: str) -> None:
        """A process of the tree ended by itself and is started again."""


SILENT = Observer()


# ------------------------------------------------------------------ ids of traces, derived as all ids are


def trace_of_incident(incident_id: IncidentId) -> str:
    """The trace that an incident and its mails are in: 32 hexadecimal digits, the same whenever it is asked.

    Source: W3C Trace Context, section 3.2.2.3: 16 bytes, not all zero (which a digest never is, but for one in 2^128).
    """
    return blake2b(f"trace {incident_id}".encode(), digest_size=16).hexdigest()


def trace_of_alert(alert: Alert) -> str:
    """The trace of an alert: that of the incident which it raises, or would raise if it had to."""
    return trace_of_incident(IncidentId(derive("in", alert.playbook, alert.id)))


def span_of(trace: str, name: str, key: str = "") -> str:
    """The id of one span of a trace: 16 hexadecimal digits."""
    return blake2b(f"span {trace} {name} {key}".encode(), digest_size=8).hexdigest()


def revision_key(alert: Alert) -> str:
    """What tells one revision of an alert from another, in the ids of spans."""
    return f"{alert.id}/{alert.revision}"


def traceparent(alert: Alert) -> str:
    """The W3C context of a found alert, to be carried in the header `TRACE_HEADER` of what it causes."""
    trace = trace_of_alert(alert)
    return f"00-{trace}-{span_of(trace, 'correlate', revision_key(alert))}-01"


def incident_traceparent(incident_id: IncidentId) -> str:
    """The W3C context of an incident, for its facts and mails."""
    trace = trace_of_incident(incident_id)
    return f"00-{trace}-{span_of(trace, 'incident')}-01"
