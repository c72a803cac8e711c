"""Old logs against the playbooks, in memory: no spool, no ledger, nothing live is touched."""

import logging
from collections.abc import Iterable

from breachwatch.engines.merging import Revisions
from breachwatch.engines.stages import Correlator, Detector, process
from breachwatch.kernel.streams import Alert, Chunk, Tally

log = logging.getLogger(__name__)


def replay(chunks: Iterable[Chunk], detector: Detector, correlator: Correlator) -> tuple[list[Alert], Tally]:
    """Take chunks through both stages, as an engine would, and judge at the end what waits for time to pass.

    What was left out for want of room is logged as a warning.

    Returns:
        (the last revision of each alert with every reference it came to carry, superseded ones gone, ordered by first
        event; what became of every record).
    """
    revisions, tally = Revisions(), Tally()
    broken: dict[str, str] = {}
    for chunk in chunks:
        outcome = process(chunk, detector, correlator)
        for alert in outcome.alerts:
            revisions.add(alert)
        tally += outcome.tally
        broken.update(outcome.broken_rules)
        correlator.drain_changes()
    for alert in correlator.finish().alerts:
        revisions.add(alert)
    for what, count in correlator.shortfalls.items():
        log.warning("%s: %s", what, f"{count:,}")
    for rule, why in broken.items():
        log.error("the rule %s was switched off: %s", rule, why)
    alerts = revisions.merged()
    gone = {earlier for alert in alerts for earlier in alert.supersedes}
    kept = [alert for alert in alerts if alert.id not in gone]
    return sorted(kept, key=lambda alert: (alert.first_event_at, alert.rule, alert.id)), tally
