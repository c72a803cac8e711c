"""The parts of Art. 34(2): there, and with words in them."""

from pathlib import Path

import pytest

from breachwatch.notices.facts import NoticeText
from breachwatch.notices.parts import PARTS, missing_parts


def test_a_whole_text_lacks_nothing(whole: NoticeText) -> None:
    assert missing_parts(whole.markdown) == ()


@pytest.mark.parametrize(
    "markdown",
    [
        "## What happened {#nature}\n\n## Next {#other}\n\nWords.",  # a heading alone says nothing
        "Words {#nature}",  # no heading
        "```\n## What happened {#nature}\n\nWords.\n```",  # quoted, not said
        "## What happened {# nature}\n\nWords.",
        "",
    ],
)
def test_a_part_without_words_of_its_own_is_missing(markdown: str) -> None:
    assert missing_parts(markdown) == tuple(PARTS)


def test_any_level_and_blanks_are_a_writer_s_choice() -> None:
    assert "nature" not in missing_parts("### What happened   {#nature}   \nWords.")


def test_the_notices_of_the_project_have_every_part_and_no_unknown_placeholder() -> None:
    folder = Path(__file__).parents[2] / "playbooks"
    texts = {path: path.read_text(encoding="utf-8") for path in folder.glob("*/notice.*.md")}
    assert texts
    assert {str(path): missing_parts(text) for path, text in texts.items() if missing_parts(text)} == {}
