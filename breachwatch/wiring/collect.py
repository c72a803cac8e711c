"""`breachwatch collect`: takes records in and forwards them. Of all secrets it has its spool's key and its tokens."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from breachwatch.collectors.forwarder import Forwarder
from breachwatch.collectors.http_ingest import HttpIngest
from breachwatch.collectors.inlet import first_of
from breachwatch.collectors.splitting import fitting
from breachwatch.collectors.topic_writer import TopicWriter
from breachwatch.console.serving import WebServer, listen
from breachwatch.engines.embedded.spool import Spool
from breachwatch.engines.kafka.connection import Connection
from breachwatch.engines.kafka.names import Names
from breachwatch.engines.status import service_status
from breachwatch.engines.wire import pack_chunk, pack_dead_letter, unpack_chunk
from breachwatch.kernel.errors import UnavailableError
from breachwatch.kernel.ports import Waypoint, passing
from breachwatch.ledger.keys import open_own_key
from breachwatch.settings import Settings
from breachwatch.sources.source import Source
from breachwatch.wiring.clock import now
from breachwatch.wiring.inputs import Collector, build_inputs, sources_of
from breachwatch.wiring.observing import observe
from breachwatch.wiring.process import Process
from breachwatch.wiring.tokens import kept_token
from breachwatch.wiring.topics import connect

log = logging.getLogger(__name__)
SPOOL_FILE, KEY_FILE = "collect.sqlite", "spool.key"
PRUNE_EVERY = timedelta(hours=1)
_ALMOST = 0.99


def build_collect(settings: Settings, *, waypoint: Waypoint = passing) -> Process:
    """A collector of a cluster: inputs, HTTP ingest, and what sends all on. Listeners listen; no broker was asked.

    Raises:
        ContentError: settings, sources, certificates, the key or a token with every problem found.
        UnavailableError: the state folder or an address cannot be had, or another collector works in that folder.
    """
    sources, to, names = sources_of(settings), connect(settings), Names(settings.kafka.prefix)
    seeing = observe(settings, "collect", sources)
    limit = settings.collect.spool_mib << 20
    key = open_own_key(settings.state_dir / KEY_FILE)
    place = settings.state_dir / SPOOL_FILE
    spool = Spool(place, key, waypoint=waypoint, limit_bytes=limit, observer=seeing.observer)
    inputs = build_inputs(settings, sources, spool, waypoint, seeing.observer, instance=settings.instance)
    ingest, url = _ingest(settings, sources, spool, _fullness(spool, limit))
    writers = (topic_writer(to, names.records), topic_writer(to, names.dead_letters))
    forwarder = Forwarder(spool, *writers, pack_dead_letter, waypoint=waypoint, observer=seeing.observer)

    def status() -> Mapping[str, Any]:
        engine = {
            "trouble": {"forwarding": forwarder.trouble} if forwarder.trouble else {},
            "totals": spool.totals_by_source(),
            "broken_rules": {},
            "waiting_chunks": spool.backlog().chunks,
        }
        ways_in: list[tuple[str, str, Collector]] = [(entry.reads, entry.type, one) for entry, one in inputs]
        return service_status(engine, [*ways_in, ("every source", "http", ingest)])

    seeing.watch_spool(spool.backlog)
    seeing.needs("room in the spool", _fullness(spool, limit))
    seeing.watch_troubles(status)

    def close() -> None:
        spool.close()
        seeing.close()

    parts = {
        "forwarding": lambda stop: _forward(to, names, forwarder, stop),
        "ingest": ingest.run,
        "pruning": lambda stop: _prune(spool, stop),
        "observe": seeing.run,
        **{f"input {number}": collector.run for number, (_, collector) in enumerate(inputs, 1)},
    }
    return Process("collect", parts, close, url)


def topic_writer(to: Connection, topic: str) -> TopicWriter:
    """What writes chunks into a topic."""

    def cut(value: bytes, limit: int) -> Sequence[bytes]:
        try:
            return list(fitting(unpack_chunk(value), limit, pack_chunk))
        except ValueError:
            return [value]

    return TopicWriter(topic, to.client(), cut, told=to.told)


def _ingest(
    settings: Settings, sources: Mapping[str, Source], spool: Spool, full: Callable[[], str]
) -> tuple[HttpIngest, str]:
    section = settings.ingest
    token = kept_token(section.token_file or settings.state_dir / "ingest.token")
    listener = listen(section.host, section.port)
    port = listener.getsockname()[1]
    scheme = "https" if section.certificate_file else "http"
    ingest = HttpIngest(
        f"{section.host} port {port}",
        tuple(name for name in sources if "@" not in name),
        token,
        spool.append,
        now,
        lambda app: WebServer(app, listener, section.certificate_file, section.key_file).run,
        full,
        instance=settings.instance,
    )
    return ingest, f"{scheme}://{section.host}:{port}"


def _fullness(spool: Spool, limit_bytes: int) -> Callable[[], str]:
    def full() -> str:
        waiting = spool.backlog().size_bytes
        return (
            f"{waiting >> 20:,} MiB wait to be sent, and there is no more room"
            if waiting > _ALMOST * limit_bytes
            else ""
        )

    return full


async def _forward(to: Connection, names: Names, forwarder: Forwarder, stop: asyncio.Event) -> None:
    """Forward, unless the brokers say that they will never let us in: an operator who starts this should hear it now.

    Raises:
        ContentError: a certificate, password or right is wrong.
    """
    asking, told = asyncio.ensure_future(to.check([names.records])), asyncio.ensure_future(stop.wait())
    either: set[asyncio.Future[Any]] = {asking, told}
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if asking.done():
            asking.result()
    except UnavailableError as error:
        log.warning("%s; records wait in the spool until then", error)
    finally:
        told.cancel()
        asking.cancel()
    await forwarder.run(stop)


async def _prune(spool: Spool, stop: asyncio.Event) -> None:
    """Give room that was freed back to the disk, and forget dead letters of which enough was told."""
    while not stop.is_set():
        try:
            await asyncio.to_thread(spool.prune, now())
        except UnavailableError as error:
            log.warning("the spool was not pruned: %s", error)
        await first_of(PRUNE_EVERY.total_seconds(), stop)
