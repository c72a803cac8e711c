"""How a process tells how it is doing: its observer, its readiness, and the address where both are asked for."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING

from breachwatch.console.serving import WebServer, listen
from breachwatch.engines.health import Check, HealthApp, Readiness
from breachwatch.engines.prometheus import PrometheusObserver, Read
from breachwatch.engines.readings import Waits, of_cases, of_outbox, of_spool, of_troubles
from breachwatch.engines.status import Watching
from breachwatch.kernel.errors import UnavailableError
from breachwatch.kernel.observing import SILENT, Observer
from breachwatch.settings import ObserveSection, Role, Settings, read_secret
from breachwatch.wiring.asking import note_of, url_of
from breachwatch.wiring.clock import now

if TYPE_CHECKING:
    from breachwatch.engines.tracing import TracingObserver
    from breachwatch.ledger.store import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Seeing:
    """One process, seen. `observer` goes to whoever tells; `run` is a `Part` that answers until it is to stop."""

    observer: Observer
    url: str
    _metrics: PrometheusObserver
    _readiness: Readiness
    _server: WebServer
    _tracing: "TracingObserver | None"
    _note: Path

    async def run(self, stop: asyncio.Event) -> None:
        """Answer until `stop` is set; the address is noted where `breachwatch health` finds it."""
        await asyncio.to_thread(_note_address, self._note, self.url)
        await self._server.run(stop)

    def needs(self, part: str, check: Check) -> None:
        """Be ready only while `check` finds nothing against it; see `engines.health.Check`."""
        self._readiness.needs(part, check)

    def reads(self, name: str, read: Read) -> None:
        """Ask for more gauges at each scrape."""
        self._metrics.reads(name, read)

    def watch_store(self, store: "Store") -> None:
        """Need the ledger, and tell of cases and of the outbox."""

        def reached() -> str:
            store.outbox.next_due(("team_mail",))
            return ""

        self.needs("ledger", reached)
        self.reads("cases", of_cases(store.ledger, now))
        self.reads("outbox", of_outbox(store.outbox, now))

    def watch_spool(self, backlog: Callable[[], Waits]) -> None:
        """Need the local spool, and tell what waits in it."""

        def reached() -> str:
            backlog()
            return ""

        self.needs("spool", reached)
        self.reads("spool", of_spool(backlog, now))

    def watch_troubles(
        self, status: Callable[[], Mapping[str, object]] | None = None, watches: Iterable[Watching] = ()
    ) -> None:
        """Count the troubles that the desk's status tells, or those of some watches."""
        self.reads("troubles", of_troubles(status, watches))

    def close(self) -> None:
        """Export what spans there are, for some seconds at most. Call it last."""
        if self._tracing is not None:
            self._tracing.close()


def observe(settings: Settings, role: Role, sources: Iterable[str] = ()) -> Seeing:
    """What a process of this role tells with, listening but not yet answering.

    Args:
        settings: its section `[observe]`, and `instance`.
        role: of the process.
        sources: that records may be of; metrics name no other.

    Raises:
        UnavailableError: the address that the operator chose cannot be listened on.
        ContentError: the token cannot be read.
    """
    section = settings.observe
    token = read_secret(section.metrics_token_file) if section.metrics_token_file else ""
    listener = _listener(section, role)
    readiness = Readiness(role, settings.instance)
    tracing = _tracing(section, role, settings.instance)
    metrics = PrometheusObserver(role, now, frozenset(sources), also=tracing or SILENT)
    metrics.reads("ready", readiness.readings)
    url = url_of(section, listener.getsockname()[1])
    server = WebServer(HealthApp(readiness, metrics, token), listener, section.certificate_file, section.key_file)
    return Seeing(metrics, url, metrics, readiness, server, tracing, note_of(settings, role))


def _listener(section: ObserveSection, role: Role) -> socket:
    port = section.port_of(role)
    try:
        return listen(section.host, port)
    except UnavailableError as error:
        if section.chosen:
            raise
        listener = listen(section.host, 0)
        log.warning("%s; metrics and health are at port %d", error, listener.getsockname()[1])
        return listener


def _tracing(section: ObserveSection, role: Role, instance: str) -> "TracingObserver | None":
    if not section.traces:
        return None
    from breachwatch.engines.tracing import TracingObserver, exporting, resource_of  # noqa: PLC0415 - costs 0.3 s

    return TracingObserver(exporting(section.traces), resource_of(role, instance), now)


def _note_address(note: Path, url: str) -> None:
    """Write the address down, unless the folder is read-only: the port is the one of the settings then, or none."""
    try:
        note.parent.mkdir(exist_ok=True)
        note.write_text(url + "\n", encoding="ascii")
    except OSError as error:
        log.debug("the address of metrics is not noted: %s", error.strerror)
