"""The picture of the topology is made from `topics/`, shows all of it, and is the one that is kept."""

import runpy
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

from breachwatch.engines.streams import load_streams

ROOT = Path(__file__).parents[2]
DRAWING = SimpleNamespace(**runpy.run_path(str(ROOT / "docs/pictures/topology.py")))
STREAMS = load_streams(ROOT / "topics")


def test_the_picture_that_is_kept_is_the_one_that_is_drawn() -> None:
    stale = DRAWING.FILE.read_text("utf-8") != DRAWING.draw(STREAMS)
    assert not stale, "topics/ changed: python docs/pictures/topology.py, and look at it before you keep it"


def test_every_stream_is_in_it_once_and_the_flow_goes_from_collectors_to_others() -> None:
    rows = DRAWING.rows(STREAMS)
    shown = [stream.short for row in rows for stream in (row.handed_on, *row.beside) if stream]
    assert sorted(shown) == sorted(STREAMS)
    assert [row.role for row in rows] == ["collectors", "match", "correlate", "cases", "others"]


def test_it_says_where_people_are_named() -> None:
    text = DRAWING.FILE.read_text("utf-8")
    assert text.count("people in clear") == 1
    for stream in STREAMS.values():
        assert f'class="{stream.personal_data.form}"' in text


def test_every_partition_is_drawn() -> None:
    svg = ElementTree.fromstring(DRAWING.draw(STREAMS))  # noqa: S314 - our own
    bars = [one for one in svg.iter("{http://www.w3.org/2000/svg}rect") if one.get("class") == "part"]
    assert len(bars) == sum(stream.partitions for stream in STREAMS.values())


def test_what_is_written_in_it_cannot_break_it() -> None:
    odd = STREAMS["records"].model_copy(update={"value": "<Chunk & co>"})
    ElementTree.fromstring(DRAWING.draw({**STREAMS, "records": odd}))  # noqa: S314 - our own
