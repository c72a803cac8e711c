"""A broker and a PostgreSQL to break, and a cluster on them that is made anew after a fault has spoiled it."""

import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def own_postgres() -> Iterator[Any]:
    """A server that a test may end and start again."""
    from faultlab.postgres import OwnPostgres

    server = OwnPostgres()
    yield server
    server.close()


class Standing:
    """A cluster that outlives a test, unless the test has spoiled it; then the brokers are healed, and all is new."""

    def __init__(self, brokers: Any, make: Callable[[], Any]) -> None:
        self._brokers = brokers
        self._make = make
        self._cluster: Any = None

    async def get(self) -> Any:
        if self._cluster is None or self._cluster.spoiled:
            self.end()
            self._brokers.thaw()
            self._brokers.start()
            self._cluster = await self._make().__aenter__()
        return self._cluster

    def end(self) -> None:
        if self._cluster is not None:
            self._cluster.close()


def _standing(
    nodes: int, start_kafka: Any, own_postgres: Any, tmp_path_factory: pytest.TempPathFactory, partitions: int
) -> Standing:
    def make() -> Any:
        from faultlab.cluster import Cluster

        folder = tmp_path_factory.mktemp("cluster")
        return Cluster(folder, brokers, own_postgres, copies=nodes, partitions=partitions)

    brokers = start_kafka(nodes)
    return Standing(brokers, make)


@pytest.fixture(scope="session")
def _one(start_kafka: Any, own_postgres: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standing]:
    standing = _standing(1, start_kafka, own_postgres, tmp_path_factory, 4)
    yield standing
    standing.end()


@pytest.fixture(scope="session")
def _three(start_kafka: Any, own_postgres: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standing]:
    standing = _standing(3, start_kafka, own_postgres, tmp_path_factory, 2)
    yield standing
    standing.end()


@pytest.fixture
async def cluster(_one: Standing) -> AsyncIterator[Any]:
    """Two workers, a clock and a courier on a single broker."""
    cluster = await _one.get()
    yield cluster
    await cluster.rest()


@pytest.fixture
async def cluster_on_three(_three: Standing) -> AsyncIterator[Any]:
    """The same on three brokers, which keep each record three times."""
    cluster = await _three.get()
    yield cluster
    await cluster.rest()
