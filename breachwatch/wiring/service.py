"""Everything of `breachwatch up`, put together."""

import asyncio
import os
import secrets
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from breachwatch.clocks.regimes import package_regimes
from breachwatch.collectors.directory import CsvDirectory, NdjsonDirectory, SqlDirectory
from breachwatch.collectors.enrichment_files import open_enrichment
from breachwatch.collectors.file_tail import FileTail
from breachwatch.collectors.otlp import OtlpListener
from breachwatch.collectors.stdin import StdinInlet
from breachwatch.collectors.syslog import SyslogListener
from breachwatch.couriers.courier import Courier, Sender
from breachwatch.couriers.smtp import SmtpSettings, SmtpTransport
from breachwatch.engines.embedded.engine import EmbeddedEngine
from breachwatch.engines.embedded.spool import Spool
from breachwatch.engines.embedded.tables import Retention
from breachwatch.engines.host import Part, host, stop_on_signals
from breachwatch.engines.reloading import Reloading
from breachwatch.engines.status import Watching, service_status
from breachwatch.engines.streams import load_streams
from breachwatch.engines.watches import Watch, clock_watch, dispatch_watch, fact_watch, people_watch
from breachwatch.filings.forms import package_forms
from breachwatch.kernel.errors import ContentError, Problem
from breachwatch.kernel.ports import Team, Waypoint, passing
from breachwatch.kernel.pseudonyms import Pseudonymise, pseudonymiser
from breachwatch.kernel.shipped import shipped
from breachwatch.ledger.keys import open_keys
from breachwatch.ledger.store import Store
from breachwatch.pipeline import CaseFlow, World
from breachwatch.pipeline.letters import CaseLetters
from breachwatch.settings import (
    CsvDirectorySection,
    FileInput,
    Input,
    OtlpInput,
    Settings,
    StdinInput,
    SyslogInput,
    read_secret,
)
from breachwatch.sources.registry import load_sources
from breachwatch.sources.source import Source
from breachwatch.wiring.clock import now
from breachwatch.wiring.desk import build_desk
from breachwatch.wiring.detecting import LiveContent
from breachwatch.wiring.otlp import build_otlp
from breachwatch.wiring.stores import store_with


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
        stop = asyncio.Event()
        stop_on_signals(stop)
        await self.run(stop)


def build_service(settings: Settings, *, waypoint: Waypoint = passing, mailbox_url: str = "") -> Service:
    """Put the service together: nothing is read, mailed or answered before it runs.

    Raises:
        ContentError: settings, sources, playbooks or keys with every problem found.
        UnavailableError: the state folder, database or port cannot be had.
    """
    zoned = {(name, entry.timezone) for entry in settings.inputs if entry.timezone for name in entry.every_source}
    sources = load_sources(settings.source_files, timezone=settings.organisation.timezone, zoned=zoned)
    _known_sources(settings, sources)
    live = LiveContent(settings, sources)
    keys = open_keys(settings.state_dir)
    pseudonymise = pseudonymiser(keys.pseudonym)
    store = store_with(settings, keys, waypoint=waypoint)
    retention = Retention.of(load_streams(shipped("topics")))
    spool = Spool(settings.state_dir / "spool.sqlite", keys.derive("spool"), waypoint=waypoint, retention=retention)
    addresses = {f"team-{number}": address for number, address in enumerate(settings.team.notify, 1)}
    world = _world(settings, live, tuple(addresses))
    flow = CaseFlow(store.ledger, store.vault, world)
    known = open_enrichment(**dict(settings.enrichment))
    stages = live.stages(pseudonymise)
    engine = EmbeddedEngine(
        spool,
        stages.detector,
        stages.correlator,
        lambda alert: flow.take_alert(known.alert(alert), now()),
        waypoint=waypoint,
        now=now,
    )
    followed = [(entry, _collector(entry, settings, sources, spool, waypoint)) for entry in settings.inputs]

    watches = _watches(settings, flow, store, spool, pseudonymise, waypoint)
    watched: list[Watching] = [*watches.values()]

    def status() -> Mapping[str, Any]:
        ways_in = [(one.reads, one.type, each) for one, each in followed]
        return service_status(engine.status(), ways_in, watched)

    desk, url = build_desk(settings, flow, store, spool, sources, status, mailbox_url)
    sender = Sender(settings.mail.sender, settings.organisation.name)
    letters = CaseLetters(store.ledger, store.vault, world, url, addresses)
    transport = SmtpTransport(SmtpSettings(**settings.mail.model_dump(exclude={"sender"})), waypoint)
    courier = Courier(store.outbox, letters, transport, sender, now, _owner(), waypoint)
    reloading = Reloading(live.look, live.reader(pseudonymise), live.user(engine.reload), digest=live.digest)
    watched += [courier, reloading]
    parts: dict[str, Part] = {
        "detection": engine.run,
        "rules": reloading.run,
        "desk": desk.run,
        "courier": courier.run,
        **{name: watch.run for name, watch in watches.items()},
        **{f"input {number}": collector.run for number, (_, collector) in enumerate(followed, 1)},
    }

    def close() -> None:
        spool.close()
        store.close()

    first = [one.first_read() for _, one in followed if isinstance(one, FileTail)]
    return Service(parts, url, store.team, close, (sum(n for n, _ in first), sum(size for _, size in first)))


