"""What makes a change to the case file show: three seals under keys that are not in the database.

- A fact carries the hash of the one before (anybody can check it) and a MAC over its own hash (nobody can forge it).
- A head seals how far its incident's chain goes.
- The total seals all heads together: their number, the number of facts, and the sum of one secret value a head.

Whoever writes to the database without the master key can neither change, add, reorder nor drop a fact, nor cut a
chain or take a whole incident out, without one of the three not fitting.
"""

import hmac
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, NamedTuple

from breachwatch.kernel.facts import GENESIS, seal
from breachwatch.kernel.time import from_microseconds
from breachwatch.ledger.keys import MasterKey

_MODULUS = 2**256


class Head(NamedTuple):
    """The end of one incident's chain. `whole` turns False for good once a stored head was not ours."""

    incident_id: str
    seq: int = 0
    hash: str = GENESIS
    whole: bool = True


class Total(NamedTuple):
    """All heads in one row; `sum` is modulo 2**256. `whole` as in `Head`."""

    incidents: int = 0
    facts: int = 0
    sum: int = 0
    whole: bool = True


class StoredFact(NamedTuple):
    """A row of `facts` as it lies in the database, trusted in nothing; `at` in microseconds since 1970."""

    incident_id: Any
    seq: Any
    type: Any
    at: Any
    actor: Any
    actor_kind: Any
    body: Any
    prev_hash: Any
    hash: Any
    mac: Any


@dataclass(frozen=True, slots=True)
class Seals:
    """Makes and checks every MAC of the chain; each kind under a key of its own."""

    fact_key: bytes
    head_key: bytes
    sum_key: bytes
    total_key: bytes

    @classmethod
    def under(cls, keys: MasterKey) -> "Seals":
        """The seals that belong to a master key."""
        return cls(*(keys.derive(purpose) for purpose in ("seal-fact", "seal-head", "sum-head", "seal-total")))

    def fact(self, fact_hash: str) -> str:
        """The MAC of one fact; its hash covers all else."""
        return _mac(self.fact_key, fact_hash)

    def head(self, head: Head) -> str:
        """The MAC of one head; empty, and so never right again, when the head is not whole."""
        return _mac(self.head_key, *head[:3]) if head.whole else ""

    def total(self, total: Total) -> str:
        """The MAC of the total; empty when it is not whole."""
        return _mac(self.total_key, *total[:3]) if total.whole else ""

    def add(self, total: Total, before: Head, after: Head) -> Total:
        """The total once a head has moved on."""
        gone = self._share(before) if before.seq else 0
        return Total(
            total.incidents + (before.seq == 0),
            total.facts + after.seq - before.seq,
            (total.sum - gone + self._share(after)) % _MODULUS,
            total.whole,
        )

    def _share(self, head: Head) -> int:
        return int(_mac(self.sum_key, *head[:3]), 16)


def _mac(key: bytes, *parts: str | int) -> str:
    return hmac.digest(key, "\0".join(map(str, parts)).encode("utf-8", "surrogatepass"), "sha256").hex()


def same(stored: object, right: str) -> bool:
    """Compare a stored MAC in constant time, whatever lies in its place."""
    return isinstance(stored, str) and hmac.compare_digest(stored.encode("utf-8", "surrogatepass"), right.encode())


class Broken(NamedTuple):
    """The first break of one chain."""

    incident_id: str
    seq: int
    what: str

    def __str__(self) -> str:
        return f"{self.incident_id} seq {self.seq}: {self.what}"


def first_break(seals: Seals, incident_id: str, facts: Iterable[StoredFact]) -> Broken | Head:
    """Walk one chain, oldest first; where it breaks, or the end it comes to."""
    end = Head(incident_id)
    for fact in facts:
        wanted = end.seq + 1
        if fact.seq != wanted:
            return Broken(incident_id, wanted, "this fact is missing")
        if fact.prev_hash != end.hash:
            return Broken(incident_id, wanted, "this fact does not follow the one before")
        if _sealed_hash(fact) != fact.hash:
            return Broken(incident_id, wanted, "this fact is not what was written")
        if not same(fact.mac, seals.fact(fact.hash)):
            return Broken(incident_id, wanted, "this fact was not written by breachwatch")
        end = Head(incident_id, wanted, fact.hash)
    return end


