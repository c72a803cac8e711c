"""The pictures of what commands print: they show what the commands print now."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "docs" / "pictures"


@pytest.fixture(scope="module")
def drawing() -> ModuleType:
    """The program that draws them."""
    spec = importlib.util.spec_from_file_location("draw", PICTURES / "draw.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_picture_shows_what_its_command_prints(drawing: ModuleType) -> None:
    stale = [name for name, drawn in drawing.draw().items() if (PICTURES / name).read_bytes() != drawn]
    assert stale == [], "script/pictures draws them anew; look at them before you keep them"


def test_every_picture_is_shown_by_the_page_it_is_made_from_with_words_for_who_cannot_see_it(
    drawing: ModuleType,
) -> None:
    for page, pictures in drawing.PICTURES.items():
        text = (ROOT / page).read_text("utf-8")
        for picture in pictures:
            (words,) = re.findall(rf"!\[([^\]]+)\]\(\.\./pictures/{re.escape(picture.name)}\)", text)
            assert len(words) > 20, picture.name


@pytest.mark.parametrize("file", sorted(PICTURES.glob("*.svg")), ids=lambda file: file.name)
def test_every_picture_has_a_title_and_asks_nobody_for_anything(file: Path) -> None:
    text = file.read_text("utf-8")
    assert ElementTree.fromstring(text).find("{http://www.w3.org/2000/svg}title") is not None  # noqa: S314 - our own
    assert re.findall(r"https?://(?!www\.w3\.org/)", text) == []
