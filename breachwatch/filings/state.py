"""The filing as folded from its facts."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from breachwatch.filings.facts import FilingApproved, FilingSubmitted, Phase


@dataclass(frozen=True, slots=True)
class Filing:
    """The open draft's edits and editor, and all that was approved and submitted, oldest first.

    `drafter` is who wrote last in the open draft, empty while it is only the evidence's.
    """

    phase: Phase = "initial"
    edits: Mapping[str, str] = field(default_factory=dict)
    drafter: str = ""
    approvals: tuple[FilingApproved, ...] = ()
    submissions: tuple[FilingSubmitted, ...] = ()

    @property
    def awaiting_submission(self) -> FilingApproved | None:
        """The approved filing that nobody has handed in yet."""
        return self.approvals[-1] if len(self.approvals) > len(self.submissions) else None
