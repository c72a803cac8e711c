"""Filling: a value is shown as it is, once, whatever it holds."""

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from breachwatch.notices.placeholders import PLACEHOLDERS, fill_line, fill_markdown, names_in, unknown_names

NASTY = st.text(alphabet=st.sampled_from("*_`[](){}<>#!&\\|~-+=.:1 \nax@/'\""), min_size=1, max_size=25)


def shown(markdown: str) -> str:
    """The words of a text as a reader sees them, without any markup."""
    tokens = MarkdownIt("commonmark", {"html": False}).parse(markdown)
    inlines = [token for token in tokens if token.type == "inline"]
    return "\n".join("".join(child.content for child in token.children or []) for token in inlines)


def test_every_placeholder_has_a_meaning() -> None:
    assert all(PLACEHOLDERS.values())
    assert "person_name" in PLACEHOLDERS


def test_heading_ids_are_no_placeholders() -> None:
    assert names_in("## What {#nature} {person_name} {{website}} {Website}") == ["person_name", "website"]


def test_an_unknown_name_comes_with_the_nearest_known_one() -> None:
    assert unknown_names("{dpo_mail} {person_name} {qqq}") == [("dpo_mail", "dpo_email"), ("qqq", "")]


def test_a_value_is_not_expanded_again() -> None:
    values = {"person_name": "{organisation}", "organisation": "Example"}
    assert shown(fill_markdown(fill_markdown("Dear {person_name},", values), values)) == "Dear {organisation},"
    assert fill_line(fill_line("{person_name}", values), values) == "(organisation)"


def test_a_subject_never_grows_a_header() -> None:
    assert (
        fill_line("Hello {person_name}", {"person_name": "Eve\r\nBcc: all@example.org"})
        == "Hello Eve Bcc: all@example.org"
    )


def test_an_address_that_is_the_whole_of_a_link_stays_one() -> None:
    values = {"website": "https://shop.example/a_b?c=d", "dpo_email": "data_protection@example.org"}
    html = MarkdownIt().render(fill_markdown("[site]({website}) <{website}> <{dpo_email}>", values))
    assert html.count('href="https://shop.example/a_b?c=d"') == 2
    assert 'href="mailto:data_protection@example.org"' in html


def test_no_value_becomes_a_link_of_its_own() -> None:
    values = {"website": "https://x.test) [y](https://evil.test"}
    assert "evil.test" not in "".join(
        part for part in MarkdownIt().render(fill_markdown("[a]({website}) {website}", values)).split('href="')[1:]
    )


@given(value=NASTY)
def test_any_value_is_shown_as_it_is_at_any_place(value: str) -> None:
    words = " ".join(value.split())
    for before in ("Dear ", "", "- ", "1. ", "> ", "*", "## "):
        text = fill_markdown(f"{before}{{person_name}}", {"person_name": value})
        assert shown(text).removeprefix(before.strip() if before in ("Dear ", "*") else "").strip() == words, text
