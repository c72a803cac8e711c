"""Ways in: the sources that settings name, and a collector for each input of this machine."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from breachwatch.collectors.file_tail import FileTail
from breachwatch.collectors.stdin import StdinInlet
from breachwatch.collectors.syslog import SyslogListener
from breachwatch.engines.embedded.spool import Spool
from breachwatch.kernel.errors import ContentError, Problem
from breachwatch.kernel.observing import SILENT, Observer
from breachwatch.kernel.ports import Waypoint
from breachwatch.kernel.streams import Chunk
from breachwatch.settings import FileInput, Input, KafkaInput, OtlpInput, Settings, StdinInput, SyslogInput
from breachwatch.sources.registry import load_sources
from breachwatch.sources.source import Source
from breachwatch.wiring.clock import now
from breachwatch.wiring.otlp import build_otlp

if TYPE_CHECKING:
    from breachwatch.collectors.packer import Packer


class Collector(Protocol):
    """One way in."""

    async def run(self, stop: asyncio.Event) -> None:
        """Take records until `stop` is set."""

    def status(self) -> Mapping[str, Any]:
        """What an operator should see; see `engines.status.Reporting`."""


def sources_of(settings: Settings) -> Mapping[str, Source]:
    """Every source that can be read under these settings, those with a zone of their own included.

    Raises:
        ContentError: source files with their problems, or inputs of sources that nobody knows.
    """
    zoned = {(name, entry.timezone) for entry in settings.inputs if entry.timezone for name in entry.every_source}
    sources = load_sources(settings.source_files, timezone=settings.organisation.timezone, zoned=zoned)
    unknown = [name for entry in settings.inputs for name in entry.every_source if name not in sources]
    if unknown:
        known = ", ".join(sorted(sources))
        raise ContentError(
            [Problem("inputs", 0, 0, f"no source is called {name!r}", f"known: {known}") for name in unknown]
        )
    return sources


def build_inputs(
    settings: Settings,
    sources: Mapping[str, Source],
    spool: Spool,
    waypoint: Waypoint,
    observer: Observer = SILENT,
    *,
    instance: str = "",
) -> list[tuple[Input, Collector]]:
    """A collector for each input, which puts what it takes into the spool; listeners listen already.

    Args:
        settings: the inputs, and where their tokens are.
        sources: every source of these settings.
        spool: where records go.
        waypoint: told of by every collector.
        observer: told by those that read topics.
        instance: where several machines collect for one engine, what this one is called: it begins the origin of what
            would have one origin on all of them, such as a file.

    Raises:
        ContentError: a token, a certificate or a password cannot be read, or no broker is named.
        UnavailableError: an address cannot be listened on.
    """
    built = _Building(settings, sources, spool, waypoint, observer, instance)
    return [(entry, built.collector(entry)) for entry in settings.inputs]


@dataclass(frozen=True, slots=True)
class _Building:
    settings: Settings
    sources: Mapping[str, Source]
    spool: Spool
    waypoint: Waypoint
    observer: Observer
    instance: str

    def collector(self, entry: Input) -> Collector:
        source, spool, waypoint = self.sources[entry.reads], self.spool, self.waypoint
        match entry:
            case KafkaInput():
                return self._packer(entry)
            case OtlpInput():
                return build_otlp(entry, self.settings, self.sources, spool, waypoint, self.instance)
            case FileInput(path=path, start=start):
                return FileTail(path, source.name, self._append, spool.position, now, waypoint=waypoint, start=start)
            case SyslogInput(host=address, port=port, protocol=protocol):
                unwrap = not source.syslog_header
                return SyslogListener(address, port, protocol, source.name, self._append, now, waypoint, unwrap=unwrap)
            case StdinInput():
                return StdinInlet(source.name, self._append, now, waypoint)

    def _append(self, chunk: Chunk, position: Mapping[str, Any] | None = None) -> int:
        """Store a chunk whose origin another machine might have as well."""
        if self.instance:
            chunk = replace(chunk, origin=f"{self.instance}/{chunk.origin}")
        return self.spool.append(chunk, position)

    def _packer(self, entry: KafkaInput) -> "Packer":
        from breachwatch.collectors.packer import Packer  # noqa: PLC0415 - clients of Kafka cost 0.3 s
        from breachwatch.engines.kafka.names import Names  # noqa: PLC0415
        from breachwatch.wiring.topics import reach  # noqa: PLC0415

        to = reach(entry if entry.brokers else self.settings.kafka)
        return Packer(
            entry.topic,
            entry.group or Names(self.settings.kafka.prefix).packer_group(entry.topic, entry.reads),
            entry.reads,
            to.client(),
            self.spool.append,
            self.spool.position,
            now,
            start=entry.start,
            cluster=entry.cluster,
            told=to.told,
            waypoint=self.waypoint,
            observer=self.observer,
        )
