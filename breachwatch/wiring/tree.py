"""`breachwatch up --engine kafka`: every process of a cluster on this machine, as one tree."""

import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from breachwatch.engines.host import Part
from breachwatch.engines.supervising import Child, Supervisor
from breachwatch.ledger.keys import open_keys
from breachwatch.settings import Role, Settings, StdinInput
from breachwatch.wiring.detecting import LiveContent
from breachwatch.wiring.inputs import sources_of
from breachwatch.wiring.moving import nothing_waits
from breachwatch.wiring.observing import observe
from breachwatch.wiring.process import Process
from breachwatch.wiring.stores import store_with
from breachwatch.wiring.topics import TopicsReport, apply_topics, compare_topics


@dataclass(frozen=True, slots=True)
class Tree:
    """The tree, put together and not yet running. `anybody`: whether somebody may sign in to the desk."""

    process: Process
    supervisor: Supervisor
    topics: TopicsReport
    anybody: bool


def build_tree(settings: Settings, config: Path, *, workers: int = 1, log_format: str = "") -> Tree:
    """Everything that a first start needs is looked at, or made, here: playbooks, keys, ledger and topics.

    Args:
        settings: as they were read.
        config: the file that the children read.
        workers: how many share the partitions.
        log_format: of the children's log lines, if it is not what the settings say.

    Raises:
        ContentError: what is wrong with any of them.
        UnavailableError: the database, the brokers or an address cannot be had.
        TamperedError: the ledger was sealed with another master key.
        RefusedError: the embedded engine runs on this folder, or has left records there that it did not match.
    """
    sources = sources_of(settings)
    LiveContent(settings, sources)
    keys = open_keys(settings.state_dir)
    with ExitStack() as opened:
        nothing_waits(settings, keys, opened)
    store = store_with(settings, keys)
    try:
        anybody = bool(store.team.members())
    finally:
        store.close()
    topics = _topics(settings)
    seeing = observe(settings, "up", sources)
    supervisor = Supervisor(children(settings, config, workers, log_format), observer=seeing.observer)
    for name in supervisor.names:
        seeing.needs(name, _why_not(supervisor, name))
    parts: dict[str, Part] = {"processes": supervisor.run, "observe": seeing.run}
    return Tree(Process("up", parts, seeing.close), supervisor, topics, anybody)


def children(settings: Settings, config: Path, workers: int, log_format: str = "") -> list[Child]:
    """The processes of the tree, those that others wait for first."""
    reads = any(isinstance(entry, StdinInput) for entry in settings.inputs)

    def child(role: Role, number: int = 0) -> Child:
        name = f"{role} {number}" if number else role
        command = [sys.executable, "-P", "-m", "breachwatch", role, "--config", str(config)]
        command += ["--log-format", log_format] if log_format else []
        environment = {"BREACHWATCH_OBSERVE__NUMBER": str(number)}
        return Child(name, command, environment, reads_input=reads and role == "collect")

    roles = cast("tuple[Role, ...]", ("clock", "courier", "console", "collect"))
    return [*(child("worker", number) for number in range(workers)), *map(child, roles)]


def _topics(settings: Settings) -> TopicsReport:
    """Make topics that are missing. What differs is an operator's own choice, and is told, not changed."""
    found = compare_topics(settings)
    missing = [one for one in found.left if one.cure == "create"]
    return apply_topics(settings) if missing else found


def _why_not(supervisor: Supervisor, name: str) -> Callable[[], str]:
    return lambda: supervisor.why_not(name)
