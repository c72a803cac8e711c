"""The status page: what is read, what could not be, what waits to leave, what is refused or away."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from starlette.responses import Response

from breachwatch.console.access import ANYBODY, MEMBERS, Page
from breachwatch.console.visits import Visit
from breachwatch.console.words import OUTBOX_STATES, SOURCE_STATES
from breachwatch.kernel.errors import UnavailableError
from breachwatch.kernel.streams import Tally
from breachwatch.kernel.time import rfc3339

KINDS: Mapping[str, str] = {
    "notice": "Notices to people",
    "team_mail": "Mails to the team",
    "fact": "Facts for other programs",
}


def show_status(visit: Visit) -> Response:
    """How the service is doing."""
    told = visit.parts.status()
    tallies: Mapping[str, Tally] = told.get("tallies", {})
    total = sum(tallies.values(), Tally())
    counts = visit.parts.outbox.counts()
    return visit.page(
        "status.html",
        sources=told.get("sources", []),
        source_states=SOURCE_STATES,
        tallies=tallies,
        total=total,
        dead_letters=told.get("dead_letters") or dead_letters(tallies),
        allowed=[
            (source, entry, count)
            for source, tally in sorted(tallies.items())
            for entry, count in tally.allowed.items()
        ],
        broken_rules=told.get("broken_rules", {}),
        troubles=[*failing(told), *_troubles(counts)],
        backlog=told.get("backlog"),
        outbox=[(label, [counts.get((kind, state), 0) for state in OUTBOX_STATES]) for kind, label in KINDS.items()],
        outbox_states=list(OUTBOX_STATES.values()),
    )


def dead_letters(tallies: Mapping[str, Tally]) -> list[tuple[str, str, int]]:
    """(source, reason, number), most first."""
    found = [(source, reason, count) for source, tally in tallies.items() for reason, count in tally.dead.items()]
    return sorted(found, key=lambda row: -row[2])


def failing(told: Mapping[str, Any]) -> list[str]:
    """What the service says is wrong, and every failing source that it does not name there."""
    troubles = [str(trouble) for trouble in told.get("troubles", [])]
    for one in told.get("sources", []):
        detail = one.get("detail") or "see the log"
        if one.get("state") == "failed" and not any(detail in trouble for trouble in troubles):
            troubles.append(f"{one.get('title') or one.get('name')} cannot be read: {detail}.")
    return troubles


def _troubles(counts: Mapping[tuple[str, str], int]) -> list[str]:
    said = {"refused": "were refused for good", "retry": "are being tried again"}
    sums = Counter({(state, kind): count for (kind, state), count in counts.items() if state in said and count})
    return [f"{KINDS.get(kind, kind)}: {count} {said[state]}." for (state, kind), count in sorted(sums.items())]


def status_data(visit: Visit) -> dict[str, Any]:
    """The same for programs."""
    told = dict(visit.parts.status())
    tallies: Mapping[str, Tally] = told.pop("tallies", {})
    return {
        **{key: plain(value) for key, value in told.items()},
        "tallies": {
            name: {
                "records": tally.records,
                "events": tally.events,
                "late": tally.late,
                "ignored": dict(tally.ignored),
                "dead": dict(tally.dead),
                "allowed": dict(tally.allowed),
            }
            for name, tally in tallies.items()
        },
        "outbox": {f"{kind}/{state}": count for (kind, state), count in visit.parts.outbox.counts().items()},
    }


def plain(value: Any) -> Any:
    """A value as JSON can carry it: instants as RFC 3339, every kind of collection as an object or a list."""
    match value:
        case datetime():
            return rfc3339(value)
        case Mapping():
            return {str(key): plain(inner) for key, inner in value.items()}
        case list() | tuple() | set() | frozenset():
            return [plain(inner) for inner in value]
        case str() | int() | float() | bool() | None:
            return value
        case _:
            return str(value)


def healthz(visit: Visit) -> Response:
    """For load balancers: 200 while the ledger answers, 503 else; it says nothing more."""
    try:
        visit.parts.ledger.next_wake()
    except UnavailableError:
        return Response("ledger unavailable\n", 503, {"Retry-After": "5"}, "text/plain")
    return Response("ok\n", media_type="text/plain")


PAGES = (
    Page("GET", "/status", MEMBERS, show_status),
    Page("GET", "/healthz", ANYBODY, healthz),
)
