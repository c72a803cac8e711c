"""What the documents say is so: links lead somewhere, commands can be typed, settings exist, examples are read."""

import asyncio
import json
import re
import shutil
import sqlite3
import tomllib
import types
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args, get_origin
from zoneinfo import ZoneInfo

import pytest
import typer.main
from pydantic import BaseModel

from breachwatch import wiring
from breachwatch.cli import app
from breachwatch.demo.people import customers
from breachwatch.demo.player import CUSTOMERS
from breachwatch.demo.shop import ENTERED, EXPORTED, STUFFED, day
from breachwatch.settings import Settings, read_settings
from breachwatch.sources.registry import load_sources

ROOT = Path(__file__).parents[2]
NEEDED = {
    "organisation": '[organisation]\nname = "Example Shop"\ndpo_name = "Camille"\ndpo_email = "dpo@shop.example"\n',
    "mail": '[mail]\nsender = "privacy@shop.example"\n',
}
"""What every settings file must hold; added to examples that show only one section."""
PAGES_OF_SOURCES = ("sources", "log-sources", "cloud-and-windows-sources", "app-audit")
FLUFF = (
    *("seamless", "robust", "leverage", "cutting-edge", "world-class", "effortless", "powerful", "blazing", "simply"),
    *("state-of-the-art", "best-in-class", "lorem ipsum", "todo", "fixme", "coming soon"),
    *("organization", "behavior", "anonymize", "pseudonymize", "authorize"),
)


def test_every_link_leads_somewhere(page, pages) -> None:
    for link in page.links():
        target, _, anchor = link.partition("#")
        path = (page.path.parent / target).resolve() if target else page.path
        assert path.exists(), f"{page.name} links {link}"
        if anchor:
            assert anchor in pages[path.relative_to(ROOT).as_posix()].anchors(), f"{page.name} links {link}"


def test_every_page_of_the_documentation_can_be_found_from_its_index(pages) -> None:
    seen, todo = set[str](), ["docs/README.md"]
    while todo:
        name = todo.pop()
        if name in seen or name not in pages:
            continue
        seen.add(name)
        for link in pages[name].links():
            path = (pages[name].path.parent / link.partition("#")[0]).resolve()
            todo += [path.relative_to(ROOT).as_posix()] if path.is_file() else []
    assert {name for name in pages if name.startswith("docs/")} <= seen


def test_english_is_plain_and_british(page) -> None:
    words = page.prose.lower()
    assert [word for word in FLUFF if re.search(rf"\b{word}", words)] == []


# ------------------------------------------------------------------ commands


def _leaf(words: list[str]) -> tuple[Any, list[str]]:
    """The command that words lead to, and the words behind it."""
    command: Any = typer.main.get_command(app)
    rest = [word for word in words if word not in ("--no-color", "--color")]
    while rest and hasattr(command, "commands") and rest[0] in command.commands:
        command, rest = command.commands[rest[0]], rest[1:]
    return command, rest


def test_every_command_that_a_page_shows_exists_with_its_options(page) -> None:
    for words in page.commands():
        if words[0] in ("COMMAND", "--help", "--version", "--no-color"):
            continue
        command, rest = _leaf(words)
        known = {name for option in command.params for name in (*option.opts, *option.secondary_opts)} | {"--help"}
        assert not hasattr(command, "commands") or not rest, f"{page.name}: breachwatch {' '.join(words)}"
        unknown = [word for word in rest if word.startswith("-") and word.partition("=")[0] not in known]
        assert unknown == [], f"{page.name}: breachwatch {' '.join(words)}"


