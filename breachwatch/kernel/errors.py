"""What can go wrong, and where.

- `BreachwatchError`: the root
    - `ContentError`: one or more `Problem`s in files people wrote
    - `RefusedError`: a person asked for something the rules of the case do not allow
        - `OutOfOrderError`: because an earlier step is missing
    - `HeldError`: something approved must not leave now, because of what was decided since
    - `ConflictError`: somebody else changed the case in the meantime
    - `NotFoundError`: no such incident, alert or person of the team
    - `UnavailableError`: a store is locked, full or away; try again later
    - `TamperedError`: the ledger is not what was written
"""

from collections.abc import Sequence
from dataclasses import dataclass


class BreachwatchError(Exception):
    """Root of everything this program raises on purpose; its text is fit for the person who caused it."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault at one address: `path:line:column: message; hint`. Lines and columns count from 1; 0 is unknown."""

    path: str
    line: int
    column: int
    message: str
    hint: str = ""

    def __str__(self) -> str:
        place = self.path
        if self.line:
            place += f":{self.line}"
            if self.column:
                place += f":{self.column}"
        return f"{place}: {self.message}" + (f"; {self.hint}" if self.hint else "")


class ContentError(BreachwatchError):
    """All problems of a set of files at once."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class RefusedError(BreachwatchError):
    """The case's rules do not allow this; the text says which and what would."""


class OutOfOrderError(RefusedError):
    """A step was asked for before the one it stands on."""


class HeldError(BreachwatchError):
    """What was approved must wait: it was decided since that it is not owed, which may be decided otherwise again."""


class ConflictError(BreachwatchError):
    """The case moved on since the person looked at it."""


class NotFoundError(BreachwatchError):
    """Nothing is known under this id."""


class UnavailableError(BreachwatchError):
    """A store cannot take this now (locked, full, away); nothing was acknowledged, so try again."""


class TamperedError(BreachwatchError):
    """A stored fact, head or sealed value is not what was written."""
