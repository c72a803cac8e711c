"""One person's mail: a notice's Markdown as plain text and as HTML that says the same.

Markdown comes from people of the team, values from directories and logs. Neither can bring markup: HTML in a text shows
as text, images are not fetched, links lead only to web, mail and telephone, and show where they lead.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from markdown_it import MarkdownIt
from markdown_it.token import Token

from breachwatch.notices.facts import NoticeText
from breachwatch.notices.parts import HEADING
from breachwatch.notices.placeholders import fill_line, fill_markdown
from breachwatch.notices.plain import address_of, plain

_SCHEMES = ("https://", "http://", "mailto:", "tel:")
_FONT = "font-family:Georgia,'Times New Roman',serif;font-size:17px;line-height:1.55"
_STYLES = {
    "p": "margin:0 0 1em",
    "h1": "font-size:22px;line-height:1.3;margin:0 0 .7em",
    "h2": "font-size:19px;line-height:1.3;margin:1.5em 0 .4em",
    "h3": "font-size:17px;line-height:1.3;margin:1.3em 0 .3em",
    "ul": "margin:0 0 1em;padding-left:1.4em",
    "ol": "margin:0 0 1em;padding-left:1.4em",
    "li": "margin:0 0 .35em",
    "blockquote": "margin:0 0 1em;padding-left:1em;border-left:3px solid #999",
}


@dataclass(frozen=True, slots=True)
class Rendered:
    """A mail's words: subject without line breaks, plain text, and a whole HTML document."""

    subject: str
    text: str
    html: str


def render(text: NoticeText, values: Mapping[str, str], language: str) -> Rendered:
    """Fill what is open and make both parts.

    Args:
        text: subject and Markdown.
        values: placeholder to value, shown as they are: marks, tags and braces in a value are only characters.
        language: ISO 639-1, for the HTML's `lang`.

    Returns:
        Both parts of the mail: no tracking, no remote content, no scripts.
    """
    subject = fill_line(" ".join(text.subject.split()), values)
    tokens = _parser().parse(HEADING.sub(_without_id, fill_markdown(text.markdown, values)))
    return Rendered(subject, plain(tokens), _document(subject, tokens, language))


def _without_id(found: re.Match[str]) -> str:
    return found[0].replace(f"{{#{found['id']}}}", "").rstrip()


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}).disable(["image", "html_block", "html_inline"])
    parser.validateLink = _is_safe  # type: ignore[method-assign]
    return parser


def _is_safe(url: str) -> bool:
    return url.strip().lower().startswith(_SCHEMES)


def _document(subject: str, tokens: Sequence[Token], language: str) -> str:
    for token in tokens:
        _style(token)
        for child in token.children or []:
            _style(child)
        token.children = _with_addresses(token.children) if token.children else token.children
    body = MarkdownIt("commonmark", {"html": False}).renderer.render(tokens, _parser().options, {})
    lang = escape(language, quote=True)
    return (
        f'<!doctype html>\n<html lang="{lang}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(subject)}</title>\n</head>\n"
        f'<body style="margin:0;padding:24px 16px">\n'
        f'<div role="article" lang="{lang}" aria-label="{escape(subject, quote=True)}" '
        f'style="max-width:38em;margin:0 auto;{_FONT}">\n{body}</div>\n</body>\n</html>\n'
    )


def _style(token: Token) -> None:
    if token.nesting == 1 and token.tag in _STYLES:
        token.attrSet("style", _STYLES[token.tag])


def _with_addresses(children: Sequence[Token]) -> list[Token]:
    """Follow each link whose words hide where it leads by the address."""
    shown: list[Token] = []
    words, href = "", ""
    for child in children:
        shown.append(child)
        if child.type == "link_open":
            words, href = "", str(child.attrGet("href") or "")
        elif child.type == "link_close":
            if address_of(href) not in words:
                shown.append(Token("text", "", 0, content=f" ({address_of(href)})"))
        else:
            words += child.content
    return shown
