"""The sections of the file, but for inputs and Kafka, which have a module each."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from breachwatch.kernel.organisation import Organisation
from breachwatch.settings.shapes import LOOPBACK, Port, Section, Zone


class OrganisationSection(Section):
    """The controller as it names itself in filings and notices (GDPR Art. 33(3)(b))."""

    name: str
    address: str = ""
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] = "FR"
    timezone: Zone = "Europe/Paris"
    website: str = ""
    dpo_name: str
    dpo_email: str
    dpo_phone: str = ""
    authority: str = "CNIL"
    authority_url: str = "https://www.cnil.fr/"
    default_language: Annotated[str, Field(pattern=r"^[a-z]{2}$")] = "en"

    def value(self) -> Organisation:
        """The plain value that the core knows."""
        return Organisation(**self.model_dump())


class LedgerSection(Section):
    """Where the case file lives. Empty: SQLite in the state folder. `url_file` keeps a password out of this file."""

    url: str = ""
    url_file: Path | None = None


class DeskSection(Section):
    """The web desk. `public_url` is what reminders link to; TLS when both files are given, else for loopback only."""

    host: str = "127.0.0.1"
    port: Port = 8420
    public_url: str = ""
    allowed_hosts: tuple[str, ...] = ("localhost", "127.0.0.1", "[::1]")
    certificate_file: Path | None = None
    key_file: Path | None = None

    @model_validator(mode="after")
    def _no_clear_text_beyond_this_machine(self) -> "DeskSection":
        if self.host not in LOOPBACK and not (self.certificate_file and self.key_file):
            raise ValueError(
                "the desk may leave loopback only with certificate_file and key_file; "
                "or keep host = 127.0.0.1 behind a proxy that speaks TLS"
            )
        return self

    def url(self, port: int | None = None) -> str:
        """How the team reaches the desk; `port` is the one it got, where any would do."""
        scheme = "https" if self.certificate_file else "http"
        return self.public_url.rstrip("/") or f"{scheme}://{self.host}:{port or self.port}"


class IngestSection(Section):
    """HTTP ingest. The token is made at first start and kept in this file (default: ingest.token in the state).

    `host`, `port` and the certificate are where `breachwatch collect` listens for it; the embedded engine takes it at
    the desk's own address.
    """

    token_file: Path | None = None
    host: str = "127.0.0.1"
    port: Port = 8421
    certificate_file: Path | None = None
    key_file: Path | None = None

    @model_validator(mode="after")
    def _no_clear_text_beyond_this_machine(self) -> "IngestSection":
        if self.host not in LOOPBACK and not (self.certificate_file and self.key_file):
            raise ValueError(
                "ingest may leave loopback only with certificate_file and key_file; "
                "or keep host = 127.0.0.1 behind a proxy that speaks TLS"
            )
        return self


class CollectSection(Section):
    """`breachwatch collect`. `spool_mib`: what may wait on this machine while Kafka is away; then senders wait."""

    spool_mib: Annotated[int, Field(ge=64, le=1 << 24)] = 4_096


class MailSection(Section):
    """The relay for notices and reminders. TLS is verified; `none-loopback-only` is for a relay on this machine."""

    host: str = "127.0.0.1"
    port: Port = 25
    security: Literal["starttls", "tls", "none-loopback-only"] = "starttls"
    username: str = ""
    password_file: Path | None = None
    certificate_authority_file: Path | None = None
    sender: str


class CsvDirectorySection(Section):
    """People from a CSV (with header) or NDJSON file. `identifiers`: kind to column."""

    type: Literal["csv", "ndjson"]
    path: Path
    identifiers: dict[str, str]
    name: str = "name"
    email: str = "email"
    language: str = "language"


class SqlDirectorySection(Section):
    """People from an SQL query, run read-only. `url_file` holds the SQLAlchemy URL, since it may hold a password."""

    type: Literal["sql"]
    url_file: Path
    query: str
    identifiers: dict[str, str]
    name: str = "name"
    email: str = "email"
    language: str = "language"


DirectorySection = Annotated[CsvDirectorySection | SqlDirectorySection, Field(discriminator="type")]


class EnrichmentSection(Section):
    """What the organisation knows of addresses and hosts, added to evidence. `geoip`: MaxMind DB files of one's own."""

    assets: Path | None = None
    networks: Path | None = None
    geoip: tuple[Path, ...] = ()


class TeamSection(Section):
    """Who is mailed when an incident is raised and when a clock rings."""

    notify: tuple[str, ...] = ()
