"""The desk of the service: its address, its parts and the token that programs send logs with."""

import os
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from breachwatch.console.app import ConsoleParts, create_app
from breachwatch.console.passwords import token_hash
from breachwatch.console.serving import WebServer, listen
from breachwatch.engines.embedded.spool import Spool
from breachwatch.ledger.store import Store
from breachwatch.pipeline import CaseFlow
from breachwatch.settings import Settings, read_secret
from breachwatch.sources.source import Source
from breachwatch.wiring.clock import now


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
            ingest_token_hash=token_hash(_ingest_token(settings)),
            sources=tuple(name for name in sources if "@" not in name),
            allowed_hosts=section.allowed_hosts,
            secure_cookies=url.startswith("https://"),
            desk_url=url,
            mailbox_url=mailbox_url,
        )
    )
    return WebServer(app, listener, section.certificate_file, section.key_file), url


def _ingest_token(settings: Settings) -> str:
    path = settings.ingest.token_file or settings.state_dir / "ingest.token"
    if not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
    return read_secret(path)
