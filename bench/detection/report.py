"""The figures of the lanes as a table: on a terminal, and in Markdown."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.detection.peers import TITLES

HEADS = [
    "lane",
    "side",
    "events/s",
    "least to most",
    "breachwatch is",
    "matches",
    "equal",
    "load s",
    "rules MiB",
    "peak MiB",
]


def rows(lanes: dict[str, Any]) -> Iterator[list[str]]:
    """A row for each side of each lane; the lane is named in its first."""
    for name, lane in lanes.items():
        ours = lane["sides"].get("breachwatch", {}).get("rate")
        for number, (side, cell) in enumerate(lane["sides"].items()):
            yield [
                f"{name} ({lane['bytes'] / lane['events']:,.0f} B)" if number == 0 else "",
                TITLES[side],
                f"{cell['rate']:,.0f}",
                f"{cell['least']:,.0f} to {cell['most']:,.0f}",
                "" if side == "breachwatch" or not ours else f"{ours / cell['rate']:.2f} x",
                "" if side == "orjson" else f"{cell['matches']:,} of {cell['events']:,}",
                "" if side in ("breachwatch", "orjson") else _equal(cell["differs"]),
                _loading(cell) if side != "orjson" else "",
                f"{cell['loaded_mib']:.0f}",
                f"{cell['peak_mib']:.0f}",
            ]


def _loading(cell: dict[str, Any]) -> str:
    again = f", again {cell['again_seconds']:.1f}" if "again_seconds" in cell else ""
    return f"{cell['load_seconds']:.1f}{again}"


def _equal(differs: list[dict[str, Any]]) -> str:
    if not differs:
        return "yes"
    extra = sum(each["ours_only"] for each in differs)
    missing = sum(each["theirs_only"] for each in differs)
    return f"no: +{extra:,} -{missing:,} in {len(differs)} rules"


def print_table(lanes: dict[str, Any]) -> None:
    """Print the figures, and every difference in what was found."""
    table = Table(*HEADS, title="Detection, one core; medians", title_justify="left")
    for row in rows(lanes):
        table.add_row(*row, end_section=False)
    console = Console(width=None if Console().is_terminal else 170)
    console.print(table)
    for name, lane in lanes.items():
        for side, cell in lane["sides"].items():
            for each in cell["differs"]:
                console.print(
                    f"{name}, {TITLES[side]}: rule {each['rule']}: {each['ours_only']} records only with breachwatch, "
                    f"{each['theirs_only']} only there; first (stream, record): {each['records']}"
                )


def write_markdown(lanes: dict[str, Any], path: Path) -> None:
    """Write the same table for a page of the docs."""
    lines = ["| " + " | ".join(HEADS) + " |", "|---|---|---:|---:|---:|---:|---|---:|---:|---:|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows(lanes)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
