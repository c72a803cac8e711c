"""The notices that ship: every part the law asks for, the same in both languages, and words that people understand."""

import re
from pathlib import Path

import pytest

from breachwatch.notices.closing import with_closing
from breachwatch.notices.facts import NoticeText
from breachwatch.notices.parts import missing_parts
from breachwatch.notices.placeholders import PLACEHOLDERS, names_in, unknown_names
from breachwatch.notices.render import render

PLAYBOOKS = Path(__file__).parents[2] / "playbooks"
NOTICES = sorted(PLAYBOOKS.glob("*/notice.*.md"))
VALUES = {name: f"<{name}>" for name in PLACEHOLDERS}
each_notice = pytest.mark.parametrize(
    "path", NOTICES, ids=[f"{path.parent.name}-{path.suffixes[0][1:]}" for path in NOTICES]
)


def read(path: Path) -> NoticeText:
    front, body = re.fullmatch(
        r"---\nsubject: ([^\n]+)\n---\n\n(.*)", path.read_text(encoding="utf-8"), re.DOTALL
    ).groups()  # type: ignore[union-attr]
    return NoticeText(front, body)


def test_every_kind_of_breach_can_be_told_in_both_languages() -> None:
    kinds = {path.name for path in PLAYBOOKS.iterdir() if path.is_dir()}
    assert {(path.parent.name, path.name) for path in NOTICES} == {
        (kind, f"notice.{language}.md") for kind in kinds for language in ("en", "fr")
    }


@each_notice
def test_art_34_2_no_part_is_missing(path: Path) -> None:
    text = read(path)
    assert missing_parts(text.markdown) == ()
    assert re.findall(r"\{#(\w+)\}", text.markdown) == ["nature", "consequences", "measures", "advice", "contact"]


@each_notice
def test_only_known_placeholders_are_open(path: Path) -> None:
    text = read(path)
    assert unknown_names(text.subject + text.markdown) == []


@each_notice
def test_art_33_3_b_it_says_whom_to_ask_when_it_was_and_how_to_quote_it(path: Path) -> None:
    needed = {"person_name", "organisation", "occurred_on", "discovered_on", "dpo_name", "dpo_email", "dpo_phone"}
    assert needed | {"incident_reference"} <= set(names_in(read(path).markdown))


@each_notice
def test_it_tells_how_to_check_that_it_is_genuine_without_using_the_mail_itself(path: Path) -> None:
    markdown = read(path).markdown
    genuine = re.search(
        r"\*\*(Is this message really from us|Ce message vient-il bien de nous).*?\n\n", markdown, re.DOTALL
    )
    assert genuine is not None
    assert {"website", "incident_reference"} <= set(names_in(genuine[0]))
    assert "](" not in markdown
    assert not re.search(r"https?:", markdown)


@each_notice
def test_art_77_it_names_the_right_to_complain(path: Path) -> None:
    markdown = read(path).markdown
    assert re.search(r"right to complain|droit d’adresser une réclamation", markdown)
    assert {"authority", "authority_url"} <= set(names_in(markdown))


@each_notice
def test_it_is_whole_so_that_nothing_is_added_to_it(path: Path) -> None:
    text, language = read(path), path.suffixes[0][1:]
    assert with_closing(text.markdown, language, {}).strip() == text.markdown.strip()


@each_notice
def test_the_subject_line_says_what_it_is_and_names_nobody(path: Path) -> None:
    subject = read(path).subject
    assert "{organisation}" in subject
    assert "{person_name}" not in subject
    assert len(subject.replace("{organisation}", "Le Nappage")) <= 80
    assert not re.search(r"[!?]|urgent|important", subject, re.I)


@each_notice
def test_it_renders_to_text_and_html_with_every_value_in_its_place(path: Path) -> None:
    rendered = render(read(path), VALUES, path.suffixes[0][1:])
    for name in set(names_in(read(path).markdown)):
        assert f"<{name}>" in rendered.text
        assert f"&lt;{name}&gt;" in rendered.html
    assert "{" not in rendered.text + rendered.subject


@pytest.mark.parametrize("kind", sorted({path.parent.name for path in NOTICES}))
def test_both_languages_say_as_much(kind: str) -> None:
    english, french = (read(PLAYBOOKS / kind / f"notice.{language}.md").markdown for language in ("en", "fr"))
    for pattern in (r"^## ", r"^- ", r"^\d\. "):
        assert len(re.findall(pattern, english, re.M)) == len(re.findall(pattern, french, re.M)), pattern
    assert sorted(names_in(english)) == sorted(names_in(french))


@pytest.mark.parametrize("path", [path for path in NOTICES if ".en." in path.name], ids=lambda path: path.parent.name)
def test_english_a_twelve_year_old_can_read_it(path: Path) -> None:
    words, sentences, syllables = _measure(read(path).markdown, "aeiouy")
    ease = 206.835 - 1.015 * words / sentences - 84.6 * syllables / words  # Flesch 1948
    assert words / sentences <= 14
    assert ease >= 70


@pytest.mark.parametrize("path", [path for path in NOTICES if ".fr." in path.name], ids=lambda path: path.parent.name)
def test_french_it_is_easy_to_read(path: Path) -> None:
    words, sentences, syllables = _measure(read(path).markdown, "aeiouyàâéèêëîïôùûü")
    ease = 207 - 1.015 * words / sentences - 73.6 * syllables / words  # Kandel and Moles 1958
    assert words / sentences <= 18
    assert ease >= 60


@pytest.mark.parametrize("path", [path for path in NOTICES if ".fr." in path.name], ids=lambda path: path.parent.name)
def test_french_typography_is_kept(path: Path) -> None:
    text = read(path)
    for words in (text.subject, text.markdown):
        assert "'" not in words
        assert not re.search(r"[^\u00a0\s][;:!?»](\s|$)|«(?!\u00a0)| [;:!?»]", words)


@each_notice
def test_it_is_sober(path: Path) -> None:
    words = read(path).markdown.lower()
    assert not re.search(
        r"hacker|cyber|sophisticated|sophistiqué|unfortunately|malheureusement|take .* seriously|!", words
    )
    assert "utmost" not in words


def _measure(markdown: str, vowels: str) -> tuple[int, int, int]:
    """(words, sentences, syllables) of the running text, without headings, greeting and signature."""
    lines = [line for line in markdown.splitlines() if not line.startswith("#")]
    text = re.sub(r"\{\w+\}|[*]", "x", "\n".join(lines))
    text = re.sub(r"(?m)^(- |\d\. )", "", text)
    sentences = [part for part in re.split(r"[.?:;]\s|\n\n", text) if re.search(r"\w{2}", part)]
    words = re.findall(r"[^\W\d_]+", text)
    syllables = sum(_syllables(word.lower(), vowels) for word in words)
    return len(words), len(sentences), syllables


def _syllables(word: str, vowels: str) -> int:
    groups = len(re.findall(f"[{vowels}]+", word))
    silent = groups > 1 and re.search(r"[^aeiouyl]e(s|nt)?$", word) is not None
    return max(1, groups - silent)
