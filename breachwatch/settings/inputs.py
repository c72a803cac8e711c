"""`[[inputs]]`: the ways in that records are collected by."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from breachwatch.settings.kafka import KafkaAccess
from breachwatch.settings.shapes import LOOPBACK, Port, Section, Zone
from breachwatch.sources.registry import zoned_name


class _Read(Section):
    """What is read in lines. `timezone`: the zone of local times in them, if it is not the organisation's."""

    source: str
    timezone: Zone | None = None

    @property
    def reads(self) -> str:
        """The name under which this source is loaded, its zone included."""
        return zoned_name(self.source, self.timezone or "")

    @property
    def every_source(self) -> tuple[str, ...]:
        """The sources it may bring records of, without their zone."""
        return (self.source,)


class FileInput(_Read):
    """Follow a growing file (or every file of a glob) through rotation, truncation and restarts.

    `start`: where files begin that are there when this input runs for the very first time.
    """

    type: Literal["file"]
    path: str
    start: Literal["beginning", "end"] = "beginning"


class SyslogInput(_Read):
    """Listen for syslog, RFC 5424 and RFC 3164; loopback unless `host` says otherwise."""

    type: Literal["syslog"]
    protocol: Literal["tcp", "udp"] = "tcp"
    host: str = "127.0.0.1"
    port: Port = 6514


class StdinInput(_Read):
    """Read standard input to its end."""

    type: Literal["stdin"]


class OtlpInput(_Read):
    """Take OTLP logs over HTTP. The token is made at first start and kept in this file (default: otlp.token in state).

    `sources`: what the first of the attributes `route_by` says, to the source its records are of; all others are of
    `source`.
    """

    type: Literal["otlp"]
    host: str = "127.0.0.1"
    port: Port = 4318
    token_file: Path | None = None
    route_by: tuple[str, ...] = Field(default=("service.name",), min_length=1)
    sources: dict[str, str] = Field(default={})
    certificate_file: Path | None = None
    key_file: Path | None = None

    @property
    def every_source(self) -> tuple[str, ...]:
        """The sources it may bring records of, without their zone."""
        return tuple(dict.fromkeys((self.source, *self.sources.values())))

    @model_validator(mode="after")
    def _no_clear_text_beyond_this_machine(self) -> "OtlpInput":
        if self.host not in LOOPBACK and not (self.certificate_file and self.key_file):
            raise ValueError(
                "beyond loopback OTLP needs certificate_file and key_file; "
                "or keep host = 127.0.0.1 behind a proxy that speaks TLS"
            )
        return self


class KafkaInput(_Read, KafkaAccess):
    """Read somebody else's topic, one event a record, on the brokers of `[kafka]` or on others that are named here.

    `group`: who shares it, `PREFIX-pack-TOPIC-SOURCE` unless named. `start`: where partitions begin that nobody read.
    """

    type: Literal["kafka"]
    topic: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,249}$")]
    group: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{0,249}$")] = ""
    start: Literal["beginning", "end"] = "beginning"

    @property
    def cluster(self) -> str:
        """What tells the brokers named here from those of `[kafka]`; empty for the latter."""
        return ",".join(sorted(self.brokers))

    @model_validator(mode="after")
    def _how_to_sign_in_goes_with_where(self) -> "KafkaInput":
        strange = sorted(self.model_fields_set & KafkaAccess.model_fields.keys() - {"brokers"})
        if strange and not self.brokers:
            raise ValueError(f"{', '.join(strange)}: only with brokers named here; others are reached as [kafka] says")
        return self


Input = Annotated[FileInput | SyslogInput | StdinInput | OtlpInput | KafkaInput, Field(discriminator="type")]
