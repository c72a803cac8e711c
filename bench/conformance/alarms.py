"""What the shipped playbooks raise on ordinary logs, and what they make of another system's alerts.

Real logs of a web site and of a host on the internet must raise no incident, but for the one attack that is really in
them. Alerts of several detectors over some days of a test company, among them one intrusion, are replayed as alerts of
another system; who made them labelled each alert with the step of the attack that it belongs to, or as false. The
labels are read here alone, after the fact: no rule sees them.
"""

import csv
import gzip
import io
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bench.conformance.cases import ARRIVED, data, sources
from breachwatch.detection.correlating.correlator import Correlator
from breachwatch.detection.detector import Detector
from breachwatch.detection.playbooks.content import Content, load_content, read_tree
from breachwatch.kernel.ids import EventId, event_ids
from breachwatch.kernel.pseudonyms import pseudonymiser
from breachwatch.kernel.shipped import shipped
from breachwatch.kernel.streams import Alert, Chunk, Match
from breachwatch.kernel.time import to_microseconds
from breachwatch.notices.placeholders import PLACEHOLDERS

FALSE = "false_positive"
FEW_FAILURES = 5
"""A client that mistyped fewer passwords than this is ordinary."""

_ORIGIN = "file:conformance"
_LINES = 1_000
_KEY = pseudonymiser(b"conformance-only")
_FAILED = re.compile(r"Failed password for .* from (\S+) port")
Groups = list[tuple[Alert, set[int]]]


@cache
def _content() -> Content:
    return load_content(read_tree(shipped("playbooks")), sources(), PLACEHOLDERS)


def incidents(source: str, records: Sequence[bytes]) -> Groups:
    """The alerts that raise incidents, in their last revision, each with the positions of the records it is made of."""
    content = _content()
    detector, correlator = Detector(content, {source: sources()[source]}, _KEY), Correlator(content)
    named = event_ids(_ORIGIN)
    positions = {named(at): at for at in range(len(records))}
    matches: list[Match] = []
    alerts: dict[str, Alert] = {}
    for at in range(0, len(records), _LINES):
        chunk = Chunk(source, _ORIGIN, at, ARRIVED, tuple(records[at : at + _LINES]))
        detected = detector.match(chunk)
        matches += detected.matches
        clock = (source, detected.newest_us) if detected.newest_us is not None else None
        _take(correlator.feed(detected.matches, clock).alerts, alerts)
    _take(correlator.finish().alerts, alerts)
    raising = [alert for alert in alerts.values() if alert.raises_incident]
    return [(alert, _made_of(alert, matches, positions)) for alert in raising]


def _take(told: Iterable[Alert], alerts: dict[str, Alert]) -> None:
    for alert in told:
        alerts[alert.id] = alert
        for gone in alert.supersedes:
            alerts.pop(gone, None)


def _made_of(alert: Alert, matches: Iterable[Match], positions: Mapping[EventId, int]) -> set[int]:
    """Records that matched a rule the alert counts, of its group, between its first and last event."""
    rules = _counted_by(alert.playbook, alert.rule)
    first, last = to_microseconds(alert.first_event_at), to_microseconds(alert.last_event_at)
    return {
        positions[match.event_id]
        for match in matches
        if match.playbook == alert.playbook
        and match.rule in rules
        and first <= match.at_us <= last
        and all(match.values.get(path, value) == value for path, value in alert.group.items())
    }


def _counted_by(playbook: str, name: str) -> set[str]:
    known = {each.id: each for each in _content().correlations if each.playbook == playbook}
    rules, open_names = set[str](), [name]
    while open_names:
        one = open_names.pop()
        if one in known and one not in rules:
            open_names += [inner.rule for inner in known[one].inputs]
        rules.add(one)
    return rules


def web_incidents() -> Groups:
    """Incidents on the access log of a real public site; none is right."""
    return incidents("web-access", data("access-apache", "access.log").read_bytes().splitlines())


def ssh_incidents(*, ordinary: bool) -> Groups:
    """Incidents on the log of a real host on the internet.

    Args:
        ordinary: without the lines of every client that failed `FEW_FAILURES` times or more.
    """
    text = data("auth-sshd-elastic", "auth.log").read_text(encoding="utf-8", errors="replace")
    lines = text.splitlines()
    if ordinary:
        failures = Counter(_FAILED.findall(text))
        guilty = {address for address, count in failures.items() if count >= FEW_FAILURES}
        lines = [line for line in lines if not guilty & set(line.split())]
    return incidents("linux-sshd", [line.encode() for line in lines])


# ---------------------------------------------------------------------- alerts of another system


@dataclass(frozen=True, slots=True)
class Intrusion:
    """What became of a test company's alerts.

    `alerts`: how many there are of each label; `covered`: how many of them are in an incident; `incidents`: how many
    alerts of each label each is made of, by its rule and group.
    """

    name: str
    alerts: Counter[str]
    covered: Counter[str]
    incidents: tuple[tuple[str, Counter[str]], ...]

    @property
    def invented(self) -> list[str]:
        """Incidents that are made only of false alerts."""
        return [name for name, labels in self.incidents if not set(labels) - {FALSE}]

    def tells_of(self, label: str) -> list[str]:
        """Incidents in which alerts of a label are."""
        return [name for name, labels in self.incidents if labels[label]]


def testbeds() -> list[Path]:
    """The files of alerts, one a test company."""
    return sorted(data("ait-alerts").glob("*_alerts.csv*"))


def intrusion(path: Path) -> Intrusion:
    """Replay one test company's alerts, oldest first, without their labels."""
    body = path.read_bytes()
    text = (gzip.decompress(body) if path.suffix == ".gz" else body).decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    rows.sort(key=lambda row: int(row["time"]))
    labels = [_label(row) for row in rows]
    found = incidents("alerts-csv", [row_of(row) for row in rows])
    inside = set[int]().union(*(each for _, each in found))
    return Intrusion(
        path.name.partition("_alerts")[0],
        Counter(labels),
        Counter(labels[at] for at in inside),
        tuple((_named(alert), Counter(labels[at] for at in each)) for alert, each in found),
    )


def _label(row: Mapping[str, str]) -> str:
    """The step of the attack by the time of the alert; else the step that the alert itself is of."""
    own = row.get("event_label", "-") or "-"
    return own if row["time_label"] == FALSE and own != "-" else row["time_label"]


def row_of(row: Mapping[str, str]) -> bytes:
    """An alert as its source reads it, without its labels."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow([row["time"], row["name"], row["ip"], row["host"], row["short"]])
    return text.getvalue().encode()


def _named(alert: Alert) -> str:
    return ", ".join([alert.title, *alert.group.values()])
