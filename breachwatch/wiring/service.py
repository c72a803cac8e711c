"""Everything of `breachwatch up` with the embedded engine, put together."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from breachwatch.collectors.file_tail import FileTail
from breachwatch.engines.embedded.engine import EmbeddedEngine
from breachwatch.engines.embedded.spool import Spool
from breachwatch.engines.embedded.tables import Retention
from breachwatch.engines.host import Part, host, run_until_signal
from breachwatch.engines.reloading import Reloading
from breachwatch.engines.status import Watching, service_status
from breachwatch.engines.streams import load_streams
from breachwatch.kernel.ports import Team, Waypoint, passing
from breachwatch.kernel.pseudonyms import pseudonymiser
from breachwatch.kernel.shipped import shipped
from breachwatch.ledger.keys import open_keys
from breachwatch.settings import Settings
from breachwatch.wiring.casework import build_watches, mail_courier, open_casework
from breachwatch.wiring.clock import now
from breachwatch.wiring.desk import build_desk
from breachwatch.wiring.detecting import LiveContent
from breachwatch.wiring.inputs import build_inputs, sources_of
from breachwatch.wiring.observing import observe


@dataclass(frozen=True, slots=True)
class Service:
    """Everything of `breachwatch up`, put together and not yet running."""

    parts: Mapping[str, Part]
    desk_url: str
    team: Team
    close: Callable[[], None]
    first_read: tuple[int, int] = (0, 0)
    """(files, bytes) of log that is there already and will be read from its beginning."""

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set; everything is closed when this returns."""
        try:
            await host(self.parts, stop)
        finally:
            self.close()

    async def run_until_signal(self) -> None:
        """Run until SIGINT or SIGTERM."""
        await run_until_signal(self.run)


def build_service(settings: Settings, *, waypoint: Waypoint = passing, mailbox_url: str = "") -> Service:
    """Put the service together: nothing is read, mailed or answered before it runs.

    Raises:
        ContentError: settings, sources, playbooks or keys with every problem found.
        UnavailableError: the state folder, database or port cannot be had.
    """
    sources = sources_of(settings)
    live = LiveContent(settings, sources)
    seeing = observe(settings, "up", sources)
    keys = open_keys(settings.state_dir)
    pseudonymise = pseudonymiser(keys.pseudonym)
    case = open_casework(settings, live, keys, waypoint, seeing.observer)
    retention = Retention.of(load_streams(shipped("topics")))
    place, seal = settings.state_dir / "spool.sqlite", keys.derive("spool")
    spool = Spool(place, seal, waypoint=waypoint, retention=retention, observer=seeing.observer)
    stages = live.stages(pseudonymise)
    engine = EmbeddedEngine(
        spool, stages.detector, stages.correlator, case.taker(), waypoint=waypoint, now=now, observer=seeing.observer
    )
    followed = build_inputs(settings, sources, spool, waypoint, seeing.observer)
    watches = build_watches(case, pseudonymise, spool.publish)
    watched: list[Watching] = [*watches.values()]

    def status() -> Mapping[str, Any]:
        ways_in = [(one.reads, one.type, each) for one, each in followed]
        return service_status(engine.status(), ways_in, watched)

    desk, url = build_desk(case, status, spool.append, sources, mailbox_url)
    courier = mail_courier(case, url)
    reread, use = live.reader(pseudonymise), live.user(engine.reload)
    reloading = Reloading(live.look, reread, use, digest=live.digest, observer=seeing.observer)
    watched += [courier, reloading]
    seeing.watch_store(case.store)
    seeing.watch_spool(spool.backlog)
    seeing.watch_troubles(status)
    parts: dict[str, Part] = {
        "detection": engine.run,
        "rules": reloading.run,
        "desk": desk.run,
        "observe": seeing.run,
        "courier": courier.run,
        **{name: watch.run for name, watch in watches.items()},
        **{f"input {number}": collector.run for number, (_, collector) in enumerate(followed, 1)},
    }

    def close() -> None:
        spool.close()
        case.store.close()
        seeing.close()

    first = [one.first_read() for _, one in followed if isinstance(one, FileTail)]
    return Service(parts, url, case.store.team, close, (sum(n for n, _ in first), sum(size for _, size in first)))
