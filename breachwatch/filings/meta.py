"""What a printed or exported filing says about itself, beside its fields."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from breachwatch.filings.facts import Phase

Status = Literal["draft", "approved", "submitted"]


@dataclass(frozen=True, slots=True)
class FilingMeta:
    """One filing's head. `phase` and `status` are of what is printed; `timezone` is the IANA name of local times.

    `approved_by` is a sign-in name; it, `approved_at`, `submitted_at` and `reference` are empty until they happen.
    """

    incident_id: str
    title: str
    organisation: str
    authority: str
    authority_url: str
    timezone: str
    phase: Phase
    status: Status
    made_at: datetime
    delay_reasons: str = ""
    approved_by: str = ""
    approved_at: datetime | None = None
    submitted_at: datetime | None = None
    reference: str = ""
