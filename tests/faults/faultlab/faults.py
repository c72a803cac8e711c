"""The faults, each with load on. What must be true afterwards is the same for all: see `verdict`.

Each takes the cluster and a scale: 1 is the short form, in which nothing lasts longer than it must to be what it is.
"""

import asyncio
import contextlib
import itertools
import random
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from breachwatch.engines.kafka.reading import Reader
from faultlab.cluster import Cluster, held
from faultlab.load import large

Fault = Callable[[Cluster, int], Awaitable[str]]
_CHUNKS = 80
_AT_WORK = 4


@contextlib.asynccontextmanager
async def under_load(cluster: Cluster, at_least: int = _CHUNKS) -> AsyncIterator[None]:
    """Chunks go on being sent for as long as the body takes, and at least so many."""
    over = asyncio.Event()
    began = cluster.sent

    async def sending() -> None:
        while not over.is_set() or cluster.sent - began < at_least:
            await cluster.send(1)

    task = asyncio.create_task(sending())
    try:
        yield
    finally:
        over.set()
        await task


async def moved(cluster: Cluster, chunks: int) -> None:
    """Wait until so many more chunks are sent."""
    goal = cluster.sent + chunks

    async def there() -> bool:
        return cluster.sent >= goal

    await cluster.until(there, f"{chunks} more chunks are sent")


async def running(cluster: Cluster) -> None:
    """Wait until every process that is wanted runs and says so."""

    async def there() -> bool:
        return cluster.wanted <= set(cluster.running)

    await cluster.until(there, "every process runs")


async def passes(cluster: Cluster, seconds: float) -> None:
    """Let a fault last; the duration is what it is about."""
    end = time.monotonic() + seconds

    async def over() -> bool:
        return time.monotonic() >= end

    await cluster.until(over, "time passes", seconds + 60)


# ------------------------------------------------------------------------------------------ processes


async def worker_killed(cluster: Cluster, scale: int) -> str:
    """`kill -9` of a worker at random, at a random moment: at work, while partitions are moved, while state is read.

    `scale` times two. Often enough there is a pause until something was done, so that there is something to lose.
    """
    chance = random.Random(cluster.sent)  # noqa: S311
    async with under_load(cluster), Reader(cluster.connection.client()) as reader:
        for kill in range(2 * scale):
            if kill % _AT_WORK == 0:
                await done(cluster, reader)
            await moved(cluster, chance.randint(1, 40))
            await killed(cluster, chance.choice(cluster.workers))
    return f"{cluster.ends['worker', -signal.SIGKILL]} kills"


async def killed(cluster: Cluster, name: str) -> None:
    """Kill a process, once it runs, and wait until it is dead."""
    await running(cluster)
    before = cluster.ends[name.partition("-")[0], -signal.SIGKILL]
    cluster.signal(name, signal.SIGKILL)

    async def dead() -> bool:
        return cluster.ends[name.partition("-")[0], -signal.SIGKILL] > before

    await cluster.until(dead, f"{name} is dead")


async def done(cluster: Cluster, reader: Reader) -> None:
    """Wait until the workers have made something more durable."""

    async def written() -> int:
        return sum((await reader.ends(cluster.names.progress, list(range(cluster.partitions)))).values())

    before = await written()

    async def more() -> bool:
        return await written() > before

    await cluster.until(more, "the workers do something")


async def others_killed(cluster: Cluster, scale: int) -> str:
    """`kill -9` of the process that keeps cases moving."""
    for _ in range(scale):
        async with under_load(cluster, 40):
            await moved(cluster, 20)
            await killed(cluster, "clock-0")
    return f"{scale} kills"


async def stalled(cluster: Cluster, scale: int) -> str:
    """A consumer falls silent and its process lives on: the watchdog ends it, and another one takes its place."""
    name = cluster.workers[0]
    before = cluster.ends["worker", 75]
    async with under_load(cluster):
        with held(cluster.handle("stall", name)):

            async def ended() -> bool:
                return cluster.ends["worker", 75] > before

            await cluster.until(ended, "the watchdog has ended a worker that stands still")
    return "ended by its watchdog (75)"


async def slow(cluster: Cluster, scale: int) -> str:
    """One worker takes half a second longer for each batch."""
    with held(cluster.handle("slow", cluster.workers[0]), "0.5"):
        async with under_load(cluster, 100 * scale):
            pass
    return "0.5 s a batch"


async def storm(cluster: Cluster, scale: int) -> str:
    """Workers join and leave all the time, one every few seconds: they are asked to go, or killed."""
    turns, every = 3 * scale, 5.0 if scale > 1 else 1.5
    async with under_load(cluster):
        for turn in range(turns):
            cluster.wanted ^= {"worker-8"} if turn % 2 else {"worker-9"}
            await passes(cluster, every)
        cluster.wanted -= {"worker-8", "worker-9"}
    return f"{turns} joins and leaves, {every} s apart"


