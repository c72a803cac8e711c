"""`breachwatch courier`: sends mail. Any number of them share the outbox; none knows anybody's identifiers.

Their leases go by the clock of the ledger's server: a machine whose own clock is wrong sends no mail of another again.
"""

from breachwatch.kernel.ports import Waypoint, passing
from breachwatch.ledger.keys import open_master_key
from breachwatch.settings import Settings
from breachwatch.wiring.casework import mail_courier, open_casework
from breachwatch.wiring.clock import now
from breachwatch.wiring.detecting import LiveContent
from breachwatch.wiring.inputs import sources_of
from breachwatch.wiring.observing import observe
from breachwatch.wiring.process import Process


def build_courier(settings: Settings, *, waypoint: Waypoint = passing) -> Process:
    """A courier, put together: the ledger is open, no relay was asked yet.

    Raises:
        ContentError: settings, playbooks or the relay's password and certificate with every problem found.
        NotFoundError: the master key is not there.
        UnavailableError: the database, or the address of its metrics, cannot be had.
        TamperedError: the ledger was sealed with another master key.
    """
    sources = sources_of(settings)
    live = LiveContent(settings, sources)
    master = open_master_key(settings.state_dir)
    seeing = observe(settings, "courier", sources)
    case = open_casework(settings, live, master, waypoint, seeing.observer)
    carrier = mail_courier(case, settings.desk.url(), case.store.database.clock(now))
    reloading = case.reloading()
    seeing.watch_store(case.store)
    seeing.watch_troubles(watches=[carrier, reloading])

    def close() -> None:
        case.store.close()
        seeing.close()

    return Process("courier", {"courier": carrier.run, "rules": reloading.run, "observe": seeing.run}, close)
