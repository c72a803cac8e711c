"""Regimes: which law sets which period, from which instant on. Data with a source, one YAML file each.

A regime has stages in the order in which they fall due. A stage counts from awareness, or from the submission of an
earlier stage (NIS2's final report: `starts_with: notification`, `period: P1M`). An incident is judged by the law in
force when the controller became aware: a changed law is a further file under a name of its own, the old one gets an
`applies_to`, and playbooks list both. A file without article, address or day of checking is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from breachwatch.clocks.periods import Period, parse_period
from breachwatch.kernel.errors import ContentError, Problem
from breachwatch.kernel.shapes import conform, did_you_mean
from breachwatch.kernel.time import require_utc
from breachwatch.kernel.yaml import Node, read

AWARENESS = "awareness"


@dataclass(frozen=True, slots=True)
class Stage:
    """One thing owed by a time.

    `starts_with`: `awareness`, or the name of an earlier stage whose submission starts this one. `reminders_hours`:
    elapsed hours at which to remind, ascending, within the period. `article`, `url`, `checked_on`: the law that says
    so, its public page, and the day on which somebody compared the two.
    """

    name: str
    label: str
    article: str
    url: str
    checked_on: date
    period: Period
    starts_with: str = AWARENESS
    reminders_hours: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Regime:
    """One law. `met_by`: the deed whose submission meets its stages one by one.

    In force from `applies_from` (None: always was) to `applies_to` (the last day; None: open). Units: days of UTC.
    """

    name: str
    title: str
    binds: str
    met_by: str
    stages: tuple[Stage, ...]
    applies_from: date | None = None
    applies_to: date | None = None

    def in_force(self, instant: datetime) -> bool:
        """Whether this law governs a breach of which the controller became aware at `instant`."""
        day = require_utc(instant).date()
        return (self.applies_from is None or self.applies_from <= day) and (
            self.applies_to is None or day <= self.applies_to
        )

    def clock_of(self, stage: Stage) -> str:
        """The name of a stage's clock, such as `gdpr/notification`."""
        return f"{self.name}/{stage.name}"


def package_regimes() -> dict[str, Regime]:
    """The regimes that come with the program, by name.

    Raises:
        ContentError: a file does not say what it must; every such place at once.
    """
    folder = Path(__file__).parent
    return load_regimes({str(path): path.read_bytes() for path in sorted(folder.glob("*.yml"))})


def load_regimes(files: Mapping[str, bytes]) -> dict[str, Regime]:
    """Read regime files, given as path to content.

    Raises:
        ContentError: every problem of every file at once, each with its line.
    """
    regimes: dict[str, Regime] = {}
    problems: list[Problem] = []
    for path, content in files.items():
        try:
            node = read(content, path)
            regime = _regime(conform(_RegimeFile, node), node)
        except ContentError as error:
            problems += error.problems
            continue
        if regime.name in regimes:
            problems.append(node.problem(("name",), f'a regime called "{regime.name}" was read before'))
        regimes[regime.name] = regime
    if problems:
        raise ContentError(problems)
    return regimes


# ---------------------------------------------------------------------- the file as people write it


def _public(url: str) -> str:
    if not url.startswith("https://"):
        raise ValueError("the law's public page, beginning with https://")
    return url


def _day(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError("a day, such as 2026-03-27")
    return value


def _iso_8601(value: Any) -> Any:
    return parse_period(value if isinstance(value, str) else "")


_Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
_Words = Annotated[str, Field(min_length=1)]
_Day = Annotated[date, BeforeValidator(_day)]
_Period = Annotated[Any, BeforeValidator(_iso_8601)]
_Address = Annotated[str, AfterValidator(_public)]
_Hours = Annotated[int, Field(ge=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _StageFile(_Strict):
    name: _Name
    label: _Words
    article: _Words
    url: _Address
    checked_on: _Day
    period: _Period
    starts_with: _Name = AWARENESS
    reminders_hours: tuple[_Hours, ...] = ()


class _RegimeFile(_Strict):
    name: _Name
    title: _Words
    binds: _Words
    met_by: _Name
    applies_from: _Day | None = None
    applies_to: _Day | None = None
    stages: tuple[_StageFile, ...]


def _regime(file: _RegimeFile, node: Node) -> Regime:
    problems = [problem for place in range(len(file.stages)) for problem in _problems_of(file.stages, place, node)]
    if not file.stages:
        problems.append(node.problem(("stages",), "a regime needs at least one stage"))
    if file.applies_from and file.applies_to and file.applies_from > file.applies_to:
        problems.append(node.problem(("applies_to",), "ends before it begins"))
    if problems:
        raise ContentError(problems)
    stages = tuple(Stage(**{name: getattr(stage, name) for name in _StageFile.model_fields}) for stage in file.stages)
    return Regime(file.name, file.title, file.binds, file.met_by, stages, file.applies_from, file.applies_to)


def _problems_of(stages: tuple[_StageFile, ...], place: int, node: Node) -> list[Problem]:
    """What a stage on its own cannot know: whether its name is free, its start exists, its reminders fall in time."""
    stage, at = stages[place], ("stages", place)
    earlier = [AWARENESS, *(before.name for before in stages[:place])]
    problems: list[Problem] = []
    if stage.name in earlier:
        problems.append(node.problem((*at, "name"), f'the name "{stage.name}" is taken'))
    if stage.starts_with not in earlier:
        hint = did_you_mean(stage.starts_with, earlier)
        problems.append(node.problem((*at, "starts_with"), f'no earlier stage is called "{stage.starts_with}"', hint))
    hours = stage.reminders_hours
    least = stage.period.months * 28 * 24 + stage.period.hours
    if list(hours) != sorted(set(hours)) or (hours and hours[-1] >= least):
        problems.append(
            node.problem((*at, "reminders_hours"), f"must ascend, each less than the {least} hours of the period")
        )
    return problems
