"""The picture of the topology, made from `topics/`: who writes and reads which stream, and what it may tell of people.

`python docs/pictures/topology.py` draws it anew; a test tells when it must be (`tests/topics/test_picture.py`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from html import escape
from pathlib import Path

from breachwatch.engines.streams import Stream, load_streams

HERE = Path(__file__).parent
FILE = HERE / "topology.svg"
ROLES = {
    "collectors": ("Collectors", "breachwatch collect"),
    "match": ("Match", "breachwatch worker"),
    "correlate": ("Correlate", "breachwatch worker"),
    "cases": ("Cases", "breachwatch clock, and the ledger"),
    "others": ("Others", "whatever you let read"),
}
FORMS = {"clear": "people in clear", "pseudonymous": "people as references", "none": "no personal data"}
WIDTH, MARGIN = 920, 20
CHAIN, SIDE, BOX = 20, 530, 370
ROLE_HIGH, STREAM_HIGH, GAP = 50, 72, 26
HEAD = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" \
role="img" aria-labelledby="title desc">
<title id="title">The streams between the processes</title>
<desc id="desc">{words}</desc>
<style>
.bg{{fill:#fbfaf7}} .role{{fill:#1c1917}} .box{{fill:#fff;stroke:#6b7280;stroke-width:1.2}} .part{{fill:#a8a29e}}
.l{{fill:none;stroke:#6b7280;stroke-width:1.4}} .head{{fill:#6b7280}}
.clear{{fill:#b91c1c}} .pseudonymous{{fill:#d97706}} .none{{fill:#4d7c0f}}
text{{font-family:system-ui,-apple-system,"Segoe UI",sans-serif}}
.r{{font-size:15px;font-weight:600;fill:#fff}} .c{{font-size:12.5px;fill:#e7e5e4;text-anchor:end}}
.t{{font-size:15px;font-weight:600;fill:#1c1917}} .v{{font-size:12.5px;fill:#57534e;text-anchor:end}}
.s{{font-size:12.5px;fill:#57534e}}
@media (prefers-color-scheme:dark){{
.bg{{fill:#16181d}} .role{{fill:#e7e5e4}} .box{{fill:#20242b;stroke:#9aa3b2}} .part{{fill:#78716c}}
.l{{stroke:#9aa3b2}} .head{{fill:#9aa3b2}} .clear{{fill:#f87171}} .pseudonymous{{fill:#fbbf24}} .none{{fill:#a3e635}}
.r{{fill:#1c1917}} .c{{fill:#44403c}} .t{{fill:#f3f1ec}} .s,.v{{fill:#c3c1bb}}
}}
</style>
<defs><marker id="a" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto-start-reverse">\
<path class="head" d="M0 0L8 4L0 8z"/></marker></defs>
<rect class="bg" width="{width}" height="{height}" rx="8"/>
"""


@dataclass(frozen=True)
class Row:
    """One process of the flow: the stream it hands on, and what it keeps or sets aside beside the flow."""

    role: str
    handed_on: Stream | None
    beside: tuple[Stream, ...]


def rows(streams: Mapping[str, Stream]) -> list[Row]:
    """The flow from the first writer to the last reader."""
    found, role = [], next(iter(streams.values())).written_by[0]
    while True:
        written = [stream for stream in streams.values() if stream.written_by[0] == role]
        onward = next((one for one in written if _next(one, role)), None)
        found.append(Row(role, onward, tuple(one for one in written if one is not onward)))
        if onward is None:
            return found
        role = _next(onward, role)


def _next(stream: Stream, role: str) -> str:
    """Who takes it from there; dead letters and what a stage keeps for itself lead nowhere."""
    readers = [reader for reader in stream.read_by if reader not in (role, "desk")]
    return readers[0] if readers and (readers != ["others"] or role == "cases") else ""


