"""Where a match is counted: by family of correlations and key, so that many correlators may share the work.

All that is counted together has one key, and one key has one partition, for ever: what was stored is found again.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import islice, product
from math import prod

from breachwatch.detection.correlating.families import families
from breachwatch.detection.correlating.signals import MAX_COMBINATIONS, Address
from breachwatch.detection.playbooks.content import Content
from breachwatch.detection.rules import SEPARATOR
from breachwatch.kernel.streams import Match

Route = tuple[str, bytes, Match]
"""(family, key, match). The match of one value where the event has a list in a field of the key."""


@dataclass(frozen=True, slots=True)
class _Way:
    """How the matches of a rule come into one family. `prefix`: what the family's keys begin with."""

    family: str
    prefix: bytes
    fields: tuple[str, ...]
    absent: str | None


class Router:
    """Says of a match which families count it, and under which key.

    Args:
        content: what `load_content` gave. Its families are the same in every process that read the same.
    """

    def __init__(self, content: Content) -> None:
        ways: dict[Address, list[_Way]] = {}
        for family in families(content):
            prefix = _part(family.name)
            for rule, entrance in family.entrances.items():
                absent = "" if entrance.lenient else None
                ways.setdefault(rule, []).append(_Way(family.name, prefix, entrance.fields, absent))
        self._ways: Mapping[Address, Sequence[_Way]] = ways
        self._short: Counter[str] = Counter()

    @property
    def shortfalls(self) -> Mapping[str, int]:
        """Groups of one event that were left out for its lists are too long, in words, and how often."""
        return dict(self._short)

    def route(self, match: Match) -> Sequence[Route]:
        """Every place where a match is counted: none if no correlation listens, or what it groups by is not there."""
        found: list[Route] = []
        values = match.values
        for way in self._ways.get((match.playbook, match.rule), ()):
            if len(way.fields) == 1:
                text = values.get(way.fields[0], way.absent)
                if text is not None and SEPARATOR not in text:
                    found.append((way.family, way.prefix + _part(text), match))
                    continue
            found.extend(self._narrowed(match, way))
        return found

    def split(self, matches: Iterable[Match], partitions: int) -> dict[int, dict[str, list[Match]]]:
        """Matches by target partition and family, each in order of arrival.

        Args:
            matches: of any rules.
            partitions: how many there are, at least 1.
        """
        found: dict[int, dict[str, list[Match]]] = {}
        ways = self._ways
        for match in matches:
            values = match.values
            for way in ways.get((match.playbook, match.rule), ()):
                text = values.get(way.fields[0], way.absent) if len(way.fields) == 1 else None
                if text is not None and SEPARATOR not in text:
                    place = partition_of(way.prefix + _part(text), partitions)
                    found.setdefault(place, {}).setdefault(way.family, []).append(match)
                    continue
                for family, key, narrowed in self._narrowed(match, way):
                    place = partition_of(key, partitions)
                    found.setdefault(place, {}).setdefault(family, []).append(narrowed)
        return found

    def _narrowed(self, match: Match, way: _Way) -> Iterable[Route]:
        """One route for each value, or combination of values, of the key."""
        texts = [match.values.get(field, way.absent) for field in way.fields]
        lists = [[] if text is None else list(dict.fromkeys(text.split(SEPARATOR))) for text in texts]
        size = prod(map(len, lists))
        if size > MAX_COMBINATIONS:
            name = f"{match.playbook}/{match.rule}: groups of one event left out, for its lists are long"
            self._short[name] += size - MAX_COMBINATIONS
        several = size > 1
        for values in islice(product(*lists), MAX_COMBINATIONS):
            narrowed = dict(zip(way.fields, values, strict=True))
            one = replace(match, values={**match.values, **narrowed}) if several else match
            yield way.family, b"".join((way.prefix, *map(_part, values))), one


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a key, from 0. The same for ever: what is stored lies there."""
    return int.from_bytes(blake2b(key, digest_size=8).digest(), "big") % partitions


def _part(text: str) -> bytes:
    """A text as part of a key: its length in UTF-8 bytes, 4 bytes, and those; so that no two keys are spelt alike."""
    raw = text.encode("utf-8", "surrogatepass")
    return len(raw).to_bytes(4, "big") + raw
