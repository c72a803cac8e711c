"""The desk: its address, its parts and, where it takes logs, the token that programs send them with."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from breachwatch.console.app import ConsoleParts, create_app
from breachwatch.console.passwords import token_hash
from breachwatch.console.serving import WebServer, listen
from breachwatch.kernel.streams import Chunk
from breachwatch.wiring.casework import Casework
from breachwatch.wiring.clock import now
from breachwatch.wiring.tokens import kept_token


def build_desk(
    case: Casework,
    status: Callable[[], Mapping[str, Any]],
    append: Callable[[Chunk], object] | None = None,
    sources: Iterable[str] = (),
    mailbox_url: str = "",
) -> tuple[WebServer, str]:
    """The desk, listening but not yet answering, and its address.

    Args:
        case: whose files it shows.
        status: how the service is doing.
        append: stores what programs send, where the desk takes records too; else it takes none.
        sources: that may be sent.
        mailbox_url: of the demo's mailbox.

    Raises:
        UnavailableError: the address cannot be listened on.
        ContentError: the token cannot be read.
    """
    settings, section = case.settings, case.settings.desk
    listener = listen(section.host, section.port)
    url = section.url(listener.getsockname()[1])
    token = kept_token(settings.ingest.token_file or settings.state_dir / "ingest.token") if append else ""
    app = create_app(
        ConsoleParts(
            flow=case.flow,
            ledger=case.store.ledger,
            outbox=case.store.outbox,
            team=case.store.team,
            now=now,
            status=status,
            append=append,
            ingest_token_hash=token_hash(token) if token else "",
            sources=tuple(name for name in sources if "@" not in name),
            allowed_hosts=section.allowed_hosts,
            secure_cookies=url.startswith("https://"),
            desk_url=url,
            mailbox_url=mailbox_url,
        )
    )
    return WebServer(app, listener, section.certificate_file, section.key_file), url
