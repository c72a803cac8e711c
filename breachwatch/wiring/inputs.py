"""Ways in: the sources that settings name, and a collector for each input of this machine."""

from collections.abc import Iterable, Mapping

from breachwatch.collectors.file_tail import FileTail
from breachwatch.collectors.otlp import OtlpListener
from breachwatch.collectors.stdin import StdinInlet
from breachwatch.collectors.syslog import SyslogListener
from breachwatch.engines.embedded.spool import Spool
from breachwatch.kernel.errors import ContentError, Problem
from breachwatch.kernel.ports import Waypoint
from breachwatch.settings import FileInput, KafkaInput, OtlpInput, Settings, StdinInput, SyslogInput
from breachwatch.sources.registry import load_sources
from breachwatch.sources.source import Source
from breachwatch.wiring.clock import now
from breachwatch.wiring.otlp import build_otlp

Collector = FileTail | SyslogListener | StdinInlet | OtlpListener
LocalInput = FileInput | SyslogInput | StdinInput | OtlpInput


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


def local_inputs(settings: Settings) -> list[LocalInput]:
    """The inputs that are read on this machine."""
    return [entry for entry in settings.inputs if not isinstance(entry, KafkaInput)]


def refuse_topics(settings: Settings) -> None:
    """Refuse inputs that only `breachwatch collect` can read.

    Raises:
        ContentError: with each of them.
    """
    topics = [entry.topic for entry in settings.inputs if isinstance(entry, KafkaInput)]
    if topics:
        hint = "run `breachwatch collect`, or `breachwatch up --engine kafka`"
        raise ContentError(
            [Problem("inputs", 0, 0, f"the embedded engine does not read topics: {topic}", hint) for topic in topics]
        )


def build_inputs(
    entries: Iterable[LocalInput],
    settings: Settings,
    sources: Mapping[str, Source],
    spool: Spool,
    waypoint: Waypoint,
) -> list[tuple[LocalInput, Collector]]:
    """A collector for each input, which puts what it takes into the spool; listeners listen already.

    Raises:
        ContentError: a token cannot be read.
        UnavailableError: an address cannot be listened on.
    """
    return [(entry, _collector(entry, settings, sources, spool, waypoint)) for entry in entries]


def _collector(
    entry: LocalInput, settings: Settings, sources: Mapping[str, Source], spool: Spool, waypoint: Waypoint
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
