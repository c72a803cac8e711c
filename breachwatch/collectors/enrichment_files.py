"""The operator's files behind enrichment: assets and networks as CSV, places out of a GeoIP database (MaxMind DB)."""

import csv
from collections.abc import Iterator, Sequence
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import maxminddb

from breachwatch.detection.telling.enrichment import Asset, Enrichment, Locate, Network, Place, Ranges
from breachwatch.kernel.errors import ContentError, Problem

_ASSETS, _NETWORKS = ("asset", "owner"), ("network", "name")


def open_enrichment(assets: Path | None = None, networks: Path | None = None, geoip: Sequence[Path] = ()) -> Enrichment:
    """Read what an operator gave.

    Args:
        assets: CSV with the columns `asset` (address or host name), `owner`, and perhaps `name`.
        networks: CSV with the columns `network` (CIDR, version 4 or 6) and `name`.
        geoip: MaxMind DB files (city, country or ASN); the first that knows a detail tells it.

    Raises:
        ContentError: every problem of every file, with its line.
    """
    problems: list[Problem] = []
    known = {
        row["asset"].lower(): Asset(row["owner"], row.get("name", "")) for _, row in _rows(assets, _ASSETS, problems)
    }
    named: list[tuple[Network, str]] = []
    for line, row in _rows(networks, _NETWORKS, problems):
        try:
            named.append((ip_network(row["network"]), row["name"]))
        except ValueError as error:
            problems.append(Problem(str(networks), line, 1, str(error), "such as 198.51.100.0/24"))
    locate = _locator(geoip, problems)
    if problems:
        raise ContentError(problems)
    return Enrichment(Ranges(named), known, locate)


def _rows(path: Path | None, needed: Sequence[str], problems: list[Problem]) -> Iterator[tuple[int, dict[str, str]]]:
    if path is None:
        return
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            lacking = [column for column in needed if column not in (reader.fieldnames or ())]
            if lacking:
                hint = f"the first line names the columns: {', '.join(needed)}"
                problems.append(Problem(str(path), 1, 1, f"no column {', '.join(lacking)}", hint))
                return
            for row in reader:
                if all((row.get(column) or "").strip() for column in needed):
                    yield reader.line_num, {key: (text or "").strip() for key, text in row.items() if key is not None}
                else:
                    problems.append(Problem(str(path), reader.line_num, 1, f"needs {' and '.join(needed)}"))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        problems.append(Problem(str(path), 0, 0, f"cannot be read: {error}"))


def _locator(databases: Sequence[Path], problems: list[Problem]) -> Locate | None:
    readers: list[maxminddb.Reader] = []
    for path in databases:
        try:
            readers.append(maxminddb.open_database(str(path)))
        except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
            problems.append(Problem(str(path), 0, 0, f"is no MaxMind database: {error}"))
    if not readers:
        return None

    def locate(address: str) -> Place | None:
        found: dict[str, Any] = {}
        for reader in readers:
            try:
                told = reader.get(address)
            except (ValueError, maxminddb.InvalidDatabaseError):
                continue  # a version 6 address asked of a version 4 database
            if isinstance(told, dict):
                found = {**told, **found}
        return _place(found) if found else None

    return locate


def _place(told: dict[str, Any]) -> Place:
    number = told.get("autonomous_system_number")
    return Place(
        country=_text(told, "country", "iso_code"),
        city=_text(told, "city", "names", "en"),
        as_number=number if isinstance(number, int) else 0,
        as_name=_text(told, "autonomous_system_organization"),
    )


def _text(told: Any, *path: str) -> str:
    for key in path:
        told = told.get(key) if isinstance(told, dict) else None
    return told if isinstance(told, str) else ""
