"""What may be asked of the clocks (time itself comes as a `Tick`)."""

from dataclasses import dataclass
from datetime import datetime

from breachwatch.kernel.facts import Actor


@dataclass(frozen=True, slots=True)
class SetAwareness:
    """Correct when the controller became aware; a reason is required, both instants are kept."""

    by: Actor
    at: datetime
    aware_at: datetime
    reason: str


Command = SetAwareness
