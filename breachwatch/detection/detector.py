"""The match stage: chunks in, matches out. Stateless, so any worker may take any chunk."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from breachwatch.detection.matching.finder import Finder
from breachwatch.detection.playbooks.content import Content
from breachwatch.detection.telling.tellers import Teller
from breachwatch.detection.trying.adjustments import Allowed
from breachwatch.detection.trying.allow_lists import allow_lists
from breachwatch.kernel.ids import EventId, event_ids
from breachwatch.kernel.pseudonyms import Pseudonymise
from breachwatch.kernel.streams import Chunk, DeadLetter, Match, Tally
from breachwatch.kernel.time import to_microseconds
from breachwatch.sources.event import Event
from breachwatch.sources.source import Source

MAX_PEOPLE_REMEMBERED = 65_536
"""Identifiers whose pseudonym is kept at hand; a keyed digest costs more than a whole match."""

_LOOKED_AT = 3


@dataclass(frozen=True, slots=True)
class Detected:
    """What a chunk held. `broken_rules`: rule id to the error that switched it off, for rules broken so far.

    `newest_us`: how far the time of the source has come, by the last of its records that tells; None if none does.
    """

    matches: list[Match]
    dead: list[DeadLetter]
    tally: Tally
    broken_rules: Mapping[str, str]
    newest_us: int | None = None


class _Plan:
    """One source with its rules compiled, and what tells a match of each."""

    def __init__(
        self, content: Content, source: Source, pseudonymise: Pseudonymise, allowed: Sequence[Allowed]
    ) -> None:
        self.source = source
        self.rules = [rule for rule in content.rules if source.name in rule.sources]
        self.finder = Finder(source, self.rules)
        self.tellers = [Teller(rule, content.playbooks[rule.playbook], source, pseudonymise) for rule in self.rules]
        self.allowed = allow_lists(allowed, source, self.rules)

    def broken(self) -> dict[str, str]:
        """Rules of this source that were switched off."""
        return {self.rules[at].id: f"{error}, source {self.source.name}" for at, error in self.finder.broken.items()}


class Detector:
    """Matches every rule of the content against the records of its sources.

    Args:
        content: what `load_content` gave.
        sources: by name, as they were when the content was loaded.
        pseudonymise: what makes references of people; identifiers go no further.
        allowed: what the operator allows; such matches are counted in the tally and go no further either.
    """

    def __init__(
        self,
        content: Content,
        sources: Mapping[str, Source],
        pseudonymise: Pseudonymise,
        allowed: Sequence[Allowed] = (),
    ) -> None:
        remembering = lru_cache(maxsize=MAX_PEOPLE_REMEMBERED)(pseudonymise)
        self._plans = {name: _Plan(content, source, remembering, allowed) for name, source in sources.items()}

    def match(self, chunk: Chunk) -> Detected:
        """Read and match a chunk's records. Never raises: a rule that does is switched off and named."""
        plan = self._plans.get(chunk.source)
        if plan is None:
            return _unknown(chunk)
        too_long = {index for index, _ in chunk.oversized}
        found = plan.finder.find(chunk.records, to_microseconds(chunk.received_at), too_long)
        matches: list[Match] = []
        allowed: dict[str, int] = {}
        name_of = event_ids(chunk.origin)
        for index, event, hits in found.hits:
            rules = _unless_allowed(plan, hits, event, allowed) if plan.allowed else hits
            _tell(plan, rules, event, name_of(chunk.first_ordinal + index), matches)
        dead = [
            DeadLetter(chunk.source, chunk.origin, chunk.first_ordinal + index, outcome.reason)
            for index, outcome in found.dead
        ]
        tally = Tally(
            len(chunk.records), found.events, ignored=dict(found.ignored), dead=_by_reason(dead), allowed=allowed
        )
        return Detected(matches, dead, tally, self._broken(), _newest(plan.source, chunk, too_long))

    def _broken(self) -> dict[str, str]:
        return {
            rule: error for plan in self._plans.values() if plan.finder.broken for rule, error in plan.broken().items()
        }


def _unless_allowed(plan: _Plan, found: Sequence[int], event: Event, allowed: dict[str, int]) -> list[int]:
    """The rules that an event counts for; what it is allowed to is counted by the entry that allows it."""
    kept: list[int] = []
    for at in found:
        entry = plan.allowed[at].allows(event) if at in plan.allowed else ""
        if entry:
            allowed[entry] = allowed.get(entry, 0) + 1
        else:
            kept.append(at)
    return kept


def _tell(plan: _Plan, found: Sequence[int], event: Event, name: EventId, matches: list[Match]) -> None:
    for at in found:
        if at in plan.finder.broken:
            continue
        try:
            matches.append(plan.tellers[at].match(event, name))
        except Exception as error:
            plan.finder.switch_off(at, f"{type(error).__name__} while telling a match")


def _newest(source: Source, chunk: Chunk, too_long: Container[int]) -> int | None:
    """The time of the last record of a chunk that is an event, if it is among its last few: most logs are in order."""
    read, received_us = source.glance or source.parse, to_microseconds(chunk.received_at)
    size = len(chunk.records)
    for index in range(size - 1, max(size - 1 - _LOOKED_AT, -1), -1):
        if index not in too_long:
            try:
                outcome = read(chunk.records[index], received_us)
            except Exception:  # noqa: S112 - the scan has counted it already
                continue
            if isinstance(outcome, Event):
                return outcome.at_us
    return None


def _unknown(chunk: Chunk) -> Detected:
    dead = [
        DeadLetter(chunk.source, chunk.origin, chunk.first_ordinal + index, "unknown source")
        for index in range(len(chunk.records))
    ]
    return Detected([], dead, Tally(records=len(dead), dead=_by_reason(dead)), {})


def _by_reason(dead: list[DeadLetter]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for letter in dead:
        counts[letter.reason] = counts.get(letter.reason, 0) + 1
    return counts
