"""The file as a whole: read, checked, and its paths made whole."""

import re
import socket
import tomllib
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from breachwatch.kernel.errors import ContentError, Problem, RefusedError, UnavailableError
from breachwatch.kernel.shapes import problems_of
from breachwatch.kernel.yaml import KeyPath, Node
from breachwatch.settings.inputs import FileInput, Input, KafkaInput, OtlpInput
from breachwatch.settings.kafka import KAFKA_FILES, KafkaSection
from breachwatch.settings.observe import ObserveSection
from breachwatch.settings.sections import (
    CollectSection,
    CsvDirectorySection,
    DeskSection,
    DirectorySection,
    EnrichmentSection,
    IngestSection,
    LedgerSection,
    MailSection,
    OrganisationSection,
    TeamSection,
)

EXAMPLE = Path(__file__).parents[1] / "example.toml"
_TABLE_OR_KEY = re.compile(r"\s*(?:(?P<list>\[)?\[(?P<table>[^\[\]]+)\]|(?P<key>[\w.\"'-]+)\s*=)")
_OTLP_FILES = ("token_file", "certificate_file", "key_file")


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
    collect: CollectSection = CollectSection()
    observe: ObserveSection = ObserveSection()
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
        files = _OTLP_FILES if isinstance(entry, OtlpInput) else KAFKA_FILES if isinstance(entry, KafkaInput) else ()
        anchored: Input = sectioned(entry, *files)
        return anchored

    return settings.model_copy(
        update={
            "state_dir": at(settings.state_dir),
            "playbooks_dir": at(settings.playbooks_dir),
            "adjustments": at(settings.adjustments),
            "source_files": tuple(base / path for path in settings.source_files),
            "inputs": tuple(anchored_input(entry) for entry in settings.inputs),
            "ledger": sectioned(settings.ledger, "url_file"),
            "desk": sectioned(settings.desk, "certificate_file", "key_file"),
            "ingest": sectioned(settings.ingest, *_OTLP_FILES),
            "observe": sectioned(settings.observe, "metrics_token_file", "certificate_file", "key_file"),
            "kafka": sectioned(settings.kafka, *KAFKA_FILES),
            "mail": sectioned(settings.mail, "password_file", "certificate_authority_file"),
            "enrichment": known.model_copy(update={"geoip": tuple(base / path for path in known.geoip)}),
            "directory": sectioned(directory, "path" if isinstance(directory, CsvDirectorySection) else "url_file"),
        }
    )
