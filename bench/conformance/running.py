"""Rules over records, as a replay would run them: in order of the file, and all that still waits at its end."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from breachwatch.detection.correlating.correlator import Correlator
from breachwatch.detection.detector import Detector
from breachwatch.detection.playbooks.content import Content
from breachwatch.detection.playbooks.playbook import DetectionMeaning, Playbook
from breachwatch.detection.sigma.ruleset import RuleSet
from breachwatch.kernel.pseudonyms import pseudonymiser
from breachwatch.kernel.streams import Alert, Chunk
from breachwatch.sources.source import Source

ARRIVED = datetime(2026, 12, 30, tzinfo=UTC)
_MEANING: dict[str, Any] = {"id": "", "detection": DetectionMeaning()}
_PLAIN = Playbook.model_construct(None, **_MEANING)
_KEY = pseudonymiser(b"conformance-only")


def alerts_of(
    rules: RuleSet,
    sources: Mapping[str, Source],
    source: str,
    records: Sequence[bytes],
    quiet: Mapping[str, timedelta],
) -> list[Alert]:
    """Every alert of a plain folder's correlations, in its last revision.

    Args:
        rules: what `load_rules` gave.
        sources: by name.
        source: which of them reads the records.
        records: in order.
        quiet: by rule, how close crossings must be to be one alert.
    """
    correlations = tuple(
        replace(each, suppress_us=quiet[each.id] // timedelta(microseconds=1)) if each.id in quiet else each
        for each in rules.correlations
    )
    content = Content({"": _PLAIN}, {}, rules.rules, correlations)
    correlator = Correlator(content)
    chunk = Chunk(source, "file:conformance", 0, ARRIVED, tuple(records))
    matches = Detector(content, {source: sources[source]}, _KEY).match(chunk).matches
    last: dict[str, Alert] = {}
    for alert in (*correlator.feed(matches).alerts, *correlator.finish().alerts):
        last[alert.id] = alert
        for gone in alert.supersedes:
            last.pop(gone, None)
    return list(last.values())
