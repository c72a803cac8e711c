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
        """At least `trouble`: a plain sentence, empty when all is well.

        It may tell `place` (what is read), `waiting` (why there is nothing to read yet), `last_at` (when the last
        record of this run was taken) and `problems` (file to why it cannot be read).
        """


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
    troubles += [f"{what}: {count:,}" for what, count in engine.get("shortfalls", {}).items()]
    troubles += [f"started anew: {what}" for what in engine.get("refused_state", ())]
    troubles += [f"{one['name']} ({one['how']}): {one['detail']}" for one in sources if one["state"] == "failed"]
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
    problems = [f"{path}: {why}" for path, why in told.get("problems", {}).items()]
    trouble = "; ".join([*filter(None, [told.get("trouble")]), *problems])
    waiting = "" if trouble else str(told.get("waiting") or "")
    state = "failed" if trouble else "waiting" if waiting else "reading"
    place = f"{how} {told['place']}" if told.get("place") else how
    seen = {"state": state, "detail": trouble or waiting, "last_at": told.get("last_at")}
    return {"name": source, "title": source, "how": place, **seen}