def draw(streams: Mapping[str, Stream]) -> str:
    """The picture as SVG."""
    flow = rows(streams)
    parts, y = [], MARGIN
    for row in flow:
        parts += _role(row.role, y)
        for index, stream in enumerate(row.beside):
            top = y + index * (STREAM_HIGH + 14)
            parts += _stream(stream, SIDE, top)
            parts.append(_to_side(y, top, both=stream.cleanup == "compact"))
        y += ROLE_HIGH
        if row.handed_on:
            parts.append(_down(y))
            parts += _stream(row.handed_on, CHAIN, y + GAP)
            parts.append(_down(y + GAP + STREAM_HIGH))
            y += STREAM_HIGH + 2 * GAP
    return HEAD.format(width=WIDTH, height=y + MARGIN, words=escape(_words(flow))) + "\n".join(parts) + "\n</svg>\n"


def _role(role: str, y: int) -> Iterator[str]:
    name, command = ROLES[role]
    yield f'<rect class="role" x="{CHAIN}" y="{y}" width="{BOX}" height="{ROLE_HIGH}" rx="6"/>'
    yield f'<text class="r" x="{CHAIN + 16}" y="{y + 30}">{escape(name)}</text>'
    yield f'<text class="c" x="{CHAIN + BOX - 16}" y="{y + 30}">{escape(command)}</text>'


def _stream(stream: Stream, x: int, y: int) -> Iterator[str]:
    """A box with a bar a partition at its left and the colour of its personal data at its right."""
    yield f'<rect class="box" x="{x}" y="{y}" width="{BOX}" height="{STREAM_HIGH}" rx="6"/>'
    pitch = (STREAM_HIGH - 16) / max(stream.partitions, 6)
    first = y + (STREAM_HIGH - pitch * (stream.partitions - 0.4)) / 2
    for number in range(stream.partitions):
        bar = first + number * pitch
        yield f'<rect class="part" x="{x + 10}" y="{bar:.1f}" width="24" height="{pitch * 0.6:.1f}"/>'
    yield f'<rect class="{stream.personal_data.form}" x="{x + BOX - 12}" y="{y + 10}" width="4" height="52" rx="2"/>'
    left, right = x + 46, x + BOX - 22
    yield f'<text class="t" x="{left}" y="{y + 23}">{escape(stream.short)}</text>'
    yield f'<text class="v" x="{right}" y="{y + 23}">{escape(stream.value)}</text>'
    yield f'<text class="s" x="{left}" y="{y + 42}">{escape(_kept(stream))}</text>'
    open_to = "; others may read" if "others" in stream.read_by else ""
    yield f'<text class="s" x="{left}" y="{y + 60}">{escape(FORMS[stream.personal_data.form] + open_to)}</text>'


def _kept(stream: Stream) -> str:
    key = "no key" if stream.key == "none" else f"key: {stream.key.replace('_', ' ')}"
    return f"{stream.partitions} partitions, {key}, {duration(stream.retention)}"


def duration(retention: timedelta | None) -> str:
    """How long a stream is kept, in words."""
    if retention is None:
        return "the newest of each"
    return f"{retention.days} days" if retention.days > 1 else f"{retention // timedelta(hours=1)} hours"


def _down(y: int) -> str:
    middle = CHAIN + BOX // 2
    return f'<path class="l" d="M{middle} {y}V{y + GAP - 3}" marker-end="url(#a)"/>'


def _to_side(y: int, top: int, *, both: bool) -> str:
    """From a role to what stands beside it; `both` ways where it reads it back."""
    start, end, to = CHAIN + BOX, SIDE - 3, top + STREAM_HIGH // 2
    level = y + ROLE_HIGH // 2
    aside = f"M{start} {level + 16}H{(start + end) // 2}V{to}H{end}"
    way = f"M{start + 3} {level}H{end}" if top == y else aside
    back = ' marker-start="url(#a)"' if both else ""
    return f'<path class="l" d="{way}"{back} marker-end="url(#a)"/>'


def _words(flow: Sequence[Row]) -> str:
    told = []
    for row in flow:
        name = ROLES[row.role][0]
        if row.handed_on:
            told.append(f"{name} write {row.handed_on.short} ({_kept(row.handed_on)}).")
        for stream in row.beside:
            told.append(f"Beside it stands {stream.short} ({_kept(stream)}).")
    return " ".join(told)


def main() -> None:
    """Draw it anew."""
    FILE.write_text(draw(load_streams(HERE.parents[1] / "topics")), encoding="utf-8")


if __name__ == "__main__":
    main()
