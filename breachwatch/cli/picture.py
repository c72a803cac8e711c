"""Trials of thresholds as pictures: bars of characters for a terminal, bars in an SVG for a document."""

from collections.abc import Sequence
from html import escape

from breachwatch.cli.tuned import threshold_text, timespan_text
from breachwatch.detection.tuning import Trial, Tuned

BAR = 24
"""Characters of the longest bar."""
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_ROW, _GAP, _LEFT, _WIDE, _TEXT = 22, 34, 150, 420, 13


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
    y = 28
    for each in [one for one in tuned if any(trial.alerts for trial in one.trials)] or tuned:
        parts.append(f'<text x="8" y="{y}" class="title">{escape(each.correlation.title)}</text>')
        y += 10
        most = max((trial.alerts for trial in each.trials), default=0)
        for trial in each.trials:
            parts.extend(_row(trial, y, most))
            y += _ROW
        y += _GAP
    height = max(y - _GAP + 12, 40)
    width = _LEFT + _WIDE + 80
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'role="img" font-family="system-ui, sans-serif">\n'
        "<title>Alerts that each threshold would have raised</title>\n"
        "<style>text{font-size:13px;fill:#222}.title{font-weight:600}.bar{fill:#9db8d2}.now{fill:#08519c}"
        ".paper{fill:#fff}@media(prefers-color-scheme:dark){text{fill:#ddd}.paper{fill:#1b1f24}.bar{fill:#4a6785}"
        ".now{fill:#7db4e8}}</style>\n"
        f'<rect class="paper" width="{width}" height="{height}"/>\n'
    )
    return (head + "\n".join(parts) + "\n</svg>\n").encode()


def _row(trial: Trial, y: int, most: int) -> list[str]:
    wide = round(trial.alerts / most * _WIDE) if most else 0
    base = y + _TEXT + 2
    label = f"{threshold_text(trial)} in {timespan_text(trial.timespan_us)}" if trial.timespan_us else "every match"
    told = f"{trial.alerts:,} alerts in {trial.groups:,} groups"
    kind = "now" if trial.current else "bar"
    return [
        f'<text x="{_LEFT - 8}" y="{base}" text-anchor="end">{escape(label)}</text>',
        f'<rect class="{kind}" x="{_LEFT}" y="{y + 3}" width="{max(wide, 1)}" height="{_ROW - 6}" rx="2">'
        f"<title>{told}</title></rect>",
        f'<text x="{_LEFT + wide + 8}" y="{base}">{trial.alerts:,}</text>',
    ]
