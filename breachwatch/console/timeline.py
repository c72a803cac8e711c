"""The case as a picture: what happened on the left, on its own scale; what is owed on the right. Pure geometry.

Two scales, since an attack takes minutes and the law gives days: on one axis the attack would be a hair.
Units are those of the drawing's own view box, `WIDTH` wide.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from breachwatch.clocks.state import Clocks, Met, Running, Stopped
from breachwatch.console.story import Entry
from breachwatch.console.text import short_time
from breachwatch.incidents.state import Incident

WIDTH, LEFT, GAP, RIGHT_EDGE = 960, 96.0, 44.0, 944.0
_SPLIT = 400.0
LANE = 24.0
TOP = 40.0


@dataclass(frozen=True, slots=True)
class Scale:
    """Instants to places between `x0` and `x1`."""

    start: datetime
    end: datetime
    x0: float
    x1: float

    def x(self, at: datetime) -> float:
        """The place of an instant, kept within the scale."""
        share = (at - self.start) / max(self.end - self.start, timedelta(seconds=1))
        return round(self.x0 + (self.x1 - self.x0) * min(1.0, max(0.0, share)), 1)


@dataclass(frozen=True, slots=True)
class Bar:
    """A span on a lane."""

    x: float
    y: float
    width: float
    label: str
    kind: str


@dataclass(frozen=True, slots=True)
class Dot:
    """An instant on a lane. `person` marks what a person did."""

    x: float
    y: float
    label: str
    kind: str


@dataclass(frozen=True, slots=True)
class Label:
    """A word of the axis, aligned at `anchor` (start, middle, end)."""

    x: float
    text: str
    anchor: str


@dataclass(frozen=True, slots=True)
class Picture:
    """Everything the template draws; `height` in the drawing's units, `summary` says it in words."""

    height: float
    bars: tuple[Bar, ...]
    dots: tuple[Dot, ...]
    axis: tuple[Label, ...]
    lanes: tuple[tuple[float, str], ...]
    now_x: float | None
    evidence: tuple[float, float]
    owed: tuple[float, float] | None
    summary: str
    floor: float


def picture(incident: Incident, clocks: Clocks, entries: Sequence[Entry], now: datetime, zone: ZoneInfo) -> Picture:
    """Draw one case as it stands at `now`."""
    happened = _happened(incident)
    owed = _owed(clocks, entries, now)
    alerts = sorted(incident.alerts.values(), key=lambda alert: alert.first_event_at)[:6]
    rows = max(3, len(alerts))
    floor = TOP + rows * LANE
    bars = [
        _bar(happened, a.first_event_at, a.last_event_at, TOP + LANE * row, f"{a.title}: {a.count} events", "evidence")
        for row, a in enumerate(alerts)
    ]
    if not alerts:
        told = "as told by the person who raised it"
        bars.append(_bar(happened, happened.start, happened.end, TOP, told, "evidence"))
    dots: list[Dot] = []
    if owed:
        bars += _clock_bars(owed, clocks, now)
        dots += _dots(owed, clocks, entries)
    return Picture(
        height=floor + 34,
        bars=tuple(bars),
        dots=tuple(dots),
        axis=tuple(_axis(happened, zone, "what happened") + (_axis(owed, zone, "what is owed") if owed else [])),
        lanes=((TOP, "clock"), (TOP + LANE, "decisions"), (TOP + 2 * LANE, "work")) if owed else (),
        now_x=owed.x(now) if owed and owed.start <= now <= owed.end else None,
        evidence=(happened.x0, happened.x1),
        owed=(owed.x0, owed.x1) if owed else None,
        summary=_summary(happened, clocks, entries, zone),
        floor=floor,
    )


def _happened(incident: Incident) -> Scale:
    firsts = [alert.first_event_at for alert in incident.alerts.values()]
    lasts = [alert.last_event_at for alert in incident.alerts.values()]
    start = min(firsts, default=incident.occurred_from or incident.raised_at)
    end = max(lasts, default=incident.occurred_to or incident.occurred_from or incident.raised_at)
    return Scale(start, max(end, start + timedelta(seconds=1)), 8.0, _SPLIT - GAP)