def _commands(command: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    for name, one in getattr(command, "commands", {}).items():
        yield from _commands(one, f"{path}{name} ") if hasattr(one, "commands") else [(path + name, one)]


def test_every_command_and_option_stands_in_the_reference(pages) -> None:
    text = pages["docs/reference/commands.md"].text
    for name, command in _commands(typer.main.get_command(app)):
        assert re.search(rf"^## `breachwatch {name.split()[0]}`$", text, re.MULTILINE), name
        for option in command.params:
            long = option.opts[0] if option.param_type_name == "option" else ""
            assert f"`{long}`" in text or f" {long} " in text, f"{name} {long}"


# ------------------------------------------------------------------ settings


def _models(kind: Any) -> Iterator[type[BaseModel]]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
    elif get_origin(kind) in (tuple, types.UnionType) or get_args(kind):
        for inner in get_args(kind):
            yield from _models(inner)


def _known_settings() -> dict[str, set[str]]:
    """Section (empty for the top) to its keys, as the program reads them."""
    known: dict[str, set[str]] = {"": set()}
    for name, field in Settings.model_fields.items():
        models = list(_models(field.annotation))
        if models:
            known[name] = {key for model in models for key in model.model_fields}
        else:
            known[""].add(name)
    return known


def _documented_settings(page: Any) -> dict[str, set[str]]:
    """The same as the page tells it, in its tables and examples."""
    told: dict[str, set[str]] = {"": set()}
    section = ""
    for cells in re.findall(r"^\| *([^|]*?) *\| *(`[^|]*?) *\|", page.text, re.MULTILINE):
        heading = re.search(r"\[+(\w+)\]+", cells[0])
        section = heading[1] if heading else "" if "top" in cells[0] else section
        told.setdefault(section, set()).update(re.findall(r"`(\w+)`", cells[1]))
    for block in page.blocks("toml"):
        for name, value in tomllib.loads(block).items():
            for table in value if isinstance(value, list) else [value]:
                place, keys = (name, set(table)) if isinstance(table, dict) else ("", {name})
                told.setdefault(place, set()).update(keys)
    return told


def test_the_settings_page_tells_every_key_and_no_other(pages) -> None:
    known, told = _known_settings(), _documented_settings(pages["docs/reference/settings.md"])
    strange = {f"{section}.{key}" for section, keys in told.items() for key in keys - known.get(section, set())}
    assert strange == set()
    told.setdefault("inputs", set()).update(re.findall(r"`(\w+)`", pages["docs/reference/inputs.md"].text))
    missing = {f"{section}.{key}" for section, keys in known.items() for key in keys - told.get(section, set())}
    assert missing == set()


def test_every_example_of_settings_is_read(page, tmp_path: Path) -> None:
    for block in page.blocks("toml"):
        tables = set(tomllib.loads(block))
        file = tmp_path / "breachwatch.toml"
        file.write_text(block + "".join(text for name, text in NEEDED.items() if name not in tables), encoding="utf-8")
        assert read_settings(file)


# ------------------------------------------------------------------ examples


def test_the_playbook_of_the_how_to_is_good_when_done_as_told(pages, tmp_path: Path) -> None:
    text = pages["docs/how-to/write-a-playbook.md"]
    detection, alerts, silent, meaning = text.blocks("yaml")
    shutil.copytree(ROOT / "playbooks", tmp_path / "my-playbooks")
    folder = tmp_path / "my-playbooks" / "open-backup"
    shutil.copytree(ROOT / "playbooks" / "record-enumeration", folder)
    for case in (folder / "cases").iterdir():
        case.unlink()
    problems, _ = wiring.check_playbooks(tmp_path / "my-playbooks", [])
    assert [str(one).removeprefix(f"{tmp_path}/") for one in problems] == text.blocks("text")[0].splitlines()

    (folder / "detection.yml").write_text(detection, encoding="utf-8")
    (folder / "playbook.yml").write_text(meaning, encoding="utf-8")
    (folder / "cases" / "a-stranger-fetches-a-dump.yml").write_text(alerts, encoding="utf-8")
    (folder / "cases" / "what-is-no-breach.yml").write_text(silent, encoding="utf-8")
    problems, summary = wiring.check_playbooks(tmp_path / "my-playbooks", [])
    assert problems == []
    assert "all good" in summary


def test_every_json_example_is_json(page) -> None:
    for block in page.blocks("json"):
        for line in [block] if block.startswith("{\n") else block.splitlines():
            assert json.loads(line)


async def test_the_program_that_sends_logs_is_understood(pages, tmp_path: Path) -> None:
    (code,) = pages["docs/how-to/send-logs.md"].blocks("python")
    names: dict[str, Any] = {}
    exec(compile(code, "send-logs.md", "exec"), names)  # noqa: S102 - our own example
    file = tmp_path / "breachwatch.toml"
    file.write_text("".join(NEEDED.values()) + "[desk]\nport = 0\n", encoding="utf-8")
    service = wiring.build_service(read_settings(file))
    stop = asyncio.Event()
    running = asyncio.create_task(service.run(stop))
    events = [{"time": "2026-03-27T13:06:56Z", "action": "read", "outcome": "success"}] * 2
    send: Callable[..., int] = names["send"]
    url = f"{service.desk_url}/ingest/app-audit"
    try:
        assert await asyncio.to_thread(send, url, str(tmp_path / "state/ingest.token"), "key-1", events) == 2
    finally:
        stop.set()
        await running


def test_the_villain_of_the_tutorial_meets_the_triggers_that_it_names(pages, tmp_path: Path) -> None:
    triggers = re.findall(r"DROP TRIGGER (\w+)", pages["docs/tutorial/first-hour.md"].text)
    file = tmp_path / "breachwatch.toml"
    file.write_text("".join(NEEDED.values()), encoding="utf-8")
    wiring.open_store(read_settings(file)).close()
    database = sqlite3.connect(tmp_path / "state" / "ledger.sqlite")
    there = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")}
    database.close()
    assert triggers
    assert set(triggers) <= there


@pytest.mark.parametrize("name", ["README.md", "docs/tutorial/first-hour.md"])
def test_the_demo_s_figures_are_those_of_its_story(pages, name: str) -> None:
    lines = day(customers(CUSTOMERS), datetime(2026, 3, 27, 18, tzinfo=UTC), ZoneInfo("Europe/Paris"))
    told = pages[name].text
    assert f"{len(lines):,}" in told
    assert f"{EXPORTED} customers" in re.sub(r"\s+", " ", told)
    assert re.search(rf"\b{len(ENTERED)}\b", told)
    assert name == "README.md" or f"{STUFFED} names and passwords" in told


@pytest.mark.parametrize(
    ("name", "told"),
    [("README.md", r"\*\*(\d+) \[(sources|playbooks)\]"), ("CHANGELOG.md", r"more, (\d+) (?:playbooks )?in all")],
)
def test_as_many_sources_and_playbooks_are_told_as_there_are(pages, name: str, told: str) -> None:
    there = {"sources": len(load_sources()), "playbooks": len([*(ROOT / "playbooks").glob("*/playbook.yml")])}
    found = re.findall(told, pages[name].text)
    assert found
    for number, what in (each if isinstance(each, tuple) else (each, "playbooks") for each in found):
        assert int(number) == there[what], what


def test_every_playbook_and_source_stands_in_the_reference(pages) -> None:
    told = "".join(pages[f"docs/reference/{name}.md"].text for name in PAGES_OF_SOURCES)
    assert [name for name in load_sources() if f"`{name}`" not in told] == []
    shipped = [path.parent.name for path in sorted((ROOT / "playbooks").glob("*/playbook.yml"))]
    assert [name for name in shipped if f"`{name}`" not in pages["docs/reference/playbooks.md"].text] == []
    assert [name for name in shipped if f"`{name}`" not in pages["CHANGELOG.md"].text] == []


def test_every_decision_is_in_their_index_and_its_number_is_its_own(pages) -> None:
    index = pages["docs/decisions/README.md"].text
    names = [name.split("/")[-1] for name in pages if re.match(r"docs/decisions/\d", name)]
    assert [name for name in names if f"({name})" not in index] == []
    numbers = [name[:4] for name in names]
    assert len(numbers) == len(set(numbers))
