"""What is said of the communication to the people affected (GDPR Art. 34)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class NoticeText:
    """One language's text: plain subject line and Markdown with the Art. 34(2) parts as headings."""

    subject: str
    markdown: str


@dataclass(frozen=True, slots=True)
class NoticesDrafted:
    """The playbook's drafts stand for this incident: language to text, placeholders open until approval."""

    texts: Mapping[str, NoticeText]


@dataclass(frozen=True, slots=True)
class NoticeEdited:
    """A person wrote one language's text. `by`: sign-in name of the writer."""

    language: str
    text: NoticeText
    by: str = ""


@dataclass(frozen=True, slots=True)
class NoticesTakenOver:
    """A person read all texts and answers for them from now on, as if they had written them. `by`: sign-in name."""

    by: str


@dataclass(frozen=True, slots=True)
class NoticesApproved:
    """A DPO approved exactly these texts (`digest`) for the people known then (`audience` of them, unsent before)."""

    texts: Mapping[str, NoticeText]
    digest: str
    audience: int
    by: str = ""
    approved_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class NoticesDispatched:
    """All notices approved so far have come to an end. `proof`: SHA-256 over every outbox row's id, state and reply.

    `sent` and `refused` count all notices of the incident so far, not only the latest approval's.
    """

    sent: int
    refused: int
    proof: str
    reported_at: datetime | None = None


Said = NoticesDrafted | NoticeEdited | NoticesTakenOver | NoticesApproved | NoticesDispatched