def _owner() -> str:
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"


def _watches(
    settings: Settings, flow: CaseFlow, store: Store, spool: Spool, pseudonymise: Pseudonymise, waypoint: Waypoint
) -> dict[str, Watch]:
    watches = {
        "clock": clock_watch(flow, now, waypoint),
        "dispatches": dispatch_watch(flow, now),
        "facts": fact_watch(store.outbox, spool.publish, now, _owner(), waypoint),
    }
    directory = _directory(settings)
    if directory is not None:
        watches["people"] = people_watch(flow, store.ledger, directory, pseudonymise, now, waypoint, directory.skipped)
    return watches


def _known_sources(settings: Settings, sources: Mapping[str, Source]) -> None:
    unknown = [name for entry in settings.inputs for name in entry.every_source if name not in sources]
    if unknown:
        known = ", ".join(sorted(sources))
        raise ContentError(
            [Problem("inputs", 0, 0, f"no source is called {name!r}", f"known: {known}") for name in unknown]
        )


def _world(settings: Settings, live: LiveContent, team: tuple[str, ...]) -> World:
    return World(
        playbooks=live.playbooks,
        notices=live.notices,
        regimes=package_regimes(),
        form=package_forms()["cnil"],
        organisation=settings.organisation.value(),
        team=team,
    )


def _directory(settings: Settings) -> CsvDirectory | NdjsonDirectory | SqlDirectory | None:
    section = settings.directory
    if section is None:
        return None
    columns = (section.identifiers, section.name, section.email, section.language)
    if isinstance(section, CsvDirectorySection):
        return (CsvDirectory if section.type == "csv" else NdjsonDirectory)(section.path, *columns)
    return SqlDirectory(read_secret(section.url_file), section.query, *columns)


Collector = FileTail | SyslogListener | StdinInlet | OtlpListener


def _collector(
    entry: Input, settings: Settings, sources: Mapping[str, Source], spool: Spool, waypoint: Waypoint
) -> Collector:
    source = sources[entry.reads]
    match entry:
        case OtlpInput():
            return build_otlp(entry, settings, sources, spool, waypoint)
        case FileInput(path=path, start=start):
            return FileTail(path, source.name, spool.append, spool.position, now, waypoint=waypoint, start=start)
        case SyslogInput(host=address, port=port, protocol=protocol):
            unwrap = not source.syslog_header
            return SyslogListener(address, port, protocol, source.name, spool.append, now, waypoint, unwrap=unwrap)
        case StdinInput():
            return StdinInlet(source.name, spool.append, now, waypoint)