def _owed(clocks: Clocks, entries: Sequence[Entry], now: datetime) -> Scale | None:
    if clocks.aware_at is None:
        return None
    ends = [clock.was.due_at if isinstance(clock, Stopped) else clock.due_at for clock in clocks.by_name.values()]
    spoken = [entry.at for entry in entries if entry.by_person]
    end = max([*ends, *spoken, clocks.aware_at + timedelta(hours=1)])
    if now > end and any(isinstance(clock, Running) for clock in clocks.by_name.values()):
        end = now
    return Scale(clocks.aware_at, end, _SPLIT + LEFT - GAP + 8, RIGHT_EDGE)


def _bar(scale: Scale, first: datetime, last: datetime, y: float, label: str, kind: str) -> Bar:
    x = scale.x(first)
    width = max(5.0, scale.x(last) - x)
    return Bar(min(x, scale.x1 - 5.0), y, round(width, 1), label, kind)


def _clock_bars(scale: Scale, clocks: Clocks, now: datetime) -> list[Bar]:
    bars = []
    for name, clock in clocks.by_name.items():
        match clock:
            case Running(from_at=from_at, due_at=due_at, label=label):
                bars.append(_bar(scale, from_at, due_at, TOP, f"{label}: the time there is", "allowed"))
                if now > from_at:
                    bars.append(_bar(scale, from_at, min(now, due_at), TOP, f"{label}: time gone", "gone"))
                if now > due_at:
                    bars.append(_bar(scale, due_at, now, TOP, f"{label}: time over", "over"))
            case Met(due_at=due_at, met_at=met_at, label=label):
                start = clocks.aware_at or due_at
                bars.append(_bar(scale, start, due_at, TOP, f"{label}: the time there was", "allowed"))
                bars.append(_bar(scale, start, met_at, TOP, f"{label}: time used", "late" if clock.late else "met"))
            case Stopped(was=was, reason=reason):
                bars.append(_bar(scale, was.from_at, was.due_at, TOP, f"{name}: stopped, {reason}", "stopped"))
    return bars


def _dots(scale: Scale, clocks: Clocks, entries: Iterable[Entry]) -> list[Dot]:
    dots = [
        Dot(scale.x(at), TOP, "reminder", "reminder")
        for clock in clocks.by_name.values()
        if isinstance(clock, Running)
        for at in clock.reminders
    ]
    for entry in entries:
        if entry.at < scale.start:
            continue
        if entry.lane == "decision":
            dots.append(Dot(scale.x(entry.at), TOP + LANE, f"{entry.title}, by {entry.actor}", "decision"))
        elif entry.lane in ("work", "people") and (entry.by_person or entry.lane == "people"):
            kind = "work" if entry.by_person else "people"
            dots.append(Dot(scale.x(entry.at), TOP + 2 * LANE, entry.title, kind))
    return dots


def _axis(scale: Scale, zone: ZoneInfo, name: str) -> list[Label]:
    return [
        Label(scale.x0, short_time(scale.start, zone), "start"),
        Label(scale.x1, short_time(scale.end, zone), "end"),
        Label((scale.x0 + scale.x1) / 2, name, "middle"),
    ]


def _summary(happened: Scale, clocks: Clocks, entries: Sequence[Entry], zone: ZoneInfo) -> str:
    parts = [f"Evidence from {short_time(happened.start, zone)} to {short_time(happened.end, zone)}."]
    if clocks.aware_at:
        parts.append(f"Aware {short_time(clocks.aware_at, zone)}.")
    if clocks.due_at:
        parts.append(f"Due {short_time(clocks.due_at, zone)}.")
    decisions = [entry for entry in entries if entry.lane == "decision"]
    parts += [f"{entry.title} {short_time(entry.at, zone)}." for entry in decisions[-6:]]
    return " ".join(parts)
