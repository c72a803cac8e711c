"""What a source definition file says, as types; see `docs/reference/sources.md`."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from breachwatch.sources.source import Path
from breachwatch.sources.times import reader


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


Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=64)]
Dotted = Annotated[str, Field(pattern=r"^[^.\s]+(\.[^.\s]+)*$", max_length=200)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TimeRule(_Strict):
    """Where a JSON record tells its time, and how; `timezone` is for times without an offset."""

    field: Dotted = "time"
    formats: tuple[Annotated[str, AfterValidator(_known_form)], ...] = Field(default=("rfc3339",), min_length=1)
    timezone: Annotated[str, AfterValidator(known_zone)] | None = None


class Derivation(_Strict):
    """An attribute that takes more than a name: the first of several fields, or translated values."""

    first_of: tuple[Dotted, ...] = Field(min_length=1)
    values: dict[str, str | int | bool] = {}


class Definition(_Strict):
    """One source. `fields`: every native name a rule may use (`details.*` opens a branch); absent: any name."""

    name: Name
    title: str
    description: str = ""
    extends: Name | None = None
    format: Literal["syslog-lines", "combined", "json"]
    parser: Literal["sshd"] | None = None
    logsource: dict[Literal["product", "service", "category"], str] = Field(min_length=1)
    time: TimeRule = TimeRule()
    required: tuple[Dotted, ...] = ()
    attributes: dict[Dotted, Dotted | Derivation] = {}
    constants: dict[Dotted, Any] = {}
    fields: tuple[str, ...] | None = None
    allowed_lateness: Annotated[timedelta, AfterValidator(_positive)] = timedelta(minutes=5)

    def mistakes(self) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
        """What the types cannot tell: key path, message, and the word that hints may be near to."""
        if self.format == "syslog-lines" and self.parser is None:
            yield ("format",), "syslog-lines needs a parser", "sshd"
        if self.format != "syslog-lines" and self.parser is not None:
            yield ("parser",), "only syslog-lines takes a parser", ""
        if self.format != "json":
            for key in ("time", "required"):
                if key in self.model_fields_set:
                    yield (key,), f'"{key}" is for format: json only', ""
        for dotted, spec in self.attributes.items():
            if isinstance(spec, Derivation) and self.format != "json":
                yield ("attributes", dotted), "first_of and values are for format: json only", ""
            for native in spec.first_of if isinstance(spec, Derivation) else (spec,):
                if not self.knows(native):
                    yield ("attributes", dotted), f'field "{native}" is not among the fields of this source', native

    def knows(self, native: str) -> bool:
        """Whether a native name is one of this source's fields."""
        if self.fields is None or native in self.fields:
            return True
        return any(native.startswith(branch[:-1]) for branch in self.fields if branch.endswith(".*"))

    def paths(self) -> dict[str, Path]:
        """OCSF path to native path; what is worked out at reading lies under the literal name `ocsf.<path>`."""
        return {
            dotted: (f"ocsf.{dotted}",) if isinstance(spec, Derivation) else tuple(spec.split("."))
            for dotted, spec in self.attributes.items()
        }
