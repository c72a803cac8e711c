"""The filing as folded from its facts."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from breachwatch.filings.facts import FilingApproved, FilingSubmitted, Phase


@dataclass(frozen=True, slots=True)
class Filing:
    """The open draft's edits and editor, and all that was approved and submitted, oldest first.

    `phase` is the open draft's. `drafter` is who wrote last in the open draft, or took it over; empty while it is only
    the evidence's. `awaiting_submission` is the approved filing that nobody has handed in yet; writing in the draft
    ends it, since the approval was for other words.
    """

    phase: Phase = "initial"
    edits: Mapping[str, str] = field(default_factory=dict)
    drafter: str = ""
    approvals: tuple[FilingApproved, ...] = ()
    submissions: tuple[FilingSubmitted, ...] = ()
    awaiting_submission: FilingApproved | None = None

    @property
    def phases(self) -> tuple[Phase, ...]:
        """What the open draft may be: initial before anything was submitted, complementary after, complete always."""
        return ("complementary", "complete") if self.submissions else ("initial", "complete")
