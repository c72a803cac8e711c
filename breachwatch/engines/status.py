"""How the service is doing, for the desk's status page: inputs, totals, dead letters, troubles."""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol


class Watching(Protocol):
    """A loop that says what keeps it from its work: a plain sentence, empty when all is well."""

    name: str

    @property
    def trouble(self) -> str:
        """Why it cannot work just now."""


class Reporting(Protocol):
    """A collector that tells how it is doing."""

    def status(self) -> Mapping[str, Any]:
        """At least `trouble`: a plain sentence, empty when all is well."""


def service_status(
    engine: Mapping[str, Any], inputs: Iterable[tuple[str, str, Reporting]], watches: Iterable[Watching] = ()
) -> Mapping[str, Any]:
    """The status as the desk reads it.

    Args:
        engine: what the engine's `status()` says.
        inputs: (source, type, collector) of every way in.
        watches: the loops that keep cases moving.

    Returns:
        `sources`, `tallies`, `dead_letters`, `broken_rules`, `troubles` and `backlog`, as the desk documents them.
    """
    sources = [_input(source, how, collector.status()) for source, how, collector in inputs]
    troubles = [f"{place}: {text}" for place, text in engine["trouble"].items()]
    troubles += [f"{one['name']} ({one['how']}): {one['detail']}" for one in sources if one["detail"]]
    troubles += [f"{watch.name}: {watch.trouble}" for watch in watches if watch.trouble]
    tallies = engine["totals"]
    return {
        "sources": sources,
        "tallies": tallies,
        "dead_letters": sorted((name, why, n) for name, tally in tallies.items() for why, n in tally.dead.items()),
        "broken_rules": engine["broken_rules"],
        "troubles": troubles,
        "backlog": engine["waiting_chunks"],
    }


def _input(source: str, how: str, told: Mapping[str, Any]) -> dict[str, Any]:
    trouble = str(told.get("trouble") or "")
    state = "failed" if trouble else "reading"
    return {"name": source, "title": source, "how": how, "state": state, "detail": trouble, "last_at": None}