async def clock_jumps(cluster: Cluster, scale: int) -> str:
    """The wall clock of a worker jumps a day ahead, then a day back, while it works."""
    async with under_load(cluster, 120):
        for off in ("86400", "-86400"):
            with held(cluster.handle("clock", cluster.workers[0]), off):
                await moved(cluster, 40)
    return "a day ahead, a day back"


async def partitioned_worker(cluster: Cluster, scale: int) -> str:
    """A worker is cut off (SIGSTOP) until the others have taken its partitions, then comes back with what it held."""
    name = cluster.workers[-1]
    async with under_load(cluster):
        await moved(cluster, 10)
        cluster.signal(name, signal.SIGSTOP)
        await passes(cluster, 9.0 * (1 if scale == 1 else 3))
        cluster.signal(name, signal.SIGCONT)
    return "cut off beyond its session"


# ------------------------------------------------------------------------------------------ records


async def poisoned(cluster: Cluster, scale: int) -> str:
    """Values that are none of ours, among the others."""
    async with under_load(cluster, 40):
        for value in (b"", b"\x00\xff poison", b'{"records": 7}'):
            await cluster.deliver(value, cluster.poison % cluster.partitions)
            cluster.poison += 1
    return "3 values"


async def large_record(cluster: Cluster, scale: int) -> str:
    """A record of 2 MiB."""
    async with under_load(cluster, 40):
        await cluster.send_chunk(large(cluster.large))
        cluster.large += 1
    return "1 record of 2 MiB"


# ------------------------------------------------------------------------------------------ brokers and database


async def broker_killed(cluster: Cluster, scale: int) -> str:
    """`kill -9` of the only broker, and its start."""
    for _ in range(scale):
        async with under_load(cluster):
            await moved(cluster, 10)
            cluster.broker.kill()
            await asyncio.to_thread(cluster.broker.start)
    return f"{scale} kills"


async def broker_stopped(cluster: Cluster, scale: int) -> str:
    """The only broker is stopped for a while: 5 s, or 60 s in the long form."""
    seconds = 5.0 if scale == 1 else 60.0
    async with under_load(cluster):
        await moved(cluster, 10)
        await asyncio.to_thread(cluster.broker.stop)
        await passes(cluster, seconds)
        await asyncio.to_thread(cluster.broker.start)
    return f"away for {seconds:.0f} s"


async def broker_frozen(cluster: Cluster, scale: int) -> str:
    """The only broker keeps its connections and answers nothing."""
    seconds = 5.0 if scale == 1 else 40.0
    async with under_load(cluster):
        await moved(cluster, 10)
        cluster.broker.freeze()
        await passes(cluster, seconds)
        cluster.broker.thaw()
    return f"frozen for {seconds:.0f} s"


async def one_of_three_killed(cluster: Cluster, scale: int) -> str:
    """`kill -9` of each of three brokers in turn, while the other two go on."""
    nodes = list(itertools.islice(itertools.cycle((1, 2, 3)), scale))
    for node in nodes:
        async with under_load(cluster, 60):
            await moved(cluster, 10)
            cluster.broker.kill(node)
            await moved(cluster, 30)
            await asyncio.to_thread(cluster.broker.start)
    return f"{len(nodes)} kills"


async def writes_refused(cluster: Cluster, scale: int) -> str:
    """Two of three brokers are cut off: the third has too few copies to take a write, and refuses until they return."""
    async with under_load(cluster, 60):
        await moved(cluster, 10)
        cluster.broker.freeze(1)
        cluster.broker.freeze(2)
        await passes(cluster, 6.0 if scale == 1 else 30.0)
        cluster.broker.thaw()
    return "too few copies, then enough"


async def database_restarted(cluster: Cluster, scale: int) -> str:
    """PostgreSQL ends at once and comes back."""
    for _ in range(scale):
        async with under_load(cluster):
            await moved(cluster, 20)
            await asyncio.to_thread(cluster.postgres.restart)
    return f"{scale} restarts"


ON_ONE: dict[str, Fault] = {
    "a worker is killed": worker_killed,
    "the clock process is killed": others_killed,
    "a worker is cut off and comes back": partitioned_worker,
    "a consumer stalls without dying": stalled,
    "a slow consumer": slow,
    "a rebalance storm": storm,
    "clocks jump": clock_jumps,
    "a poisoned record": poisoned,
    "a record of 2 MiB": large_record,
    "PostgreSQL is restarted": database_restarted,
    "the broker is killed": broker_killed,
    "the broker is stopped": broker_stopped,
    "the broker is frozen": broker_frozen,
}
ON_THREE: dict[str, Fault] = {
    "one of three brokers is killed": one_of_three_killed,
    "the brokers refuse writes": writes_refused,
}
