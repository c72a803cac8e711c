"""`[kafka]`: where the brokers are, and how one signs in there."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from breachwatch.settings.shapes import LOOPBACK, Section

Broker = Annotated[str, Field(pattern=r"^(\[[0-9A-Fa-f:.]+\]|[^:\s/]+):[0-9]{1,5}$")]


class KafkaAccess(Section):
    """Where brokers are and how one signs in there. TLS is verified, by the system's authorities or one's own.

    With a user name the brokers are asked to sign one in (SASL); with `certificate_file` and `key_file` a client's own
    certificate is shown.
    """

    brokers: tuple[Broker, ...] = ()
    security: Literal["tls", "none-loopback-only"] = "tls"
    certificate_authority_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] = "SCRAM-SHA-512"
    username: str = ""
    password_file: Path | None = None

    @model_validator(mode="after")
    def _no_clear_text_beyond_this_machine(self) -> "KafkaAccess":
        hosts = [broker.rpartition(":")[0] for broker in self.brokers]
        if self.security == "none-loopback-only" and any(host.strip("[]") not in LOOPBACK for host in hosts):
            raise ValueError('beyond loopback Kafka needs security = "tls"')
        if bool(self.certificate_file) != bool(self.key_file):
            raise ValueError("certificate_file and key_file go together")
        if bool(self.username) != bool(self.password_file):
            raise ValueError("username and password_file go together")
        return self


KAFKA_FILES = ("certificate_authority_file", "certificate_file", "key_file", "password_file")


class KafkaSection(KafkaAccess):
    """Apache Kafka, for `--engine kafka`.

    `prefix` begins the names of topics, groups and transactions. `partitions` and `replication` are for topics that are
    still to be made: stream to number instead of what `topics/` says, and copies of each.
    """

    prefix: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")] = "breachwatch"
    replication: Annotated[int, Field(ge=1, le=9)] = 1
    partitions: dict[str, Annotated[int, Field(ge=1, le=1_000)]] = Field(default={})
