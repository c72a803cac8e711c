"""What the edges tell this room."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from breachwatch.kernel.facts import Actor


@dataclass(frozen=True, slots=True)
class LinkSubjects:
    """The ledger stored references: `added` of them were new, `total` is now known, over all of them `digest`."""

    by: Actor
    at: datetime
    added: int
    total: int
    digest: str


@dataclass(frozen=True, slots=True)
class ReportResolution:
    """A look-up in the directory ended; see `SubjectsResolved` for the figures."""

    by: Actor
    at: datetime
    references: int
    reachable: int
    unknown: int
    without_address: int
    by_language: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class AskDirectoryAgain:
    """Look these people up once more: the directory was mended since."""

    by: Actor
    at: datetime


Command = LinkSubjects | ReportResolution | AskDirectoryAgain
