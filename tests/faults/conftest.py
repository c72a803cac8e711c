"""A broker and a PostgreSQL to break, and a cluster on them that is made anew after a fault has spoiled it."""

import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
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
