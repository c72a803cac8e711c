"""The documents of the project as values: pages, fenced blocks, links, and the commands they tell people to type."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_TYPED = re.compile(r"(?:^|[|;&] *|^\$ )(?:sudo (?:-u \S+ )?)?(?:[\w./-]*/)?breachwatch (\S[^\n|>&#;)]*)", re.MULTILINE)
"""A command of ours at the place where a shell looks for one."""
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Page:
    """One Markdown file; `name` is relative to the checkout."""

    name: str
    text: str

    @property
    def path(self) -> Path:
        return ROOT / self.name

    @property
    def prose(self) -> str:
        """The text without blocks and code."""
        return re.sub(r"`[^`\n]*`", "", _FENCE.sub("", self.text))

    def blocks(self, kind: str) -> list[str]:
        return [body for found, body in _FENCE.findall(self.text) if found == kind]

    def links(self) -> list[str]:
        return [link for link in _LINK.findall(_FENCE.sub("", self.text)) if "://" not in link]

    def anchors(self) -> set[str]:
        headings = (re.sub(r"[`*]|\[([^]]*)]\([^)]*\)", r"\1", one) for one in _HEADING.findall(self.text))
        return {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}

    def commands(self) -> Iterator[list[str]]:
        """Every `breachwatch ...` that a reader may type, as its words after the program's name."""
        shell = "\n".join(self.blocks("sh") + self.blocks("console")).replace("\\\n", " ")
        typed = _TYPED.findall(shell)
        quoted = re.findall(r"`breachwatch ([a-z-][^`]*)`", _FENCE.sub("", self.text))
        for words in typed + quoted:
            yield shlex.split(words)


def _pages() -> list[Page]:
    paths = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    return [Page(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")) for path in sorted(paths)]


PAGES = _pages()


@pytest.fixture(params=PAGES, ids=lambda page: page.name)
def page(request: pytest.FixtureRequest) -> Page:
    """Each page in turn."""
    found: Page = request.param
    return found


@pytest.fixture
def pages() -> dict[str, Page]:
    """All pages by name."""
    return {page.name: page for page in PAGES}
