"""What may be asked of the notices."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from breachwatch.kernel.facts import Actor
from breachwatch.notices.facts import NoticeText


@dataclass(frozen=True, slots=True)
class DraftNotices:
    """The playbook's texts, by language, with their placeholders still open: dates go on following the evidence."""

    by: Actor
    at: datetime
    texts: Mapping[str, NoticeText]


@dataclass(frozen=True, slots=True)
class EditNotice:
    """Write one language's text."""

    by: Actor
    at: datetime
    language: str
    text: NoticeText


@dataclass(frozen=True, slots=True)
class TakeOverNotices:
    """Answer for the texts that somebody else wrote, having read them; whoever wrote them may then approve them."""

    by: Actor
    at: datetime


@dataclass(frozen=True, slots=True)
class ApproveNotices:
    """Approve the texts that were shown, for `audience` people not told yet.

    `texts` are all languages as filled at this moment; only `{person_name}` is still open in them. `digest_seen` guards
    against approving what nobody read; `other_people` as for filings (four eyes).
    """

    by: Actor
    at: datetime
    texts: Mapping[str, NoticeText]
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


Command = DraftNotices | EditNotice | TakeOverNotices | ApproveNotices | ReportDispatch
