"""The sources: those of the package, and those that people define in files of their own."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import tzinfo
from pathlib import Path
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from breachwatch.kernel.errors import ContentError, Problem
from breachwatch.kernel.shapes import did_you_mean, problems_of
from breachwatch.kernel.yaml import Node, read
from breachwatch.sources.definition import HEADED, WITH_PARSER, Definition, Derivation, derived_name, known_zone
from breachwatch.sources.event import Parse
from breachwatch.sources.formats import cef, combined, csv_lines, leef, logfmt, rfc5424
from breachwatch.sources.formats.carriers import Decode, carrier_parser
from breachwatch.sources.formats.event_reader import Derived, event_reader, with_derived
from breachwatch.sources.formats.json_glance import Glanced, json_glance
from breachwatch.sources.formats.json_lines import Prepare, json_parser
from breachwatch.sources.formats.json_survey import INSTANTS, Surveyor
from breachwatch.sources.formats.times import reader
from breachwatch.sources.formats.unwrapping import Pairs, preparation
from breachwatch.sources.parsers import PARSERS
from breachwatch.sources.services.normalisers import GLANCED_BY, MADE_BY, NORMALISERS, PIECED
from breachwatch.sources.source import Answers, Framing, MakeSurvey, Raw, Source
from breachwatch.sources.source import Path as SourcePath

_DECODERS: dict[str, Callable[[tzinfo], Decode]] = {
    "cef": cef.decoder,
    "leef": leef.decoder,
    "logfmt": logfmt.decoder,
    "key-value": logfmt.loose_decoder,
    "rfc5424": rfc5424.decoder,
}
_MERGED = ("aliases", "attributes", "constants", "flatten", "time", "unwrap")
_EITHER = (
    ("time", "field", "fields"),
    ("time", "fields", "field"),
    ("time", "field", "required"),
    ("time", "fields", "required"),
)
"""(key, what one's own definition tells there, what of its base's then no longer counts)."""
_Loaded = dict[str, tuple[dict[str, Any], Definition]]


def load_sources(
    extra: Sequence[Path] = (), *, timezone: str = "UTC", zoned: Collection[tuple[str, str]] = ()
) -> dict[str, Source]:
    """Every source by name.

    Args:
        extra: definition files of the operator; one may extend another.
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
    loaded = _load([*package, *extra])
    sources = {name: make_source(definition, timezone) for name, (_, definition) in loaded.items()}
    for name, zone in zoned:
        if name in loaded:
            definition = loaded[name][1]
            told = definition.time.model_copy(update={"timezone": zone})
            source = make_source(definition.model_copy(update={"time": told}), zone)
            sources[zoned_name(name, zone)] = replace(source, name=zoned_name(name, zone))
    return sources


def _load(paths: Sequence[Path]) -> _Loaded:
    """Every definition, whatever the order of the files that extend one another."""
    loaded: _Loaded = {}
    problems: list[Problem] = []
    waiting: list[Node] = []
    for path in paths:
        try:
            waiting.append(_read(path))
        except ContentError as error:
            problems.extend(error.problems)
    while waiting:
        ahead = {node.data.get("name") for node in waiting if isinstance(node.data, dict)} - set(loaded)
        ready = [node for node in waiting if _base_of(node) not in ahead] or waiting
        for node in ready:
            try:
                raw, definition = _define(node, loaded)
            except ContentError as error:
                problems.extend(error.problems)
            else:
                loaded[definition.name] = raw, definition
        waiting = [node for node in waiting if node not in ready]
    if problems:
        order = [str(path) for path in paths]
        raise ContentError(sorted(problems, key=lambda problem: order.index(problem.path)))
    return loaded


def _base_of(node: Node) -> object:
    return node.data.get("extends") if isinstance(node.data, dict) else None


def zoned_name(source: str, zone: str) -> str:
    """What a source is called whose local times are of a zone of their own, such as `linux-sshd@Europe/Berlin`."""
    return f"{source}@{zone}" if zone else source


def make_source(definition: Definition, timezone: str = "UTC") -> Source:
    """The source of a checked definition; times without a zone are taken in `timezone`."""
    reading = _reading(definition, ZoneInfo(definition.time.timezone or timezone))
    return Source(
        name=definition.name,
        title=definition.title,
        description=definition.description.strip(),
        logsource=_logsource(definition.logsource),
        attributes=definition.paths(),
        constants=dict(definition.constants),
        allowed_lateness=definition.allowed_lateness,
        parse=reading.parse,
        fields=None if definition.fields is None else frozenset(definition.fields),
        answers=tuple(Answers(_logsource(answer.logsource), dict(answer.when)) for answer in definition.answers),
        any_logsource=definition.any_logsource,
        aliases={alias: _path(native) for alias, native in definition.aliases.items()},
        raw=reading.raw,
        glance=reading.glance,
        survey=reading.survey,
        framing=_framing(definition),
        syslog_header=definition.format in HEADED,
        format=definition.format,
        base=definition.extends or "",
        vocabulary=frozenset(_path(native) for native in definition.mentioned()),
    )


class _Reading(NamedTuple):
    parse: Parse
    glance: Parse | None = None
    raw: Raw | None = None
    survey: MakeSurvey | None = None


