"""OTLP as a way in: its address, its token, and which source a record is of."""

from collections.abc import Mapping

from breachwatch.collectors.otlp import OtlpListener
from breachwatch.collectors.otlp_records import Routing
from breachwatch.console.serving import WebServer, listen
from breachwatch.engines.embedded.spool import Spool
from breachwatch.kernel.ports import Waypoint
from breachwatch.settings import OtlpInput, Settings
from breachwatch.sources.registry import zoned_name
from breachwatch.sources.source import Source
from breachwatch.wiring.clock import now
from breachwatch.wiring.tokens import kept_token


def build_otlp(
    entry: OtlpInput,
    settings: Settings,
    sources: Mapping[str, Source],
    spool: Spool,
    waypoint: Waypoint,
    instance: str = "",
) -> OtlpListener:
    """A listener, bound but not yet answering; `instance` where several machines take records for one engine.

    Raises:
        UnavailableError: the address cannot be listened on.
        ContentError: the token cannot be read.
    """
    zone = entry.timezone or ""
    names = {name: zoned_name(name, zone) for name in entry.every_source}
    routing = Routing(
        default=names[entry.source],
        attributes=entry.route_by,
        sources={value: names[name] for value, name in entry.sources.items()},
        json=frozenset(name for name in names.values() if sources[name].framing.kind == "json"),
    )
    token = kept_token(entry.token_file or settings.state_dir / "otlp.token")
    listener = listen(entry.host, entry.port)
    port = listener.getsockname()[1]
    return OtlpListener(
        f"{entry.host} port {port}",
        routing,
        token,
        spool.append,
        now,
        lambda app: WebServer(app, listener, entry.certificate_file, entry.key_file).run,
        waypoint,
        instance=instance,
    )
