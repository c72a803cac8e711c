"""The sources: those of the package, and those that people define in files of their own."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from breachwatch.kernel.errors import ContentError, Problem
from breachwatch.kernel.shapes import did_you_mean, problems_of
from breachwatch.kernel.yaml import Node, read
from breachwatch.sources import combined, sshd
from breachwatch.sources.definition import Definition, Derivation, known_zone
from breachwatch.sources.event import Parse
from breachwatch.sources.json_lines import Derived, json_parser
from breachwatch.sources.source import Source
from breachwatch.sources.times import reader

_MERGED = ("attributes", "constants", "time")


def load_sources(
    extra: Sequence[Path] = (), *, timezone: str = "UTC", zoned: Collection[tuple[str, str]] = ()
) -> dict[str, Source]:
    """Every source by name.

    Args:
        extra: definition files of the operator; one may extend those before it.
        timezone: IANA name of the zone of times that tell none.
        zoned: (source, zone) of inputs whose local times are of a zone of their own; each makes one more source, called
            by `zoned_name`, that is the same in everything else. Unknown sources make none.

    Raises:
        ContentError: every problem of every file, with line, column and the nearest right word.
    """
    try:
        known_zone(timezone)
    except ValueError as error:
        raise ContentError([Problem("timezone", 0, 0, str(error))]) from error
    package = sorted((Path(__file__).parent / "definitions").glob("*.yml"))
    loaded: dict[str, tuple[dict[str, Any], Definition]] = {}
    problems: list[Problem] = []
    for path in (*package, *extra):
        try:
            raw, definition = _define(_read(path), loaded)
        except ContentError as error:
            problems.extend(error.problems)
        else:
            loaded[definition.name] = raw, definition
    if problems:
        raise ContentError(problems)
    sources = {name: make_source(definition, timezone) for name, (_, definition) in loaded.items()}
    for name, zone in zoned:
        if name in loaded:
            definition = loaded[name][1]
            told = definition.time.model_copy(update={"timezone": zone})
            source = make_source(definition.model_copy(update={"time": told}), zone)
            sources[zoned_name(name, zone)] = replace(source, name=zoned_name(name, zone))
    return sources


def zoned_name(source: str, zone: str) -> str:
    """What a source is called whose local times are of a zone of their own, such as `linux-sshd@Europe/Berlin`."""
    return f"{source}@{zone}" if zone else source


def make_source(definition: Definition, timezone: str = "UTC") -> Source:
    """The source of a checked definition; times without a zone are taken in `timezone`."""
    return Source(
        name=definition.name,
        title=definition.title,
        description=definition.description.strip(),
        logsource={str(key): value for key, value in definition.logsource.items()},
        attributes=definition.paths(),
        constants=dict(definition.constants),
        allowed_lateness=definition.allowed_lateness,
        parse=_parser(definition, ZoneInfo(definition.time.timezone or timezone)),
        fields=None if definition.fields is None else frozenset(definition.fields),
    )


def _parser(definition: Definition, zone: ZoneInfo) -> Parse:
    if definition.format == "combined":
        return combined.parser(zone)
    if definition.format == "syslog-lines":
        return sshd.parser(zone)
    return json_parser(
        time_path=tuple(definition.time.field.split(".")),
        readers=[reader(form, zone) for form in definition.time.formats],
        required=[tuple(field.split(".")) for field in definition.required],
        derived=[
            Derived(
                f"ocsf.{dotted}",
                tuple(tuple(native.split(".")) for native in spec.first_of),
                {word.lower(): meaning for word, meaning in spec.values.items()},
            )
            for dotted, spec in definition.attributes.items()
            if isinstance(spec, Derivation)
        ],
    )


def _read(path: Path) -> Node:
    try:
        return read(path.read_bytes(), str(path))
    except OSError as error:
        raise ContentError([Problem(str(path), 0, 0, f"cannot be read: {error.strerror}")]) from error


def _define(node: Node, loaded: Mapping[str, tuple[dict[str, Any], Definition]]) -> tuple[dict[str, Any], Definition]:
    if not isinstance(node.data, dict):
        raise ContentError([node.problem((), "a source definition must be a mapping of keys")])
    name = node.data.get("name")
    if isinstance(name, str) and name in loaded:
        taken = f'the name "{name}" is taken'
        raise ContentError([node.problem(("name",), taken, f"choose another, with extends: {name}")])
    merged = _with_base(node, loaded)
    try:
        definition = Definition.model_validate(merged)
    except ValidationError as error:
        raise ContentError(problems_of(error, node, Definition)) from error
    problems = [
        node.problem(at, message, did_you_mean(word, definition.fields or ["sshd"]) if word else "")
        for at, message, word in definition.mistakes()
    ]
    if problems:
        raise ContentError(problems)
    return merged, definition


def _with_base(node: Node, loaded: Mapping[str, tuple[dict[str, Any], Definition]]) -> dict[str, Any]:
    own: dict[str, Any] = node.data
    if "extends" not in own:
        return own
    if own["extends"] not in loaded:
        message = f'there is no source "{own["extends"]}" to extend'
        raise ContentError([node.problem(("extends",), message, did_you_mean(own["extends"], list(loaded)))])
    base = loaded[own["extends"]][0]
    merged = {**base, **own}
    for key in _MERGED:
        if isinstance(base.get(key), dict) and isinstance(own.get(key), dict):
            both = {**base[key], **own[key]}
            merged[key] = {inner: value for inner, value in both.items() if value is not None}
    if isinstance(base.get("fields"), list) and isinstance(own.get("fields"), list):
        merged["fields"] = [*base["fields"], *own["fields"]]
    return merged
