"""What a source definition file says, as types; see `docs/reference/sources.md`."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from breachwatch.sources.formats.times import reader
from breachwatch.sources.parsers import PARSERS
from breachwatch.sources.services.normalisers import NORMALISERS
from breachwatch.sources.source import Path

WITH_PARSER = ("lines", "syslog-lines")
"""Formats whose records a parser of `parsers.PARSERS` reads; it also tells their times."""
HEADED = ("syslog-lines", "cef", "leef", "key-value", "rfc5424")
"""Formats whose records are read with the header of the syslog message that brings them."""
ANY_FIELDS = ("json", "csv", "cef", "leef", "logfmt", "key-value", "rfc5424")
"""Formats whose records are fields with names of any kind; the definition says where their time is."""


def known_zone(name: str) -> str:
    """The name of a time zone that exists.

    Raises:
        ValueError: there is none of this name.
    """
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"no time zone is called {name!r}; use an IANA name such as Europe/Paris") from error
    return name


def _known_form(form: str) -> str:
    reader(form, ZoneInfo("UTC"))
    return form


def _positive(span: timedelta) -> timedelta:
    if not timedelta(0) <= span <= timedelta(days=7):
        raise ValueError("must lie between PT0S and P7D")
    return span


def _listed(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=64)]
Dotted = Annotated[str, Field(pattern=r"^[^.\s]+(\.[^.\s]+)*$", max_length=200)]
Native = Annotated[str, Field(pattern=r"^[^.]+(\.[^.]+)*$", max_length=200)]
"""A dotted native path; unlike OCSF's, its names may hold blanks."""
Word = str | int | bool
LogSource = dict[Literal["product", "service", "category"], str]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TimeRule(_Strict):
    """Where a record tells its time, and how; `timezone` is for times without an offset.

    `fields`: several places instead of one `field`; the first whose value can be read is the time. `required`: without
    any time a record is dead; else its time is that of its arrival. A time that cannot be read is dead in any case.
    """

    field: Native = "time"
    fields: tuple[Native, ...] = ()
    formats: tuple[Annotated[str, AfterValidator(_known_form)], ...] = Field(default=("rfc3339",), min_length=1)
    timezone: Annotated[str, AfterValidator(known_zone)] | None = None
    required: bool = True

    def paths(self) -> tuple[Path, ...]:
        """Where the time may be, in order."""
        return tuple(tuple(dotted.split(".")) for dotted in self.fields or (self.field,))


class Derivation(_Strict):
    """An attribute that takes more than a name: the first of several fields that has a value, perhaps translated.

    `values` translates by the value's text, whatever its case. `otherwise` is what a value is that `values` does not
    list (by default it stays as it is), `absent` what the attribute is when no field has a value.
    """

    first_of: tuple[Native, ...] = Field(min_length=1)
    values: dict[str, Word] = {}
    otherwise: Word | None = None
    absent: Word | None = None


class AnswerRule(_Strict):
    """A Sigma logsource that the source answers to with those of its events where each field has one of the values."""

    logsource: LogSource = Field(min_length=1)
    when: dict[Native, Annotated[tuple[str | int, ...], BeforeValidator(_listed), Field(min_length=1)]] = {}


class PairsRule(_Strict):
    """A list of named values (`[{Name: To, Value: x}]`) as one object (`{To: x}`), under a path of its own.

    `value`: one name, or several of which the first that is there counts. A name that comes twice holds a list.
    """

    key: str
    value: Annotated[tuple[str, ...], BeforeValidator(_listed), Field(min_length=1)]
    into: Native


class Unwrapping(_Strict):
    """What lies around the event in the record that carries it.

    `envelope`: where an object holds the list of its records, as CloudTrail's `Records`. `column`: field whose value is
    the event as JSON text, as the `AuditData` of a CSV export; what stands beside it is left out. `within`: field that
    is an object and is the event, as the `event` of a shipper; what stands beside it is left out. `texts`: fields whose
    value is JSON text and is read in place. A record without the envelope, column or object is the event itself.
    """

    envelope: Native | None = None
    column: Native | None = None
    within: Native | None = None
    texts: tuple[Native, ...] = ()


