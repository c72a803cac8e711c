"""Functions that bring the several shapes in which one kind of record is written into one, by the name definitions use.

A normaliser takes the fields as they came and gives the fields as rules know them; it may change what it was given.
A record that is none of the source's business is `Ignored`, one that cannot be understood `Dead`. Like parsers, it must
not raise, whatever it is given.
"""

from collections.abc import Callable
from typing import Any

from breachwatch.sources.event import Dead, Ignored
from breachwatch.sources.formats.json_glance import Glanced
from breachwatch.sources.services import clouds, m365, windows

Normalise = Callable[[dict[str, Any]], dict[str, Any] | Ignored | Dead]

NORMALISERS: dict[str, Normalise] = {
    "azure": clouds.azure,
    "cloudtrail": clouds.cloudtrail,
    "gcp": clouds.gcp,
    "google-workspace": clouds.workspace,
    "m365": m365.m365,
    "okta": clouds.okta,
    "windows": windows.flat,
    "windows-unpacked": windows.unpacked,
}

MADE_BY: dict[str, frozenset[str]] = {
    "cloudtrail": frozenset(),
    "gcp": frozenset(),
    "google-workspace": frozenset({"eventService"}),
    "m365": m365.MADE,
    "okta": frozenset(),
    "windows": windows.MADE,
    "windows-unpacked": windows.MADE,
}
"""Native paths, by normaliser, whose text need not stand in the raw record; all else it gives stands there as it is."""

PIECED = frozenset({"User", "TimeCreated_SystemTime", "ParameterTexts"})
"""Those of them that are only put together: every run of letters in them stands in the raw record."""

GLANCED_BY: dict[str, Glanced] = {
    "cloudtrail": Glanced(kept=("eventName", "eventtime"), sure=("eventName",)),
    "okta": Glanced(kept=("eventType",), sure=("eventType",)),
    "windows": windows.GLANCED,
    "windows-unpacked": windows.GLANCED_UNPACKED,
}
"""What the time of a record depends on, by normaliser; the others' records are always read whole."""
