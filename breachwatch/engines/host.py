"""Hosts the parts of a service side by side, and ends them together."""

import asyncio
import logging
import signal
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

log = logging.getLogger(__name__)
Part = Callable[[asyncio.Event], Coroutine[Any, Any, None]]
"""Runs until the event is set, then ends by itself."""

PATIENCE_SECONDS = 10.0


async def host(parts: Mapping[str, Part], stop: asyncio.Event) -> None:
    """Run every part until `stop` is set; a part that fails sets it, so that the others end as they should.

    A part that has nothing left to do, such as standard input at its end, may return early.

    Raises:
        ExceptionGroup: what made parts fail; everything else was ended first.
    """
    failures: list[Exception] = []
    async with asyncio.TaskGroup() as group:
        for name, part in parts.items():
            group.create_task(_run(name, part, stop, failures), name=name)
    if failures:
        raise ExceptionGroup("parts of the service failed", failures)


async def _run(name: str, part: Part, stop: asyncio.Event, failures: list[Exception]) -> None:
    running, told = asyncio.ensure_future(part(stop)), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({running, told}, return_when=asyncio.FIRST_COMPLETED)
        ended, _ = await asyncio.wait({running}, timeout=PATIENCE_SECONDS)
        if ended and (error := running.exception()) is not None:
            if not isinstance(error, Exception):
                raise error
            failures.append(error)
            stop.set()
        elif not ended:
            log.warning(
                "%s did not end within %.0f s and was cut off; what it acknowledged is safe", name, PATIENCE_SECONDS
            )
    finally:
        told.cancel()
        running.cancel()
        await asyncio.wait({running}, timeout=PATIENCE_SECONDS)


async def run_until_signal(run: Part) -> None:
    """Run until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    stop_on_signals(stop)
    await run(stop)


def stop_on_signals(stop: asyncio.Event) -> None:
    """Let SIGINT and SIGTERM set `stop`; a second one ends the process at once, which loses nothing either."""
    loop = asyncio.get_running_loop()

    def heard(number: signal.Signals) -> None:
        if stop.is_set():
            loop.remove_signal_handler(number)
            signal.raise_signal(number)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, heard, number)