def _reading(definition: Definition, zone: ZoneInfo) -> _Reading:
    derived = _derived(definition)
    if definition.format in WITH_PARSER and definition.parser is not None:
        text = PARSERS[definition.parser]
        raw = text.raw and replace(text.raw, derived=text.raw.derived | {each.key for each in derived})
        return _Reading(with_derived(text.make(zone), derived), text.glance and text.glance(zone), raw)
    if definition.format == "combined":
        return _Reading(with_derived(combined.parser(zone), derived))
    prepare = _preparation(definition)
    event_of = event_reader(
        definition.time.paths(),
        [reader(form, zone) for form in definition.time.formats],
        [_path(field) for field in definition.required],
        derived,
        time_required=definition.time.required,
    )
    if definition.format == "json":
        parse = json_parser(event_of, prepare)
        glance, raw = _json_glance(definition, zone, parse), _json_raw(definition, derived)
        return _Reading(parse, glance, raw, None if glance is None or raw is None else _json_survey(definition))
    return _Reading(carrier_parser(_decoder(definition, zone), event_of, prepare))


def _decoder(definition: Definition, zone: ZoneInfo) -> Decode:
    if definition.format == "csv":
        return csv_lines.decoder(definition.columns, definition.delimiter)
    return _DECODERS[definition.format](zone)


def _derived(definition: Definition) -> list[Derived]:
    return [
        Derived(
            derived_name(dotted),
            tuple(_path(native) for native in spec.first_of),
            {word.lower(): meaning for word, meaning in spec.values.items()},
            spec.otherwise,
            spec.absent,
        )
        for dotted, spec in definition.attributes.items()
        if isinstance(spec, Derivation)
    ]


def _preparation(definition: Definition) -> Prepare | None:
    unwrap = definition.unwrap
    return preparation(
        envelope=_path(unwrap.envelope),
        column=_path(unwrap.column),
        within=_path(unwrap.within),
        texts=[_path(text) for text in unwrap.texts],
        pairs=[
            Pairs(_path(native), rule.key, rule.value, _path(rule.into)) for native, rule in definition.flatten.items()
        ],
        normalise=None if definition.normalise is None else NORMALISERS[definition.normalise],
    )


def _json_glance(definition: Definition, zone: ZoneInfo, parse: Parse) -> Parse | None:
    normalise = definition.normalise
    if definition.unwrap.texts or definition.flatten or not (normalise is None or normalise in GLANCED_BY):
        return None
    required = [_path(native) for native in definition.required]
    paths = definition.time.paths()
    formats = [reader(form, zone) for form in definition.time.formats]
    return json_glance(
        parse,
        event_reader(paths, formats, required, [], time_required=definition.time.required),
        [*paths, *required],
        _glanced(definition),
        None if normalise is None else NORMALISERS[normalise],
    )


def _glanced(definition: Definition) -> Glanced:
    glanced, unwrap = Glanced() if definition.normalise is None else GLANCED_BY[definition.normalise], definition.unwrap
    around = [_path(around)[0] for around in (unwrap.envelope, unwrap.column, unwrap.within) if around]
    return replace(glanced, elsewhere={**glanced.elsewhere, **dict.fromkeys(around, "")})


def _json_survey(definition: Definition) -> MakeSurvey | None:
    if definition.time.formats[0] not in INSTANTS:
        return None
    required = [_path(native) for native in definition.required]
    return Surveyor(definition.time.paths(), required, _glanced(definition))


def _json_raw(definition: Definition, derived: Sequence[Derived]) -> Raw | None:
    # JSON text within JSON is escaped twice, and not every normaliser tells what it makes.
    unwrap = definition.unwrap
    made = frozenset[str]() if definition.normalise is None else MADE_BY.get(definition.normalise)
    if unwrap.column or unwrap.texts or made is None:
        return None
    # What is only the first of several fields stands in the record as it is; what is translated need not.
    worked_out = {each.key for each in derived if each.values or each.otherwise is not None or each.absent is not None}
    # Where such a field is taken from one that is made, it is made as well.
    worked_out |= {each.key for each in derived if any(".".join(path) in made for path in each.paths)}
    return Raw("json", derived=made | worked_out, pieced=made & PIECED)


def _framing(definition: Definition) -> Framing:
    unwrap = definition.unwrap
    kinds: dict[str, Literal["json", "csv"]] = {"json": "json", "csv": "csv"}
    return Framing(kinds.get(definition.format, "lines"), _path(unwrap.envelope), unwrap.column or "")


def _logsource(told: Mapping[Any, str]) -> dict[str, str]:
    return {str(key): value for key, value in told.items()}


def _path(dotted: str | None) -> SourcePath:
    return tuple(dotted.split(".")) if dotted else ()


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
        node.problem(at, message, did_you_mean(word, known) if word or known else "")
        for at, message, word, known in definition.mistakes()
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
    for key, told, other in _EITHER:
        if isinstance(own.get(key), dict) and told in own[key] and other not in own[key]:
            merged[key].pop(other, None)
    if "logsource" in own:
        merged["any_logsource"] = own.get("any_logsource", False)
    if isinstance(base.get("fields"), list) and isinstance(own.get("fields"), list):
        merged["fields"] = [*base["fields"], *own["fields"]]
    return merged
