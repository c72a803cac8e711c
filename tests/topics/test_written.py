"""What earlier versions wrote is read by this one, and readers of old are told nothing that they would not understand.

`written/TAG/` holds what each version wrote, `written/next/` what is written now; `write_values.py` made them all.
"""

import copy
import runpy
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from pydantic import TypeAdapter

from breachwatch import __version__
from breachwatch.engines.asyncapi import asyncapi
from breachwatch.engines.streams import load_streams
from breachwatch.engines.wire import (
    unpack_alert,
    unpack_chunk,
    unpack_dead_letter,
    unpack_match_batch,
    unpack_progress,
)
from breachwatch.kernel.streams import FactEnvelope, MatchBatch

HERE = Path(__file__).parent
TOPICS = HERE.parents[1] / "topics"
now = SimpleNamespace(**runpy.run_path(str(HERE / "write_values.py")))
VERSIONS = sorted(folder.name for folder in (HERE / "written").iterdir())
FILES = sorted((HERE / "written").rglob("*.bin"))
EXPECTED: dict[str, tuple[Callable[[bytes], Any], Any]] = {
    **{name: (unpack_chunk, chunk) for name, chunk in now.CHUNKS.items()},
    "alert": (unpack_alert, now.ALERT),
    "dead-letter": (unpack_dead_letter, now.LETTER),
    "fact": (TypeAdapter(FactEnvelope).validate_json, TypeAdapter(FactEnvelope).validate_python(dict(now.FACT))),
    "match": (unpack_match_batch, MatchBatch(0, 0, 0, {}, {"": (now.MATCH,)})),
    "match-batch": (unpack_match_batch, now.match_batch()),
    "tick": (unpack_match_batch, MatchBatch(3, 12, now.AT_US)),
    "progress": (unpack_progress, now.progress()),
}


def _name(file: Path) -> str:
    return f"{file.parent.name}/{file.stem}"


@pytest.mark.parametrize("file", FILES, ids=_name)
def test_what_a_version_wrote_is_read(file: Path) -> None:
    unpack, expected = EXPECTED[file.stem]
    assert unpack(file.read_bytes()) == expected


def test_every_release_left_what_it_wrote() -> None:
    assert f"v{__version__}" in VERSIONS, "copy written/next to the name of the release"
    assert {"v0.1.0", "v0.2.0", "next"} <= set(VERSIONS)
    for version in VERSIONS:
        kept = {file.stem for file in (HERE / "written" / version).iterdir()}
        assert kept >= {"chunk-lines", "chunk-line-feeds", "chunk-empty", "alert", "fact", "dead-letter"}
        assert kept & {"match", "match-batch"}


@pytest.mark.parametrize("name", [name for name in EXPECTED if name != "match" and "chunk" not in name])
def test_what_is_written_now_is_what_is_kept_as_such(name: str) -> None:
    kept = (HERE / "written" / "next" / f"{name}.bin").read_bytes()
    assert now.written()[name] == kept, "a value is written otherwise: python tests/topics/write_values.py .../next"


def test_nothing_that_is_written_now_lacks_a_reader() -> None:
    assert set(now.written()) == set(EXPECTED) - {"match"}


CONTRACTS = sorted((HERE / "contracts").glob("*.yaml"))


@pytest.mark.parametrize("file", CONTRACTS, ids=lambda file: file.stem)
def test_programs_written_for_an_earlier_contract_still_read_what_is_written_now(file: Path) -> None:
    assert lost(yaml.safe_load(file.read_text("utf-8")), _contract()) == []


@pytest.mark.parametrize("file", CONTRACTS, ids=lambda file: file.stem)
def test_nothing_is_asked_of_values_that_was_not_asked_of_their_earlier_writers(file: Path) -> None:
    assert demanded(yaml.safe_load(file.read_text("utf-8")), _contract()) == []


def test_the_contract_of_every_release_is_kept() -> None:
    assert f"v{__version__}" in {file.stem for file in CONTRACTS}, "copy topics/asyncapi.yaml of the release"


def _contract() -> dict[str, Any]:
    return asyncapi(load_streams(TOPICS).values())


def _changed(change: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    document = copy.deepcopy(_contract())
    change(document)
    return document


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda d: d["channels"].pop("facts"), "stream facts is gone"),
        (lambda d: d["channels"]["alerts"].update(messages={}), "stream alerts carries something else"),
        (lambda d: d["components"]["schemas"].pop("DeadLetter"), "DeadLetter is gone"),
        (lambda d: _alert(d)["properties"].pop("count"), "Alert.count is gone"),
        (lambda d: _alert(d)["required"].remove("count"), "Alert.count may be absent now"),
        (lambda d: _alert(d)["properties"]["count"].update(type="string"), "Alert.count: type was integer, is string"),
        (
            lambda d: _alert(d)["properties"]["sources"]["items"].update(type="integer"),
            "Alert.sources[]: type was string, is integer",
        ),
    ],
)
def test_a_change_that_would_break_readers_is_noticed(change: Callable[[dict[str, Any]], Any], told: str) -> None:
    assert lost(_contract(), _changed(change)) == [told]


def test_a_new_field_breaks_nobody_unless_it_is_demanded() -> None:
    added = _changed(lambda d: _alert(d)["properties"].update(colour={"type": "string"}))
    assert lost(_contract(), added) == demanded(_contract(), added) == []
    _alert(added)["required"].append("colour")
    assert demanded(_contract(), added) == ["Alert.colour is required now"]


def _alert(document: dict[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = document["components"]["schemas"]["Alert"]
    return schema


# ------------------------------------------------------------------ what breaks a reader


def lost(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What of an earlier contract a later one does not keep: for readers of old, of what is written now.

    A stream that only parts of this program read may carry another value, if they read the earlier one too.
    """
    ours = {"matches"}
    told = []
    for name, channel in before["channels"].items():
        if name not in after["channels"]:
            told.append(f"stream {name} is gone")
        elif channel["messages"] != after["channels"][name]["messages"] and name not in ours:
            told.append(f"stream {name} carries something else")
    schemas = after["components"]["schemas"]
    for name, schema in before["components"]["schemas"].items():
        if name not in schemas:
            told.append(f"{name} is gone")
        else:
            told += _narrowed(schema, schemas[name], name)
    return told


def _narrowed(before: dict[str, Any], after: dict[str, Any], place: str) -> list[str]:
    told = []
    for key in ("type", "$ref", "const", "format", "anyOf"):
        if before.get(key) != after.get(key):
            told.append(f"{place}: {key} was {before.get(key)}, is {after.get(key)}")
    if set(after.get("enum", ())) - set(before.get("enum", ())):
        told.append(f"{place}: new words that a reader does not know")
    told += [f"{place}.{field} may be absent now" for field in set(before.get("required", ())) - _required(after)]
    for field, inner in before.get("properties", {}).items():
        if field not in after.get("properties", {}):
            told.append(f"{place}.{field} is gone")
        else:
            told += _narrowed(inner, after["properties"][field], f"{place}.{field}")
    for key in ("items", "additionalProperties"):
        if isinstance(before.get(key), dict) and isinstance(after.get(key), dict):
            told += _narrowed(before[key], after[key], f"{place}[]")
    return told


def _required(schema: dict[str, Any]) -> set[str]:
    return set(schema.get("required", ()))


def demanded(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What a reader of now asks for that a writer of old did not write: fields that were made required since."""
    schemas = before["components"]["schemas"]
    return [
        f"{name}.{field} is required now"
        for name, schema in after["components"]["schemas"].items()
        if name in schemas
        for field in sorted(_required(schema) - _required(schemas[name]))
    ]
