"""What engines tell while they run. It stands in `kernel/observing.py`, since couriers and collectors tell too."""

from breachwatch.kernel.observing import (
    SILENT,
    TRACE_HEADER,
    WAY_HEADER,
    Mailed,
    Observer,
    Silent,
    Stage,
    Way,
    about,
    incident_traceparent,
    trace_of_alert,
    trace_of_incident,
    traceparent,
    unpack_way,
)

__all__ = [
    "SILENT",
    "TRACE_HEADER",
    "WAY_HEADER",
    "Mailed",
    "Observer",
    "Silent",
    "Stage",
    "Way",
    "about",
    "incident_traceparent",
    "trace_of_alert",
    "trace_of_incident",
    "traceparent",
    "unpack_way",
]
