"""What an operator sets, read once from `breachwatch.toml`; everybody else receives values.

Environment variables override the file: `BREACHWATCH_DESK__PORT=8443` sets `[desk] port`. Secrets are never values
here, only paths of files that hold them.
"""

import re
import socket
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from breachwatch.kernel.errors import ContentError, Problem, RefusedError, UnavailableError
from breachwatch.kernel.organisation import Organisation
from breachwatch.kernel.shapes import problems_of
from breachwatch.kernel.yaml import KeyPath, Node
from breachwatch.sources.definition import known_zone
from breachwatch.sources.registry import zoned_name

EXAMPLE = Path(__file__).with_name("example.toml")
_TABLE_OR_KEY = re.compile(r"\s*(?:(?P<list>\[)?\[(?P<table>[^\[\]]+)\]|(?P<key>[\w.\"'-]+)\s*=)")
Zone = Annotated[str, AfterValidator(known_zone)]
Port = Annotated[int, Field(ge=0, le=65535)]
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class OrganisationSection(_Section):
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


class _Read(_Section):
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
    sources: dict[str, str] = {}
    certificate_file: Path | None = None
    key_file: Path | None = None

    @property
    def every_source(self) -> tuple[str, ...]:
        """The sources it may bring records of, without their zone."""
        return tuple(dict.fromkeys((self.source, *self.sources.values())))

    @model_validator(mode="after")
    def _no_clear_text_beyond_this_machine(self) -> "OtlpInput":
        if self.host not in _LOOPBACK and not (self.certificate_file and self.key_file):
            raise ValueError(
                "beyond loopback OTLP needs certificate_file and key_file; "
                "or keep host = 127.0.0.1 behind a proxy that speaks TLS"
            )
        return self


Input = Annotated[FileInput | SyslogInput | StdinInput | OtlpInput, Field(discriminator="type")]


_OTLP_FILES = ("token_file", "certificate_file", "key_file")


class LedgerSection(_Section):
    """Where the case file lives. Empty: SQLite in the state folder. `url_file` keeps a password out of this file."""

    url: str = ""
    url_file: Path | None = None


class KafkaSection(_Section):
    """Apache Kafka, for `--engine kafka`. TLS is verified, by the system's authorities or one's own.

    `prefix` begins the names of topics, groups and transactions. With a user name the brokers are asked to sign one in
    (SASL); with `certificate_file` and `key_file` a client's own certificate is shown. `partitions` and `replication`
    are for topics that are still to be made: stream to number instead of what `topics/` says, and copies of each.
    """

    brokers: tuple[Annotated[str, Field(pattern=r"^(\[[0-9A-Fa-f:.]+\]|[^:\s/]+):[0-9]{1,5}$")], ...] = ()
    prefix: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")] = "breachwatch"
    security: Literal["tls", "none-loopback-only"] = "tls"
    certificate_authority_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] = "SCRAM-SHA-512"
    username: str = ""
    password_file: Path | None = None
    replication: Annotated[int, Field(ge=1, le=9)] = 1
    partitions: dict[str, Annotated[int, Field(ge=1, le=1_000)]] = {}

    @model_validator(mode="after")
    def _no_clear_text_beyond_this_machine(self) -> "KafkaSection":
        hosts = [broker.rpartition(":")[0] for broker in self.brokers]
        if self.security == "none-loopback-only" and any(host.strip("[]") not in _LOOPBACK for host in hosts):
            raise ValueError('beyond loopback Kafka needs security = "tls"')
        if bool(self.certificate_file) != bool(self.key_file):
            raise ValueError("certificate_file and key_file go together")
        if bool(self.username) != bool(self.password_file):
            raise ValueError("username and password_file go together")
        return self


class DeskSection(_Section):
    """The web desk. `public_url` is what reminders link to; TLS when both files are given, else for loopback only."""

    host: str = "127.0.0.1"
    port: Port = 8420
    public_url: str = ""
    allowed_hosts: tuple[str, ...] = ("localhost", "127.0.0.1", "[::1]")
    certificate_file: Path | None = None
    key_file: Path | None = None

    @model_validator(mode="after")
    def _no_clear_text_beyond_this_machine(self) -> "DeskSection":
        if self.host not in _LOOPBACK and not (self.certificate_file and self.key_file):
            raise ValueError(
                "the desk may leave loopback only with certificate_file and key_file; "
                "or keep host = 127.0.0.1 behind a proxy that speaks TLS"
            )
        return self

    def url(self, port: int | None = None) -> str:
        """How the team reaches the desk; `port` is the one it got, where any would do."""
        scheme = "https" if self.certificate_file else "http"
        return self.public_url.rstrip("/") or f"{scheme}://{self.host}:{port or self.port}"


class IngestSection(_Section):
    """HTTP ingest. The token is made at first start and kept in this file (default: ingest.token in the state)."""

    token_file: Path | None = None


class MailSection(_Section):
    """The relay for notices and reminders. TLS is verified; `none-loopback-only` is for a relay on this machine."""

    host: str = "127.0.0.1"
    port: Port = 25
    security: Literal["starttls", "tls", "none-loopback-only"] = "starttls"
    username: str = ""
    password_file: Path | None = None
    certificate_authority_file: Path | None = None
    sender: str


class CsvDirectorySection(_Section):
    """People from a CSV (with header) or NDJSON file. `identifiers`: kind to column."""

    type: Literal["csv", "ndjson"]
    path: Path
    identifiers: dict[str, str]
    name: str = "name"
    email: str = "email"
    language: str = "language"


