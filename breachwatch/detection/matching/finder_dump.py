"""What is kept of a finder from one start to the next, in plain data."""

from collections.abc import Sequence
from dataclasses import fields
from hashlib import blake2b

import msgspec

from breachwatch.detection.rules import Rule
from breachwatch.sources.source import Source


class Dump(msgspec.Struct, array_like=True):
    """What is kept of a finder: `edition` tells for which source and rules."""

    edition: str
    everything: bool
    clauses: tuple[tuple[str, ...] | None, ...]
    packed: bytes
    lessons: int


DUMPS = msgspec.msgpack.Decoder(Dump)
_VERSION = 3
"""Raised when other witnesses are claimed for the same rules."""


def edition_of(source: Source, rules: Sequence[Rule]) -> str:
    """A digest of all that the witnesses of some rules depend on."""
    raw = [_steady(getattr(source.raw, each.name)) for each in fields(source.raw)] if source.raw is not None else []
    told = repr((_VERSION, source.name, raw, [rule.id for rule in rules]))
    return blake2b(told.encode("utf-8", "replace"), digest_size=16).hexdigest()


def _steady(value: object) -> object:
    """A value as it is written the same in every process: a set is in another order in each."""
    return sorted(map(str, value)) if isinstance(value, frozenset) else value