def _sealed_hash(fact: StoredFact) -> str | None:
    columns = (fact.prev_hash, fact.incident_id, fact.type, fact.actor, fact.actor_kind, fact.body)
    if not all(isinstance(column, str) for column in columns) or type(fact.at) is not int:
        return None
    try:
        at: datetime = from_microseconds(fact.at)
        return seal(fact.prev_hash, fact.incident_id, fact.seq, fact.type, at, fact.actor, fact.actor_kind, fact.body)
    except (OverflowError, UnicodeError):
        return None


def break_of(
    seals: Seals, incident_id: str, stored: tuple[Any, Any, Any] | None, facts: Iterable[StoredFact]
) -> Broken | None:
    """Where the chain of one incident breaks first, its head (seq, hash, mac) included; None when it is whole."""
    end = first_break(seals, incident_id, facts)
    if isinstance(end, Broken):
        return end
    if not end.seq and stored is None:
        return None
    return _head_break(seals, end, stored)


def breaks(
    seals: Seals,
    heads: Mapping[str, tuple[Any, Any, Any]],
    facts: Iterable[StoredFact],
    total: tuple[Any, Any, Any, Any] | None,
) -> Iterator[Broken]:
    """Every break in the ledger: the first of each incident, then of the total.

    Args:
        seals: made from the master key.
        heads: incident to stored (seq, hash, mac).
        facts: all rows, those of one incident together and by seq.
        total: the stored (incidents, facts, sum, mac); None when there is no such row.
    """
    unseen = dict(heads)
    for incident_id, rows in groupby(facts, key=lambda fact: fact.incident_id):
        stored = unseen.pop(incident_id, None)
        if broken := break_of(seals, str(incident_id), stored, rows):
            yield broken
    for incident_id in unseen:
        yield Broken(str(incident_id), 1, "the whole chain is missing")
    if broken := _total_break(seals, heads, total):
        yield broken


def _head_break(seals: Seals, end: Head, stored: tuple[Any, Any, Any] | None) -> Broken | None:
    if stored is None:
        return Broken(end.incident_id, end.seq, "this chain was never sealed: put in, or its head was taken out")
    seq, _, mac = stored
    if stored[:2] == (end.seq, end.hash) and same(mac, seals.head(end)):
        return None
    if _is_count(seq) and seq > end.seq:
        return Broken(end.incident_id, end.seq + 1, "this fact is missing at the end of the chain")
    return Broken(end.incident_id, end.seq, "this is not the end that was sealed")


def _total_break(
    seals: Seals, heads: Mapping[str, tuple[Any, Any, Any]], stored: tuple[Any, Any, Any, Any] | None
) -> Broken | None:
    if stored is None:
        return Broken("ledger", 0, "the seal over all incidents is missing")
    incidents, facts, summed, mac = stored
    if not same(mac, _mac(seals.total_key, incidents, facts, summed)):
        return Broken("ledger", 0, "the seal over all incidents is not the one that was written")
    if incidents != len(heads):
        return Broken("ledger", 0, f"{incidents} incidents were written, {len(heads)} are here")
    found = Total()
    for incident_id, (seq, end_hash, head_mac) in heads.items():
        head = Head(incident_id, seq, end_hash)
        if not _is_count(seq) or not same(head_mac, seals.head(head)):
            return None  # already named above; nothing can be added up with it
        found = seals.add(found, Head(incident_id), head)
    if (facts, summed) != (found.facts, str(found.sum)):
        return Broken("ledger", 0, "an incident was put back to an earlier end, or taken out for another")
    return None


def _is_count(value: object) -> bool:
    return type(value) is int
