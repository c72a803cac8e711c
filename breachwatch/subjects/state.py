"""The people affected, as figures."""

from dataclasses import dataclass

from breachwatch.subjects.facts import SubjectsResolved


@dataclass(frozen=True, slots=True)
class Subjects:
    """`total` references known, and the last look-up; `stale` when references joined or a person asked since."""

    total: int = 0
    digest: str = ""
    resolved: SubjectsResolved | None = None
    asked_again: bool = False

    @property
    def stale(self) -> bool:
        """Whether the directory should be asked (again)."""
        known = self.resolved is not None and self.resolved.references == self.total
        return self.total > 0 and (self.asked_again or not known)
