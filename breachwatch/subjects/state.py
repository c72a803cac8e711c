"""The people affected, as figures."""

from dataclasses import dataclass

from breachwatch.subjects.facts import SubjectsResolved


@dataclass(frozen=True, slots=True)
class Subjects:
    """`total` references known, and the last look-up; `stale` when references joined since."""

    total: int = 0
    digest: str = ""
    resolved: SubjectsResolved | None = None

    @property
    def stale(self) -> bool:
        """Whether the directory should be asked (again)."""
        return self.total > 0 and (self.resolved is None or self.resolved.references != self.total)
