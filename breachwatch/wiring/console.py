"""`breachwatch console`: the desk of a cluster. It takes no records, and reads of Kafka how far work is."""

from collections.abc import Mapping
from typing import Any

from breachwatch.engines.kafka.names import Names
from breachwatch.engines.kafka.overview import Overview
from breachwatch.engines.readings import of_backlog
from breachwatch.engines.status import service_status
from breachwatch.kernel.ports import Waypoint, passing
from breachwatch.ledger.keys import open_master_key
from breachwatch.settings import Settings
from breachwatch.wiring.casework import open_casework
from breachwatch.wiring.clock import now
from breachwatch.wiring.desk import build_desk
from breachwatch.wiring.detecting import LiveContent
from breachwatch.wiring.inputs import sources_of
from breachwatch.wiring.observing import observe
from breachwatch.wiring.process import Process
from breachwatch.wiring.topics import connect


def build_console(settings: Settings, *, waypoint: Waypoint = passing) -> Process:
    """A desk, put together and listening, but not yet answering.

    Raises:
        ContentError: settings, playbooks or certificates with every problem found.
        NotFoundError: the master key is not there.
        UnavailableError: the database or an address cannot be had.
        TamperedError: the ledger was sealed with another master key.
    """
    sources = sources_of(settings)
    live = LiveContent(settings, sources)
    master, to = open_master_key(settings.state_dir), connect(settings)
    seeing = observe(settings, "console", sources)
    case = open_casework(settings, live, master, waypoint, seeing.observer)
    overview, reloading = Overview(to, Names(settings.kafka.prefix), now), case.reloading()

    def status() -> Mapping[str, Any]:
        return service_status(overview.status(), [], [reloading])

    desk, url = build_desk(case, status)
    seeing.watch_store(case.store)
    seeing.watch_troubles(status)
    seeing.reads("backlog", of_backlog(overview.status))

    def close() -> None:
        case.store.close()
        seeing.close()

    parts = {"desk": desk.run, "overview": overview.run, "rules": reloading.run, "observe": seeing.run}
    return Process("console", parts, close, url)
