"""Parsed Markdown as plain text: what a mail program without HTML, or a person who prefers it, reads."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from textwrap import fill

from markdown_it.token import Token

WIDTH = 76
"""Columns, so that a quoted reply still fits."""
_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")


def address_of(href: str) -> str:
    """Where a link leads, as people write it: mail addresses and telephone numbers without their scheme."""
    return href.removeprefix("mailto:").removeprefix("tel:")


def plain(tokens: Sequence[Token]) -> str:
    """Paragraphs of at most `WIDTH` columns; headings underlined, list items marked, links followed by addresses."""
    page = _Page()
    for token in tokens:
        page.take(token)
    return page.text + "\n"


@dataclass(slots=True)
class _Page:
    """The text so far; `lists` holds the next number of each open list, None for bullets."""

    text: str = ""
    lists: list[int | None] = field(default_factory=list)
    quoted: int = 0
    mark: str = ""
    in_item: bool = False

    def take(self, token: Token) -> None:
        match token.type:
            case "bullet_list_open":
                self.lists.append(None)
            case "ordered_list_open":
                self.lists.append(int(token.attrGet("start") or 1))
            case "bullet_list_close" | "ordered_list_close":
                self.lists.pop()
                self.in_item = bool(self.lists)
            case "list_item_open":
                self._open_item()
            case "blockquote_open" | "blockquote_close":
                self.quoted += token.nesting
            case "heading_open":
                self.mark = token.tag
            case "inline":
                self._add(_block(_words(token.children or []), self.mark, len(self.lists), self.quoted))
                self.mark = ""
            case "fence" | "code_block":
                self._add(token.content.rstrip("\n"))
            case "hr":
                self._add("-" * 20)

    def _open_item(self) -> None:
        number = self.lists[-1]
        self.mark = "- " if number is None else f"{number}. "
        self.lists[-1] = None if number is None else number + 1

    def _add(self, block: str) -> None:
        """Items of one list follow each other closely; everything else stands apart."""
        is_item = bool(self.lists) and self.mark not in ("", *_HEADINGS)
        gap = "" if not self.text else "\n" if is_item and self.in_item else "\n\n"
        self.text += gap + block
        self.in_item = is_item


def _block(words: str, mark: str, depth: int, quoted: int) -> str:
    if mark in _HEADINGS:
        return f"{words}\n{('=' if mark == 'h1' else '-') * min(len(words), WIDTH)}"
    margin = "> " * quoted + "  " * max(depth - 1, 0)
    first = margin + (mark or "  " * min(depth, 1))
    rest = margin + " " * (len(first) - len(margin))
    return "\n".join(_wrapped(line, rest if place else first, rest) for place, line in enumerate(words.split("\n")))


def _wrapped(line: str, first: str, rest: str) -> str:
    return fill(
        line, WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )


def _words(children: Sequence[Token]) -> str:
    text, start, href = "", 0, ""
    for child in children:
        match child.type:
            case "softbreak":
                text += " "
            case "hardbreak":
                text += "\n"
            case "link_open":
                start, href = len(text), address_of(str(child.attrGet("href") or ""))
            case "link_close":
                text += "" if href in text[start:] else f" ({href})"
            case _:
                text += child.content
    return text
