"""Small pictures as numbers: the severity scale, people by language, notices by state. Pure geometry."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from breachwatch.assessment.facts import SeverityProposed
from breachwatch.console.words import LANGUAGES, LEVELS, OUTBOX_STATES
from breachwatch.subjects.state import Subjects

WIDTH = 1000.0


@dataclass(frozen=True, slots=True)
class Piece:
    """One part of a stacked bar, in a drawing 1000 wide. `kind` is its look, `label` and `count` its words."""

    x: float
    width: float
    kind: str
    label: str
    count: int


@dataclass(frozen=True, slots=True)
class Segment:
    """One level on the severity scale."""

    x: float
    width: float
    label: str
    level: int
    here: bool


@dataclass(frozen=True, slots=True)
class SeverityScale:
    """The four levels on a line from 0 to 6, and where the score stands on it. Drawn 480 wide."""

    segments: tuple[Segment, ...]
    x: float


_BOUNDS = (("low", 0.0, 2.0), ("medium", 2.0, 3.0), ("high", 3.0, 4.0), ("very_high", 4.0, 6.0))
_HIGHEST, _SCALE = 6.0, 480.0


def severity_scale(proposal: SeverityProposed | None) -> SeverityScale | None:
    """Where a score stands among the levels; None without one."""
    if proposal is None:
        return None
    unit = _SCALE / _HIGHEST
    segments = tuple(
        Segment(low * unit, (high - low) * unit - 3, LEVELS[level][0], LEVELS[level][1], level == proposal.level)
        for level, low, high in _BOUNDS
    )
    return SeverityScale(segments, round(min(_HIGHEST, max(0.0, proposal.score)) * unit, 1))


def people_bar(subjects: Subjects) -> tuple[Piece, ...]:
    """People by language, then those without an address, then those nobody knows."""
    found = subjects.resolved
    if found is None:
        return ()
    languages = sorted(found.by_language.items(), key=lambda pair: -pair[1])
    parts = [(f"k{min(at, 3)}", LANGUAGES.get(code, code), count) for at, (code, count) in enumerate(languages)]
    parts += [("k3", "known, without an address", found.without_address), ("unknown", "unknown", found.unknown)]
    return _stacked(parts)


def dispatch_bar(states: Mapping[str, int]) -> tuple[Piece, ...]:
    """Notices by what became of them, best first."""
    return _stacked((state, label, states.get(state, 0)) for state, label in OUTBOX_STATES.items())


def _stacked(parts: Iterable[tuple[str, str, int]]) -> tuple[Piece, ...]:
    kept = [part for part in parts if part[2] > 0]
    total = sum(count for _, _, count in kept)
    pieces, x = [], 0.0
    for kind, label, count in kept:
        width = WIDTH * count / total
        pieces.append(Piece(round(x, 1), round(max(2.0, width - 2), 1), kind, label, count))
        x += width
    return tuple(pieces)