class Definition(_Strict):
    """One source. `fields`: every native name a rule may use (`details.*` opens a branch); absent: any name."""

    name: Name
    title: str
    description: str = ""
    extends: Name | None = None
    format: Literal["json", "csv", "cef", "leef", "logfmt", "key-value", "rfc5424", "lines", "syslog-lines", "combined"]
    parser: str | None = None
    columns: tuple[str, ...] = ()
    delimiter: str = Field(default=",", pattern=r'^[^"\r\n]$')
    unwrap: Unwrapping = Unwrapping()
    flatten: dict[Native, PairsRule] = {}
    normalise: str | None = None
    logsource: LogSource
    answers: tuple[AnswerRule, ...] = ()
    any_logsource: bool = False
    time: TimeRule = TimeRule()
    required: tuple[Native, ...] = ()
    attributes: dict[Dotted, Native | Derivation] = {}
    aliases: dict[str, Native] = {}
    constants: dict[Dotted, Any] = {}
    fields: tuple[str, ...] | None = None
    allowed_lateness: Annotated[timedelta, AfterValidator(_positive)] = timedelta(minutes=5)

    def mistakes(self) -> Iterator[tuple[tuple[str | int, ...], str, str, tuple[str, ...]]]:
        """What the types cannot tell: key path, message, a mistaken word if there is one, and the words it may be."""
        yield from self._format_mistakes()
        if not (self.logsource or self.answers or self.any_logsource):
            yield ("logsource",), "must name a product, service or category where no answers are given", "", ()
        if {"field", "fields"} <= self.time.model_fields_set:
            yield ("time", "fields"), "time has either a field or fields, not both", "", ()
        known = tuple(self.fields or ())
        for at, native in self._mentioned():
            if not self.knows(native):
                yield at, f'field "{native}" is not among the fields of this source', native, known

    def _format_mistakes(self) -> Iterator[tuple[tuple[str | int, ...], str, str, tuple[str, ...]]]:
        if self.format in WITH_PARSER and self.parser is None:
            yield ("format",), f"{self.format} needs a parser", "", tuple(PARSERS)
        if self.parser is not None and self.format not in WITH_PARSER:
            yield ("parser",), f"only {' and '.join(WITH_PARSER)} take a parser", "", ()
        elif self.parser is not None and self.parser not in PARSERS:
            yield ("parser",), f'there is no parser "{self.parser}"', self.parser, tuple(PARSERS)
        if self.normalise is not None and self.normalise not in NORMALISERS:
            yield ("normalise",), f'there is no normaliser "{self.normalise}"', self.normalise, tuple(NORMALISERS)
        for key in ("columns", "delimiter"):
            if key in self.model_fields_set and self.format != "csv":
                yield (key,), f'"{key}" is for format: csv only', "", ()
        if self.format == "csv" and not self.columns:
            yield ("format",), "csv needs columns", "", ()
        for key in ("required", "unwrap", "flatten", "normalise"):
            if key in self.model_fields_set and self.format not in ANY_FIELDS:
                yield (key,), f'"{key}" is for formats with named fields only', "", ANY_FIELDS
        if self.format not in ANY_FIELDS and self.time.model_fields_set - {"timezone"}:
            yield ("time",), f"format: {self.format} knows where its time is; only time.timezone may be told", "", ()

    def mentioned(self) -> Iterator[str]:
        """Every native name that the definition speaks of, but where the time is: everybody has one."""
        yield from (native for _, native in self._mentioned())
        yield from self.required
        yield from (rule.into for rule in self.flatten.values())

    def _mentioned(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        for dotted, spec in self.attributes.items():
            for native in spec.first_of if isinstance(spec, Derivation) else (spec,):
                yield ("attributes", dotted), native
        for alias, native in self.aliases.items():
            yield ("aliases", alias), native
        for number, answer in enumerate(self.answers):
            for native in answer.when:
                yield ("answers", number, "when", native), native

    def knows(self, native: str) -> bool:
        """Whether a native name is one of this source's fields."""
        if self.fields is None or native in self.fields:
            return True
        return any(native.startswith(branch[:-1]) for branch in self.fields if branch.endswith(".*"))

    def paths(self) -> dict[str, Path]:
        """OCSF path to native path; what is worked out at reading lies under the literal name `ocsf.<path>`."""
        return {
            dotted: (derived_name(dotted),) if isinstance(spec, Derivation) else tuple(spec.split("."))
            for dotted, spec in self.attributes.items()
        }


def derived_name(dotted: str) -> str:
    """Under which native name the value of a derived attribute is kept."""
    return f"ocsf.{dotted}"
