"""Whatever breaks, breaks with load on; afterwards every record was matched once and every alert is what it would be.

Also: each story is one incident with all of its people, one clock, and one mail that came once. The long form is
`script/soak`.
"""

from typing import Any

import pytest
from faultlab.faults import ON_ONE, ON_THREE
from faultlab.verdict import settled


@pytest.mark.parametrize("fault", ON_ONE)
async def test_all_is_as_undisturbed_after(fault: str, cluster: Any) -> None:
    assert await problems_after(ON_ONE[fault], cluster) == []


@pytest.mark.parametrize("fault", ON_THREE)
async def test_all_is_as_undisturbed_with_three_brokers_after(fault: str, cluster_on_three: Any) -> None:
    assert await problems_after(ON_THREE[fault], cluster_on_three) == []


async def problems_after(fault: Any, cluster: Any) -> list[str]:
    cluster.spoiled = True  # until it is known to be well
    await fault(cluster, 1)
    problems = (await settled(cluster)).problems
    cluster.spoiled = bool(problems)
    return problems
