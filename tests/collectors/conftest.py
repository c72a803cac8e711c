"""A spool in memory, for collectors."""

from collections.abc import Mapping
from typing import Any

import pytest

from breachwatch.kernel.errors import UnavailableError
from breachwatch.kernel.streams import Chunk


class Store:
    """Keeps chunks and positions together, as the spool does; refuses when told to."""

    def __init__(self) -> None:
        self.chunks: list[Chunk] = []
        self.positions: dict[str, Mapping[str, Any]] = {}
        self.refusing = False

    def append(self, chunk: Chunk, position: Mapping[str, Any] | None = None) -> None:
        if self.refusing:
            raise UnavailableError("full")
        self.chunks.append(chunk)
        if position is not None:
            self.positions[str(position["key"])] = position

    def position(self, key: str) -> Mapping[str, Any] | None:
        return self.positions.get(key)

    @property
    def lines(self) -> list[bytes]:
        return [record for chunk in self.chunks for record in chunk.records]

    def by_origin(self) -> dict[str, list[bytes]]:
        """Records of each origin in the order of their ordinals, which must have no gap."""
        origins: dict[str, dict[int, bytes]] = {}
        for chunk in self.chunks:
            place = origins.setdefault(chunk.origin, {})
            for ordinal, record in enumerate(chunk.records, chunk.first_ordinal):
                assert ordinal not in place, f"{chunk.origin} {ordinal} was given twice"
                place[ordinal] = record
        for origin, place in origins.items():
            assert sorted(place) == list(range(len(place))), f"{origin} has gaps"
        return {origin: [place[n] for n in range(len(place))] for origin, place in origins.items()}


@pytest.fixture
def store() -> Store:
    return Store()
