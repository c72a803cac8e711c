"""Attacks on clouds as their logs recorded them: which the shipped playbooks catch, which not, and why not.

    python -m bench.conformance.cloud_attacks            # a table, a row for each recording
    python -m bench.conformance.cloud_attacks --json     # the same for programs

Each recording is replayed alone, as `breachwatch replay FILE` would; the hour of a real account, which lies in many
files, is replayed as one. The recordings lie in `shared/data` beside the checkout, and are read in place.
"""

import argparse
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from bench.conformance.cases import ARRIVED, data, sources
from breachwatch.collectors.whole_files import record_batches
from breachwatch.detection.correlating.correlator import Correlator
from breachwatch.detection.detector import Detector
from breachwatch.detection.playbooks.content import Content, load_content, read_tree
from breachwatch.engines.replay import replay
from breachwatch.kernel.pseudonyms import pseudonymiser
from breachwatch.kernel.streams import Alert, Chunk
from breachwatch.notices.placeholders import PLACEHOLDERS

PLAYBOOKS = Path(__file__).resolve().parents[2] / "playbooks"
SETS = {
    "m365-det-eng": "m365-audit",
    "cloudtrail-stratus": "aws-cloudtrail",
    "cloudtrail-invictus": "aws-cloudtrail",
    "otrf-cloud": "aws-cloudtrail",
}
"""Folder to the source that reads its files."""
AS_ONE = {"cloudtrail-invictus"}
"""Folders whose files are one log."""
LABEL = "stratus-red-team"
"""Stands in the user agent of what the attacker did in the hour of a real account."""
NOTHING = "nothing"
UNCOVERED = "no playbook is for this"
WHY = (
    (
        ("backdoor-role", "backdoor-function", "federation-token", "create-backdoor", "roles"),
        "rights are given away; nothing was read with them yet",
    ),
    (
        ("ssm-", "instance-connect", "serial-console", "steal-instance", "user-data"),
        "a machine is entered through the cloud; what is read there, the machine's own log tells",
    ),
    (("security-group",), "a door is opened; nobody came in"),
    (("bedrock", "unusual-instances"), "computing is stolen; no data of anybody is touched"),
    (("app_registration", "consent"), "an application is registered; what it reads comes later"),
    (("azurehound", "discovery", "enumerat"), "a directory is listed; the log holds the sign-ins alone"),
    (("delegation_full_access_permissions.csv",), "Exchange itself sets this permission; it is no attack"),
    (("proxy_s3",), "two objects are read with a right key; only its address is new"),
)
"""Why a recording leads to nothing, by a part of its name."""


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one recording. `alerts`: `playbook: rule`, of those that raise an incident and of the others."""

    folder: str
    name: str
    records: int
    incidents: tuple[str, ...]
    others: tuple[str, ...]

    @property
    def caught(self) -> bool:
        """Whether anything came of it."""
        return bool(self.incidents or self.others)

    @property
    def why(self) -> str:
        """The reason for nothing."""
        if self.caught:
            return ""
        name = self.name.lower()
        return next((reason for parts, reason in WHY if any(part in name for part in parts)), UNCOVERED)


@cache
def content() -> Content:
    """The playbooks that ship."""
    return load_content(read_tree(PLAYBOOKS), sources(), PLACEHOLDERS)


def recordings(folder: str) -> Iterator[tuple[str, list[bytes]]]:
    """Name and records of each recording of a set."""
    paths = sorted(path for path in data(folder).iterdir() if path.suffix in {".json", ".csv"})
    framing = sources()[SETS[folder]].framing
    read = [
        (path.name, [record.body for batch in record_batches(path, framing, lambda _: None) for record in batch])
        for path in paths
    ]
    if folder in AS_ONE:
        yield "one hour of an account", _in_order(record for _, records in read for record in records)
    else:
        yield from read


def alerts_of(folder: str, records: Sequence[bytes], change: Callable[[Any], Any] | None = None) -> list[Alert]:
    """What a replay of these records leads to.

    Args:
        folder: the set that they are of.
        records: in order.
        change: makes another record of each, or None to leave it out.
    """
    if change is not None:
        records = [json.dumps(each).encode() for each in map(change, map(json.loads, records)) if each is not None]
    known = sources()
    chunk = Chunk(SETS[folder], "file:recording", 0, ARRIVED, tuple(records))
    detector = Detector(content(), known, pseudonymiser(b"conformance-only"))
    return replay([chunk], detector, Correlator(content()))[0]


def rows(folders: Iterable[str] = SETS) -> Iterator[Row]:
    """A row for each recording, and for the hour of a real account one more for what was not the attacker's."""
    for folder in folders:
        for name, records in recordings(folder):
            yield _row(folder, name, len(records), alerts_of(folder, records))
            if folder in AS_ONE:
                kept = [record for record in records if not attackers(json.loads(record))]
                yield _row(folder, "the same, without the attacker", len(kept), alerts_of(folder, kept))


def attackers(record: dict[str, Any]) -> bool:
    """Whether an event carries the label of the attacker's tool."""
    return LABEL in str(record.get("userAgent"))


def table(found: Iterable[Row]) -> str:
    """Markdown."""
    lines = ["| recording | raises an incident | alerts only |", "|---|---|---|"]
    folder = ""
    for row in found:
        if row.folder != folder:
            folder = row.folder
            lines.append(f"| **{folder}** | | |")
        lines.append(f"| `{row.name}` | {_told(row.incidents)} | {_told(row.others) or (row.why and f'*{row.why}*')} |")
    return "\n".join(line.replace("  ", " ") for line in lines) + "\n"


def _row(folder: str, name: str, records: int, alerts: Sequence[Alert]) -> Row:
    def of(raising: bool) -> tuple[str, ...]:
        return tuple(sorted({f"{each.playbook}: {each.rule}" for each in alerts if each.raises_incident == raising}))

    return Row(folder, name, records, of(True), of(False))


def _told(alerts: Sequence[str]) -> str:
    return "<br>".join(alerts)


def _in_order(records: Iterable[bytes]) -> list[bytes]:
    """By time; deliveries of one account overlap."""
    return sorted(records, key=lambda record: str(json.loads(record).get("eventTime")))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object a recording")
    asked = parser.parse_args()
    found = list(rows())
    if asked.json:
        for row in found:
            told = {"set": row.folder, "recording": row.name, "records": row.records, "why": row.why}
            print(json.dumps({**told, "incidents": row.incidents, "alerts": row.others}))
    else:
        print(table(found), end="")


if __name__ == "__main__":
    main()
