"""A source as the detection plane knows it: how to read its records, and what its fields mean in OCSF."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from breachwatch.sources.event import Event, Parse

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answers:
    """A Sigma logsource that a source answers to with some of its events.

    `when`: native field (dotted) to the values of which it must have one; every field must. Empty: all of its events.
    """

    logsource: Mapping[str, str]
    when: Mapping[str, tuple[str | int, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Raw:
    """How the values of an event stand in the record it was read from, for whoever looks before reading.

    `escapes`: `json` where texts stand as JSON writes them, `none` where they stand as they are. `verbatim`: dotted
    native paths whose text stands in the record; None means all but `derived`, which are worked out at reading.
    `pieced`: those of `derived` of which at least every run of ASCII letters stands in the record, such as a domain and
    a name put together; in JSON also of letters and signs, apart from quotes, brackets of JSON, and `,.:/+-_`.
    """

    escapes: Literal["json", "none"]
    verbatim: frozenset[str] | None = None
    derived: frozenset[str] = frozenset()
    pieced: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Survey:
    """A look at many raw records at once, at a few of their fields.

    `look`: `(records, received_at in microseconds)` to what each told; None where only `parse` can say. What told
    anything is an event. `kind` and `fields`: of what one record told, the values that its kind depends on, and native
    fields to be asked about; absent ones are None. `told`: the native paths among those fields.
    """

    told: frozenset[Path]
    look: Callable[[Sequence[bytes], int], list[Any]]
    kind: Callable[[Any], tuple[Any, ...]]
    fields: Callable[[Any], dict[str, Any]]


MakeSurvey = Callable[[Sequence[Path | None], Collection[Path]], Survey | None]
"""`(native paths of the kind, native paths wanted besides) -> Survey`; None where kinds cannot be told so."""


@dataclass(frozen=True, slots=True)
class Framing:
    """How the records of a source lie in a whole file, where a line is not a record.

    `kind`: `lines`; `json` where values may also stand in an array, over several lines or one after another; `csv`
    where a record ends with a line feed outside quotes. `envelope`: where a file's only object holds the list of its
    records. `column`: the column of a CSV file with a header, or field of an object, whose JSON text is the record.
    """

    kind: Literal["lines", "json", "csv"] = "lines"
    envelope: Path = ()
    column: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """One source, made from its definition by `registry.load_sources`.

    `logsource`: the Sigma product, service and category it answers to. `attributes`: OCSF path to native path.
    `constants`: OCSF attributes that are true of each of its events, by dotted path. `allowed_lateness`: how much
    older than the newest an event may be and still count. `parse` never raises. `fields`: dotted names of every
    native field, or None when the list is open, so that any name may occur. `answers`: logsources of some of its
    events, beyond its own. `any_logsource`: rules of any logsource may be asked of it, where somebody asks it by name.
    `aliases`: further names of native paths. `raw`: None when nothing is known of the raw record. `glance`: as `parse`,
    the same verdict and time but perhaps no fields, and cheaper. `survey`: for
    many records at once. `framing`: how its records lie in whole files.
    `syslog_header`: its records are read with the header of the syslog message that brings them. `format`: as its
    definition says. `base`: the source it extends. `vocabulary`: the native paths that its definition speaks of.
    """

    name: str
    title: str
    description: str
    logsource: Mapping[str, str]
    attributes: Mapping[str, Path]
    constants: Mapping[str, Any]
    allowed_lateness: timedelta
    parse: Parse
    fields: frozenset[str] | None = None
    answers: tuple[Answers, ...] = ()
    any_logsource: bool = False
    aliases: Mapping[str, Path] = field(default_factory=dict)
    raw: Raw | None = None
    glance: Parse | None = None
    survey: MakeSurvey | None = None
    framing: Framing = Framing()
    syslog_header: bool = False
    format: str = ""
    base: str = ""
    vocabulary: frozenset[Path] = frozenset()

    def native(self, field: str) -> Path | None:
        """Where a field that a rule names is found in native events.

        Args:
            field: an OCSF path of `attributes`, an alias, or a native name, dotted where nested.

        Returns:
            The native path for `pick`; None when this source cannot have such a field.
        """
        if field in self.attributes:
            return self.attributes[field]
        if field in self.aliases:
            return self.aliases[field]
        if self.fields is None:
            return tuple(field.split("."))
        path = tuple(field.split("."))
        if field in self.fields or any(".".join(path[:n]) + ".*" in self.fields for n in range(1, len(path))):
            return path
        return None

    def known_fields(self) -> list[str]:
        """Every field name a rule may use here, for hints; only those of `attributes` when the list is open."""
        return sorted({*self.attributes, *self.aliases, *(self.fields or ())})

    def to_ocsf(self, event: Event) -> dict[str, Any]:
        """The event in OCSF: nested, `time` in milliseconds since the epoch, constants, and the mapped attributes."""
        ocsf: dict[str, Any] = {"time": event.at_us // 1000}
        for dotted, constant in self.constants.items():
            _put(ocsf, dotted, constant)
        for dotted, path in self.attributes.items():
            value = pick(event.fields, path)
            if value is not None:
                _put(ocsf, dotted, value)
        return ocsf


def pick(fields: Mapping[str, Any], path: Sequence[str]) -> Any:
    """Look a value up in a nested event; None when it is absent.

    A key that literally contains the dots wins over nesting. A list of objects on the way gives one list of all that
    its members hold, whether each holds a value or a list of them.
    """
    if len(path) == 1:
        return fields.get(path[0])
    literal = fields.get(".".join(path))
    if literal is not None:
        return literal
    value: Any = fields
    for index, key in enumerate(path):
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list):
            found = [pick(member, path[index:]) for member in value if isinstance(member, dict)]
            lists = (each if isinstance(each, list) else [each] for each in found if each is not None)
            return [each for some in lists for each in some] or None
        else:
            return None
    return value


def accessor(path: Path) -> Callable[[dict[str, Any]], Any]:
    """`pick` for one path, made ready for being called on every event."""
    if len(path) == 1:
        (only,) = path
        return lambda fields: fields.get(only)
    if len(path) > 2:
        return lambda fields: pick(fields, path)
    first, second = path
    literal = f"{first}.{second}"

    def look(fields: dict[str, Any]) -> Any:
        inner = fields.get(first)
        if type(inner) is dict and literal not in fields:
            return inner.get(second)
        # Absent is as usual as present, and 0.5 us quicker told here than by `pick`.
        return fields.get(literal) if inner is None else pick(fields, path)

    return look


def _put(ocsf: dict[str, Any], dotted: str, value: Any) -> None:
    *parents, leaf = dotted.split(".")
    place = ocsf
    for parent in parents:
        inner = place.setdefault(parent, {})
        if not isinstance(inner, dict):
            return
        place = inner
    place[leaf] = value
