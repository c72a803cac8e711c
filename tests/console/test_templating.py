"""Templates: every one can be read, none lets a value act, and none holds what the policy forbids."""

import re
from pathlib import Path

import pytest
from jinja2 import UndefinedError

import breachwatch.console
from breachwatch.console.templating import environment, read_assets, sample_table

FOLDER = Path(breachwatch.console.__file__).parent
TEMPLATES = sorted(path.name for path in (FOLDER / "templates").iterdir())


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_template_can_be_read(name: str) -> None:
    environment(read_assets()).get_template(name)


@pytest.mark.parametrize("name", TEMPLATES)
def test_no_template_needs_what_the_policy_forbids_or_fetches_from_elsewhere(name: str) -> None:
    text = (FOLDER / "templates" / name).read_text()
    assert not re.search(r"\sstyle=|\son[a-z]+=|<style|javascript:", text)
    assert "|safe" not in text.replace(" ", "")
    for address in re.findall(r'(?:src|href|action)="(https?:[^"]*)"', text):
        pytest.fail(f"{name} leads elsewhere by itself: {address}")
    for script in re.findall(r"<script[^>]*>", text):
        assert "src=" in script


def test_the_style_sheet_and_the_script_fetch_nothing_from_elsewhere() -> None:
    for content, kind, _ in read_assets().values():
        text = content.decode()
        assert "@import" not in text
        assert "url(" not in text
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text), kind


def test_values_are_escaped_without_being_asked() -> None:
    assert environment(read_assets()).from_string("{{ x }}").render(x="<b>") == "&lt;b&gt;"


def test_a_name_that_no_page_gives_is_an_error_and_not_an_empty_place() -> None:
    with pytest.raises(UndefinedError):
        environment(read_assets()).from_string("{{ nobody_gave_this }}").render()


def test_samples_become_one_table_over_all_their_columns() -> None:
    table = sample_table([{"a": 1, "time": 1774604520000}, {"b": {"c": "x"}}])
    assert table.columns == ["time", "a", "b.c"]
    assert table.rows == [["2026-03-27T09:42:00Z", "1", ""], ["", "", "x"]]


def test_every_form_that_posts_carries_its_token() -> None:
    for path in (FOLDER / "templates").iterdir():
        for form in re.findall(r'<form method="post".*?</form>', path.read_text(), re.DOTALL):
            assert re.search(r"{{ (m\.)?tokens?\(", form) or 'name="csrf"' in form, (path.name, form[:120])


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_stands_out_from_every_ground_it_stands_on(scheme: int) -> None:
    """WCAG 2.2, 1.4.3 (text 4.5:1) and 1.4.11 (edges of controls 3:1)."""
    css = (FOLDER / "static/desk.css").read_text()
    colours = dict(
        re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", re.findall(r":root \{(.*?)\n\s*\}", css, re.DOTALL)[scheme])
    )
    for ground in ("paper", "sheet", "field", "accent-wash", "bad-wash"):
        for ink in ("ink", "soft", "accent", "bad", "good"):
            assert _contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)
    assert _contrast(colours["accent-ink"], colours["accent"]) >= 4.5
    for ground in ("paper", "field"):
        assert _contrast(colours["edge"], colours[ground]) >= 3
