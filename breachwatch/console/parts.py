"""What the desk is made of: everything it calls arrives here."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from breachwatch.kernel.ports import Ledger, OutboxStore, Team
from breachwatch.kernel.streams import Chunk

if TYPE_CHECKING:
    from breachwatch.pipeline import CaseFlow


def _nothing_known() -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True, slots=True)
class ConsoleParts:
    """The parts of the desk.

    `append` takes one chunk of HTTP ingest and returns only when it is durable (raising `UnavailableError` when it
    cannot take it); None switches ingest off. `ingest_token_hash` is `passwords.token_hash(token)`. `sources` are the
    names ingest accepts. `allowed_hosts` are host names without port. `secure_cookies` says that the desk is reached
    over TLS. `desk_url` is how the team reaches it. `mailbox_url` is where a demo shows its mail, empty otherwise.

    `status()` tells how the service is doing; every key may be missing:

    - `sources`: list of {name, title, how, state (`reading`, `waiting`, `failed`), detail, last_at}
    - `tallies`: source name to `Tally`
    - `dead_letters`: list of (source, reason, number)
    - `broken_rules`: rule to what went wrong
    - `troubles`: plain sentences about what is refused or unavailable just now
    - `backlog`: chunks taken in and not matched yet
    """

    flow: "CaseFlow"
    ledger: Ledger
    outbox: OutboxStore
    team: Team
    now: Callable[[], datetime]
    status: Callable[[], Mapping[str, Any]] = _nothing_known
    append: Callable[[Chunk], object] | None = None
    ingest_token_hash: str = ""
    sources: Collection[str] = ()
    allowed_hosts: Collection[str] = ("localhost", "127.0.0.1", "[::1]")
    secure_cookies: bool = False
    desk_url: str = ""
    mailbox_url: str = ""
