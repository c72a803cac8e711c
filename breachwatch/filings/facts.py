"""What is said of the notification to the supervisory authority (GDPR Art. 33)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Phase = Literal["initial", "complementary", "complete"]


@dataclass(frozen=True, slots=True)
class FilingEdited:
    """A person wrote some fields of the draft; the others go on following the evidence. `fields`: key to text.

    An empty text gives the field back to the evidence, `?` says that it is not known. `by`: sign-in name of the writer.
    """

    phase: Phase
    fields: Mapping[str, str]
    by: str = ""


@dataclass(frozen=True, slots=True)
class FilingTakenOver:
    """A person read the open draft and answers for it from now on, as if they had written it. `by`: sign-in name."""

    by: str


@dataclass(frozen=True, slots=True)
class FilingApproved:
    """A DPO approved exactly these fields; `digest` is SHA-256 over them. `delay_reasons` when past the deadline."""

    phase: Phase
    fields: Mapping[str, str]
    digest: str
    delay_reasons: str = ""
    by: str = ""
    approved_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class FilingSubmitted:
    """A person handed the approved filing to the authority and noted its reference and the channel.

    `digest` is that of the approval that was handed in.
    """

    phase: Phase
    submitted_at: datetime
    reference: str
    channel: str
    digest: str = ""


Said = FilingEdited | FilingTakenOver | FilingApproved | FilingSubmitted
