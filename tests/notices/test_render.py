"""One person's mail: the same words in both parts, and nothing in them but words."""

from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breachwatch.notices.facts import NoticeText
from breachwatch.notices.placeholders import PLACEHOLDERS
from breachwatch.notices.render import render

VOID = {"meta", "br", "hr", "!doctype"}


class Page(HTMLParser):
    """What a mail program would see: tags, addresses, the words, and whether every tag is closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.words = ""
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in VOID
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "body" in self.open:
            self.words += data


def mail(markdown: str, name: str = "Alex Example", language: str = "en") -> tuple[str, Page]:
    rendered = render(NoticeText("Your data", markdown), {"person_name": name}, language)
    return rendered.text, Page(rendered.html)


@pytest.mark.parametrize(
    "name", ["*x*", "<script>alert(1)</script>", "[a](https://evil.test)", "{organisation}", "&amp;"]
)
def test_a_name_is_shown_as_it_is(name: str) -> None:
    text, page = mail("Dear {person_name},", name)
    assert text == f"Dear {name},\n"
    assert page.words.strip() == f"Dear {name},"
    assert "script" not in page.tags
    assert page.links == []


def test_html_in_a_text_is_only_text() -> None:
    text, page = mail('<img src="https://x.test/t.gif">\n\nHello <b>you</b> ![pixel](https://x.test/t.gif)')
    assert not page.tags & {"img", "b"}
    assert '<img src="https://x.test/t.gif">' in text


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "//x.test", "x.html"]
)
def test_links_lead_only_to_web_mail_and_telephone(address: str) -> None:
    assert mail(f"[click]({address})")[1].links == []


def test_a_link_shows_where_it_leads_in_both_parts() -> None:
    text, page = mail("See [our site](https://shop.example/help) or <dpo@example.org> or [call](tel:+33199000000).")
    shown = "See our site (https://shop.example/help) or dpo@example.org or call (+33199000000)."
    assert " ".join(text.split()) == page.words.strip() == shown
    assert page.links == ["https://shop.example/help", "mailto:dpo@example.org", "tel:+33199000000"]


def test_the_language_is_told_to_screen_readers() -> None:
    html = render(NoticeText("Vos données", "Bonjour {person_name}"), {"person_name": "A"}, "fr").html
    assert '<html lang="fr">' in html
    assert "<title>Vos données</title>" in html


def test_heading_ids_are_not_shown() -> None:
    text, page = mail("## What happened {#nature}\n\nWords.")
    assert text == "What happened\n-------------\n\nWords.\n"
    assert "{#" not in page.words


def test_lists_quotes_and_long_lines_read_well_as_text() -> None:
    text, _ = mail(f"1. one\n2. two\n   - inner\n\n> quoted\n\n{'word ' * 30}\n\n---\n\nlast\\\nline")
    assert "1. one\n2. two\n  - inner\n" in text
    assert "> quoted" in text
    assert "last\nline" in text
    assert max(map(len, text.splitlines())) <= 76


def test_the_notices_of_the_project_come_out_whole() -> None:
    folder = Path(__file__).parents[2] / "playbooks"
    values = {name: f"<{name}>" for name in PLACEHOLDERS}
    for path in folder.glob("*/notice.*.md"):
        markdown = path.read_text(encoding="utf-8").split("---\n", 2)[2]
        rendered = render(NoticeText("s", markdown), values, "en")
        page = Page(rendered.html)
        assert " ".join(page.words.split()).count("<person_name>") == rendered.text.count("<person_name>") > 0, path
        assert "{" not in rendered.text, path


@given(
    markdown=st.text(alphabet=st.sampled_from("#*_`[](){}<>!&\\-+.:1 \nabhttps/'\""), max_size=60),
    name=st.text(max_size=15),
)
def test_any_text_gives_two_parts_without_a_single_dangerous_tag(markdown: str, name: str) -> None:
    text, page = mail(markdown + " {person_name}", name)
    assert page.open == []
    allowed = "html head meta title body div p h1 h2 h3 h4 h5 h6 ul ol li a em strong code pre blockquote br hr".split()  # noqa: SIM905
    assert page.tags <= set(allowed)
    assert page.attributes <= {
        "lang",
        "charset",
        "name",
        "content",
        "style",
        "role",
        "aria-label",
        "href",
        "title",
        "start",
    }
    assert all(link.lower().startswith(("http:", "https:", "mailto:", "tel:")) for link in page.links)
    assert text.endswith("\n")
