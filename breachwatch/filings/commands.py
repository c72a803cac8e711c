"""What may be asked of the filing."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from breachwatch.filings.facts import Phase
from breachwatch.kernel.facts import Actor


@dataclass(frozen=True, slots=True)
class EditFiling:
    """Write fields of the draft; an empty text gives the field back to the evidence, `?` says that it is not known.

    `phase` is what the draft shall be: `initial` or `complete` at first, `complementary` or `complete` once something
    was submitted.
    """

    by: Actor
    at: datetime
    phase: Phase
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class TakeOverFiling:
    """Answer for the draft that somebody else wrote, having read it; whoever wrote it may then approve it."""

    by: Actor
    at: datetime


@dataclass(frozen=True, slots=True)
class ApproveFiling:
    """Approve what was shown. `digest_seen` guards against approving what nobody read.

    `fields` are all fields as filled at this moment, `overdue` whether the deadline has passed, and
    `other_people` whether the team has anyone else who could have drafted or approve (four eyes).
    """

    by: Actor
    at: datetime
    phase: Phase
    fields: Mapping[str, str]
    digest_seen: str
    overdue: bool
    other_people: bool
    delay_reasons: str = ""


@dataclass(frozen=True, slots=True)
class RecordSubmission:
    """Note that the approved filing was handed to the authority, when, how, under which reference."""

    by: Actor
    at: datetime
    submitted_at: datetime
    reference: str
    channel: str


Command = EditFiling | TakeOverFiling | ApproveFiling | RecordSubmission
