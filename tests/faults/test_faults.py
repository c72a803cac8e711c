"""Whatever breaks, breaks with load on; afterwards every record was matched once and every alert is what it would be.

Also: each story is one incident with all of its people, one clock, and one mail that came once. The long form is
`script/soak`.
"""

from pathlib import Path
from typing import Any

import pytest
from faultlab.cluster import Cluster
from faultlab.faults import ON_ONE, ON_THREE
from faultlab.verdict import settled


@pytest.mark.parametrize("fault", ON_ONE)
async def test_after(fault: str, own_kafka: Any, own_postgres: Any, tmp_path: Path) -> None:
    async with Cluster(tmp_path, own_kafka, own_postgres) as cluster:
        await cluster.send(20)
        await ON_ONE[fault](cluster, 1)
        assert (await settled(cluster)).problems == []


@pytest.mark.parametrize("fault", ON_THREE)
async def test_with_three_brokers_after(fault: str, three_kafkas: Any, own_postgres: Any, tmp_path: Path) -> None:
    async with Cluster(tmp_path, three_kafkas, own_postgres, copies=3, partitions=2) as cluster:
        await cluster.send(20)
        await ON_THREE[fault](cluster, 1)
        assert (await settled(cluster)).problems == []
