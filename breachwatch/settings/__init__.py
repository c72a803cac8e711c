"""What an operator sets, read once from `breachwatch.toml`; everybody else receives values.

Environment variables override the file: `BREACHWATCH_DESK__PORT=8443` sets `[desk] port`. Secrets are never values
here, only paths of files that hold them.
"""

from breachwatch.settings.inputs import FileInput, Input, KafkaInput, OtlpInput, StdinInput, SyslogInput
from breachwatch.settings.kafka import KafkaAccess, KafkaSection
from breachwatch.settings.observe import ROLES, ObserveSection, Role
from breachwatch.settings.reading import EXAMPLE, Settings, read_secret, read_settings, write_example
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
    SqlDirectorySection,
    TeamSection,
)
from breachwatch.settings.shapes import Port, Zone

__all__ = [
    "EXAMPLE",
    "ROLES",
    "CollectSection",
    "CsvDirectorySection",
    "DeskSection",
    "DirectorySection",
    "EnrichmentSection",
    "FileInput",
    "IngestSection",
    "Input",
    "KafkaAccess",
    "KafkaInput",
    "KafkaSection",
    "LedgerSection",
    "MailSection",
    "ObserveSection",
    "OrganisationSection",
    "OtlpInput",
    "Port",
    "Role",
    "Settings",
    "SqlDirectorySection",
    "StdinInput",
    "SyslogInput",
    "TeamSection",
    "Zone",
    "read_secret",
    "read_settings",
    "write_example",
]
