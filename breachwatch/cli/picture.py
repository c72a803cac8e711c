"""Trials of thresholds as pictures: bars of characters for a terminal, bars in an SVG for a document."""

from collections.abc import Sequence
from html import escape

from breachwatch.cli.common import plural
from breachwatch.cli.tuned import threshold_text, timespan_text
from breachwatch.detection.trying.tuning import Trial, Tuned

BAR = 24
"""Characters of the longest bar."""
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_ROW, _GAP, _LEFT, _WIDE, _TEXT = 24, 20, 130, 400, 14
_WIDTH = _LEFT + _WIDE + 170
_STYLE = (
    "text{font-size:13px;fill:#57534e}.title{font-size:15px;font-weight:600;fill:#1c1917}.now text{font-weight:600;"
    "fill:#1c1917}.bar{fill:#a9bfd6}.now .bar{fill:#0b5394}.axis{stroke:#d6d3d1}.paper{fill:#fbfaf7}"
    "@media(prefers-color-scheme:dark){text{fill:#c3c1bb}.title,.now text{fill:#f3f1ec}.paper{fill:#16181d}"
    ".bar{fill:#49607a}.now .bar{fill:#7db4e8}.axis{stroke:#3f4550}}"
)


def bar(part: int, whole: int, width: int = BAR) -> str:
    """A bar of up to `width` characters, exact to an eighth of one; whatever is not nothing is seen."""
    if part <= 0 or whole <= 0:
        return ""
    eighths = max(1, round(part / whole * width * 8))
    full, rest = divmod(eighths, 8)
    return "█" * full + (_EIGHTHS[rest] if rest else "")


def svg(tuned: Sequence[Tuned]) -> bytes:
    """One chart for each correlation that alerts at all, one bar a trial; the trial in force now stands out."""
    parts: list[str] = []
    y = _GAP
    for each in [one for one in tuned if any(trial.alerts for trial in one.trials)] or tuned:
        parts += _chart(each, y)
        y += 46 + _ROW * len(each.trials) + _GAP
    height = max(y, 40)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
        'role="img" font-family="system-ui, -apple-system, \'Segoe UI\', sans-serif">\n'
        "<title>Alerts that each threshold would have raised</title>\n"
        f'<style>{_STYLE}</style>\n<rect class="paper" width="{_WIDTH}" height="{height}" rx="8"/>\n'
    )
    return (head + "\n".join(parts) + "\n</svg>\n").encode()


def _chart(tuned: Tuned, y: int) -> list[str]:
    top, most = y + 46, max((trial.alerts for trial in tuned.trials), default=0)
    timespans = {trial.timespan_us for trial in tuned.trials}
    span = f" within {timespan_text(next(iter(timespans)))}" if len(timespans) == 1 and all(timespans) else ""
    axis = f'<path class="axis" d="M{_LEFT} {top - 4}V{top + _ROW * len(tuned.trials)}"/>'
    return [
        f'<text x="20" y="{y + 14}" class="title">{escape(tuned.correlation.title)}</text>',
        f'<text x="20" y="{y + 34}">alerts at each threshold{span}</text>',
        *(
            line
            for at, trial in enumerate(tuned.trials)
            for line in _row(trial, top + at * _ROW, most, with_span=not span)
        ),
        axis,
    ]


def _row(trial: Trial, y: int, most: int, *, with_span: bool) -> list[str]:
    wide = round(trial.alerts / most * _WIDE) if most else 0
    base = y + _TEXT + 2
    span = f" in {timespan_text(trial.timespan_us)}" if with_span else ""
    label = f"{threshold_text(trial)}{span}" if trial.timespan_us else "every match"
    told = f"{plural(trial.alerts, 'alert')} in {plural(trial.groups, 'group')}"
    now = f"{trial.alerts:,} now" if trial.current else f"{trial.alerts:,}"
    return [
        '<g class="now">' if trial.current else "<g>",
        f'<text x="{_LEFT - 12}" y="{base}" text-anchor="end">{escape(label)}</text>',
        f'<rect class="bar" x="{_LEFT}" y="{y + 2}" width="{wide}" height="{_ROW - 6}" rx="2">'
        f"<title>{told}</title></rect>",
        f'<text x="{_LEFT + wide + 10}" y="{base}">{now}</text>',
        "</g>",
    ]
