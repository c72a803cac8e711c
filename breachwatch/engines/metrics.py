"""Every metric there is, as data: what `/metrics` exports and `docs/reference/metrics.md` tells.

Labels are few, and each has a small set of values that the configuration fixes: no person, address or id is ever one.
"""

import re
from dataclasses import dataclass
from typing import Literal

_QUICK = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_SLOW = (0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. `buckets`: upper bounds of a histogram, in seconds."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


METRICS: tuple[Metric, ...] = (
    # What came in, and what became of it
    Metric("breachwatch_received_records_total", "counter", "Records that a collector stored durably.", ("source",)),
    Metric("breachwatch_last_received_timestamp_seconds", "gauge", "When a source last sent something.", ("source",)),
    Metric("breachwatch_records_total", "counter", "Records that were matched, or set aside.", ("source",)),
    Metric("breachwatch_events_total", "counter", "Records that are events of their source.", ("source",)),
    Metric("breachwatch_ignored_records_total", "counter", "Records that are no event of their source.", ("source",)),
    Metric("breachwatch_dead_letters_total", "counter", "Records that nobody could read.", ("reason",)),
    Metric("breachwatch_late_events_total", "counter", "Events that came too late for their windows."),
    # Detection
    Metric("breachwatch_matches_total", "counter", "Events that matched a rule."),
    Metric("breachwatch_allowed_matches_total", "counter", "Matches set aside because the operator allows them."),
    Metric("breachwatch_alerts_total", "counter", "Alerts found.", ("level",)),
    Metric("breachwatch_alert_revisions_total", "counter", "Alerts found to have grown.", ("level",)),
    Metric("breachwatch_alert_delay_seconds", "histogram", "From a record's receipt to the alert.", (), _SLOW),
    Metric("breachwatch_window_keys", "gauge", "Groups that correlations remember here."),
    Metric("breachwatch_broken_rules", "gauge", "Rules switched off because they raised."),
    Metric("breachwatch_reloads_total", "counter", "Readings of changed rules, by what came of them.", ("result",)),
    # How the streams move
    Metric("breachwatch_lag", "gauge", "Kafka records that wait in a partition assigned here.", ("topic", "partition")),
    Metric("breachwatch_backlog_chunks", "gauge", "Chunks in Kafka that nobody matched yet, whoever should."),
    Metric("breachwatch_assigned_partitions", "gauge", "Partitions that a stage has here.", ("stage",)),
    Metric("breachwatch_batch_seconds", "histogram", "From taking a batch to acknowledging it.", ("stage",), _QUICK),
    Metric("breachwatch_transaction_seconds", "histogram", "Making effects durable.", ("stage",), _QUICK),
    Metric("breachwatch_failed_transactions_total", "counter", "Transactions that were given up.", ("stage",)),
    Metric("breachwatch_restore_seconds", "histogram", "Reading back one partition's state.", ("stage",), _SLOW),
    Metric(
        "breachwatch_stalled_seconds", "gauge", "Longest time without progress of a partition with lag.", ("stage",)
    ),
    Metric("breachwatch_spool_waiting_chunks", "gauge", "Chunks in the local spool that are still to go on."),
    Metric("breachwatch_spool_waiting_bytes", "gauge", "Bytes of them."),
    Metric("breachwatch_spool_oldest_seconds", "gauge", "Age of the oldest of them; 0 when none waits."),
    Metric("breachwatch_restarts_total", "counter", "Processes of the tree that ended and were restarted.", ("role",)),
    # Cases
    Metric("breachwatch_alerts_waiting", "gauge", "Alerts found that the case plane has not taken yet."),
    Metric("breachwatch_alerts_taken_total", "counter", "Alerts taken into case files."),
    Metric("breachwatch_incidents", "gauge", "Incidents that are not over.", ("state",)),
    Metric("breachwatch_missed_deadlines", "gauge", "Incidents not over with a deadline that was missed."),
    Metric(
        "breachwatch_clock_margin_seconds", "gauge", "To the nearest deadline, negative when past; absent when none."
    ),
    Metric("breachwatch_outbox_items", "gauge", "Mails and facts that are still to go out.", ("kind",)),
    Metric("breachwatch_outbox_oldest_seconds", "gauge", "Age of the oldest of them; 0 when none.", ("kind",)),
    Metric("breachwatch_mail_total", "counter", "Attempts at mails, by the answer.", ("kind", "result")),
    # The process
    Metric("breachwatch_ready", "gauge", "Whether a part of this process can do its work: 1 or 0.", ("part",)),
    Metric("breachwatch_troubles", "gauge", "Troubles that the desk's status page tells just now."),
    Metric("breachwatch_unread_metrics", "gauge", "Groups of metrics that could not be read this time."),
    Metric("breachwatch_build_info", "gauge", "Always 1; what runs here.", ("version", "role")),
)
PROCESS_METRICS = (
    "process_cpu_seconds_total",
    "process_max_fds",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
    "process_virtual_memory_bytes",
)
"""What the client library tells of the process; on Linux only."""

BY_NAME = {metric.name: metric for metric in METRICS}

LEVELS = ("informational", "low", "medium", "high", "critical")
"""Of Sigma rules. Source: Sigma rules specification 2.1, "level"."""

MAIL_KINDS = ("notice", "team_mail")
"""What goes out by mail."""

REASONS = ("too_large", "encoding", "time", "format", "lacking", "unknown_source", "altered", "fault", "other")
"""Classes of reasons why nobody could read a record."""

_CLASSES = (
    (re.compile(r"too (long|many|few|deep|large)|nested too deep"), "too_large"),
    (re.compile(r"invalid UTF-8"), "encoding"),
    (re.compile(r"(no|bad) time\b|time out of range"), "time"),
    (re.compile(r"unknown source"), "unknown_source"),
    (re.compile(r".*\baltered\b"), "altered"),
    (re.compile(r".*\bfailed\b|not read:"), "fault"),
    (re.compile(r"not (an? )?\w|names of columns|no layout|an envelope"), "format"),
    (re.compile(r"no \w"), "lacking"),
)


def reason_class(reason: str) -> str:
    """The class of a dead letter's reason: one of `REASONS`, whatever it says."""
    return next((name for pattern, name in _CLASSES if pattern.match(reason)), "other")


def level_class(level: str) -> str:
    """A rule's level, or `other`."""
    return level if level in LEVELS else "other"
