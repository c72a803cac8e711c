"""`breachwatch clock`: takes alerts into case files, and keeps cases moving. Any number of them share the work.

They go by the clock of the ledger's server: a machine whose own clock is wrong rings nothing too early or too late.
"""

from breachwatch.engines.kafka.alerts import AlertTaker
from breachwatch.engines.kafka.facts import KafkaFacts
from breachwatch.engines.kafka.names import Names
from breachwatch.engines.prometheus import gauges
from breachwatch.engines.status import Watching
from breachwatch.kernel.ports import Waypoint, passing
from breachwatch.kernel.pseudonyms import pseudonymiser
from breachwatch.ledger.keys import open_master_key, open_pseudonym_key
from breachwatch.settings import Settings
from breachwatch.wiring.casework import build_watches, open_casework
from breachwatch.wiring.clock import now
from breachwatch.wiring.detecting import LiveContent
from breachwatch.wiring.inputs import sources_of
from breachwatch.wiring.observing import observe
from breachwatch.wiring.process import Process
from breachwatch.wiring.topics import connect


def build_clock(settings: Settings, *, waypoint: Waypoint = passing) -> Process:
    """A clock, put together: the ledger is open, no broker was asked yet.

    Raises:
        ContentError: settings, playbooks, certificates or keys with every problem found.
        NotFoundError: a key is not there.
        UnavailableError: the database, or the address of its metrics, cannot be had.
        TamperedError: the ledger was sealed with another master key.
    """
    sources = sources_of(settings)
    live = LiveContent(settings, sources)
    pseudonymise = pseudonymiser(open_pseudonym_key(settings.state_dir))
    master, to, names = open_master_key(settings.state_dir), connect(settings), Names(settings.kafka.prefix)
    seeing = observe(settings, "clock", sources)
    case = open_casework(settings, live, master, waypoint, seeing.observer)
    facts = KafkaFacts(to, names)
    agreed = case.store.database.clock(now)
    taker = AlertTaker(to, names, case.taker(agreed), now, waypoint=waypoint, observer=seeing.observer)
    watches = build_watches(case, pseudonymise, facts.publish, agreed)
    reloading = case.reloading()
    watched: list[Watching] = [taker, *watches.values(), reloading]
    seeing.watch_store(case.store)
    seeing.watch_troubles(watches=watched)
    seeing.needs("alerts", lambda: taker.trouble)
    seeing.reads("alerts", lambda: gauges({"breachwatch_alerts_waiting": taker.open}))

    def close() -> None:
        facts.close()
        case.store.close()
        seeing.close()

    parts = {
        "alerts": taker.run,
        "rules": reloading.run,
        "observe": seeing.run,
        **{name: watch.run for name, watch in watches.items()},
    }
    return Process("clock", parts, close)
