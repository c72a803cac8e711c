"""Who may call what, as data: every route of the desk is one `Page`, and the table is built from them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from breachwatch.kernel.facts import Role

Access = frozenset[Role] | Literal["public", "token"]

ANYBODY: Access = "public"
"""No session needed: the way in, and what tells a load balancer that we live."""
TOKEN: Access = "token"  # noqa: S105 (the kind of access, not a token)
"""A program with the ingest token, never a person."""
MEMBERS: Access = frozenset({"analyst", "dpo", "admin"})
"""Whoever is signed in."""
CASEWORK: Access = frozenset({"analyst", "dpo"})
"""Those who work on incidents. An administrator keeps the team and sees no case."""
DPO: Access = frozenset({"dpo"})
"""What has legal weight: decisions, approvals, submissions, the register."""
ADMIN: Access = frozenset({"admin"})
"""The team itself."""


@dataclass(frozen=True, slots=True)
class Page:
    """One route. `answer` is called in a worker thread with a `Visit` and returns a response.

    `kind`: `page` speaks HTML to people, `data` speaks JSON to programs with a session, `raw` does all by itself.
    `limit`: the largest body it takes, in bytes.
    """

    method: Literal["GET", "POST"]
    path: str
    access: Access
    answer: Callable[..., Any]
    kind: Literal["page", "data", "raw"] = "page"
    limit: int = 256 * 1024


def table(pages: Iterable[Page]) -> dict[tuple[str, str], Access]:
    """(method, path template) to who may call it: what `app.state.access` holds and the tests read."""
    return {(page.method, page.path): page.access for page in pages}
