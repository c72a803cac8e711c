"""The desk of the service: its address, its parts and the token that programs send logs with."""

from collections.abc import Callable, Mapping
from typing import Any

from breachwatch.console.app import ConsoleParts, create_app
from breachwatch.console.passwords import token_hash
from breachwatch.console.serving import WebServer, listen
from breachwatch.engines.embedded.spool import Spool
from breachwatch.ledger.store import Store
from breachwatch.pipeline import CaseFlow
from breachwatch.settings import Settings
from breachwatch.sources.source import Source
from breachwatch.wiring.clock import now
from breachwatch.wiring.tokens import kept_token


def build_desk(
    settings: Settings,
    flow: CaseFlow,
    store: Store,
    spool: Spool,
    sources: Mapping[str, Source],
    status: Callable[[], Mapping[str, Any]],
    mailbox_url: str,
) -> tuple[WebServer, str]:
    """The desk, listening but not yet answering, and its address."""
    section = settings.desk
    listener = listen(section.host, section.port)
    url = section.url(listener.getsockname()[1])
    app = create_app(
        ConsoleParts(
            flow=flow,
            ledger=store.ledger,
            outbox=store.outbox,
            team=store.team,
            now=now,
            status=status,
            append=spool.append,
            ingest_token_hash=token_hash(kept_token(settings.ingest.token_file or settings.state_dir / "ingest.token")),
            sources=tuple(name for name in sources if "@" not in name),
            allowed_hosts=section.allowed_hosts,
            secure_cookies=url.startswith("https://"),
            desk_url=url,
            mailbox_url=mailbox_url,
        )
    )
    return WebServer(app, listener, section.certificate_file, section.key_file), url
