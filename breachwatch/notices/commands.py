"""What may be asked of the notices."""

from dataclasses import dataclass
from datetime import datetime

from breachwatch.kernel.facts import Actor
from breachwatch.notices.facts import NoticeText


@dataclass(frozen=True, slots=True)
class EditNotice:
    """Write one language's text."""

    by: Actor
    at: datetime
    language: str
    text: NoticeText


@dataclass(frozen=True, slots=True)
class ApproveNotices:
    """Approve the texts that were shown, for `audience` people not told yet.

    `digest_seen` guards against approving what nobody read; `other_people` as for filings (four eyes).
    """

    by: Actor
    at: datetime
    digest_seen: str
    audience: int
    other_people: bool


@dataclass(frozen=True, slots=True)
class ReportDispatch:
    """The couriers finished: see `NoticesDispatched`."""

    by: Actor
    at: datetime
    sent: int
    refused: int
    proof: str


Command = EditNotice | ApproveNotices | ReportDispatch