class SqlDirectorySection(_Section):
    """People from an SQL query, run read-only. `url_file` holds the SQLAlchemy URL, since it may hold a password."""

    type: Literal["sql"]
    url_file: Path
    query: str
    identifiers: dict[str, str]
    name: str = "name"
    email: str = "email"
    language: str = "language"


DirectorySection = Annotated[CsvDirectorySection | SqlDirectorySection, Field(discriminator="type")]


class EnrichmentSection(_Section):
    """What the organisation knows of addresses and hosts, added to evidence. `geoip`: MaxMind DB files of one's own."""

    assets: Path | None = None
    networks: Path | None = None
    geoip: tuple[Path, ...] = ()


class TeamSection(_Section):
    """Who is mailed when an incident is raised and when a clock rings."""

    notify: tuple[str, ...] = ()


class Settings(BaseSettings):
    """All of `breachwatch.toml`; relative paths are relative to that file."""

    model_config = SettingsConfigDict(
        env_prefix="BREACHWATCH_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    organisation: OrganisationSection
    mail: MailSection
    state_dir: Path = Path("state")
    playbooks_dir: Path | None = None
    adjustments: Path | None = None
    source_files: tuple[Path, ...] = ()
    inputs: tuple[Input, ...] = ()
    ledger: LedgerSection = LedgerSection()
    kafka: KafkaSection = KafkaSection()
    instance: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")] = Field(
        default_factory=lambda: re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname())[:63] or "here"
    )
    desk: DeskSection = DeskSection()
    ingest: IngestSection = IngestSection()
    directory: DirectorySection | None = None
    team: TeamSection = TeamSection()
    enrichment: EnrichmentSection = EnrichmentSection()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment first, then the file (which arrives as init arguments)."""
        return env_settings, init_settings


def read_settings(path: Path) -> Settings:
    """Read and check the settings file.

    Raises:
        ContentError: with every problem found, each naming the file and the key (TOML errors: line and column).
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        hint = "`breachwatch init` writes an example; or name yours with --config" if not path.exists() else ""
        raise ContentError([Problem(str(path), 0, 0, f"cannot be read: {error.strerror}", hint)]) from error
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ContentError([Problem(str(path), 0, 0, f"not TOML: {error}")]) from error
    try:
        settings = Settings(**data)
    except ValidationError as error:
        places = _places(text)
        raise ContentError(problems_of(error, Node(str(path), data, places, places), Settings)) from error
    return _anchored(settings, path.resolve().parent)


def read_secret(path: Path) -> str:
    """What a file that holds a secret says, without outer blanks.

    Raises:
        ContentError: it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ContentError([Problem(str(path), 0, 0, f"cannot be read: {error.strerror}")]) from error


def write_example(path: Path) -> None:
    """Write an example with remarks, to be filled in.

    Raises:
        RefusedError: there is a file already; it stays as it is.
        UnavailableError: it cannot be written.
    """
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(EXAMPLE.read_text(encoding="utf-8"))
    except FileExistsError as error:
        raise RefusedError(f"{path} is there already and was left as it is") from error
    except OSError as error:
        raise UnavailableError(f"{path} cannot be written: {error.strerror}") from error


def _places(text: str) -> dict[KeyPath, tuple[int, int]]:
    """Line and column of each table and key of a TOML text that was read without fault."""
    places: dict[KeyPath, tuple[int, int]] = {}
    table: KeyPath = ()
    for number, row in enumerate(text.splitlines(), 1):
        found = _TABLE_OR_KEY.match(row)
        if not found:
            continue
        place = (number, len(row) - len(row.lstrip()) + 1)
        if found["key"]:
            places.setdefault((*table, *_dotted(found["key"])), place)
            continue
        table = _dotted(found["table"])
        if found["list"]:
            table = (*table, sum(one[:-1] == table and isinstance(one[-1], int) for one in places if one))
        places.setdefault(table, place)
    return places


def _dotted(key: str) -> KeyPath:
    return tuple(part.strip(" \t\"'") for part in key.split("."))


def _anchored(settings: Settings, base: Path) -> Settings:
    def at(path: Path | None) -> Path | None:
        return None if path is None else base / path

    def sectioned(section: Any, *names: str) -> Any:
        return section and section.model_copy(update={name: at(getattr(section, name)) for name in names})

    directory, known = settings.directory, sectioned(settings.enrichment, "assets", "networks")

    def anchored_input(entry: Input) -> Input:
        if isinstance(entry, FileInput):
            return entry.model_copy(update={"path": str(base / entry.path)})
        return sectioned(entry, *_OTLP_FILES) if isinstance(entry, OtlpInput) else entry

    return settings.model_copy(
        update={
            "state_dir": at(settings.state_dir),
            "playbooks_dir": at(settings.playbooks_dir),
            "adjustments": at(settings.adjustments),
            "source_files": tuple(base / path for path in settings.source_files),
            "inputs": tuple(anchored_input(entry) for entry in settings.inputs),
            "ledger": sectioned(settings.ledger, "url_file"),
            "desk": sectioned(settings.desk, "certificate_file", "key_file"),
            "ingest": sectioned(settings.ingest, "token_file"),
            "kafka": sectioned(
                settings.kafka, "certificate_authority_file", "certificate_file", "key_file", "password_file"
            ),
            "mail": sectioned(settings.mail, "password_file", "certificate_authority_file"),
            "enrichment": known.model_copy(update={"geoip": tuple(base / path for path in known.geoip)}),
            "directory": sectioned(directory, "path" if isinstance(directory, CsvDirectorySection) else "url_file"),
        }
    )
