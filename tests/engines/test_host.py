"""Parts side by side: they end together, in order, whoever ends first and however."""

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from breachwatch.engines import host as module
from breachwatch.engines.host import Part, host, stop_on_signals


def until_told(ended: list[str], name: str) -> Part:
    """Works until told to stop, and then has something to put away."""

    async def run(stop: asyncio.Event) -> None:
        await stop.wait()
        await asyncio.sleep(0)
        ended.append(name)

    return run


def failing(error: BaseException) -> Callable[[asyncio.Event], Coroutine[Any, Any, None]]:
    async def run(stop: asyncio.Event) -> None:
        await asyncio.sleep(0)
        raise error

    return run


async def test_all_parts_run_side_by_side_and_end_when_told() -> None:
    stop, ended = asyncio.Event(), []  # type: ignore[var-annotated]
    asyncio.get_running_loop().call_soon(stop.set)
    await host({"one": until_told(ended, "one"), "two": until_told(ended, "two")}, stop)
    assert sorted(ended) == ["one", "two"]


async def test_a_part_with_nothing_left_to_do_ends_nobody_else() -> None:
    stop, ended = asyncio.Event(), []  # type: ignore[var-annotated]

    async def short(stop: asyncio.Event) -> None:
        asyncio.get_running_loop().call_later(0.05, stop.set)

    await host({"standard input": short, "desk": until_told(ended, "desk")}, stop)
    assert ended == ["desk"]


@pytest.mark.parametrize("error", [ValueError("a bug"), TimeoutError("the port"), OSError(98, "in use")])
async def test_a_part_that_fails_lets_the_others_put_their_things_away(error: Exception) -> None:
    ended: list[str] = []
    with pytest.raises(ExceptionGroup) as failed:
        await host({"bad": failing(error), "good": until_told(ended, "good")}, asyncio.Event())
    assert failed.value.exceptions == (error,)
    assert ended == ["good"]


async def test_a_part_that_does_not_end_is_cut_off_and_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.05)
    stop, cut = asyncio.Event(), []

    async def deaf(stop: asyncio.Event) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cut.append("deaf")

    stop.set()
    with caplog.at_level(logging.WARNING):
        await host({"slow courier": deaf}, stop)
    assert cut == ["deaf"]
    assert "slow courier did not end" in caplog.text


async def test_when_the_host_is_cancelled_so_is_every_part() -> None:
    began, cut = asyncio.Event(), []

    async def part(stop: asyncio.Event) -> None:
        began.set()
        try:
            await stop.wait()
        finally:
            cut.append("part")

    running = asyncio.create_task(host({"part": part}, asyncio.Event()))
    await began.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert cut == ["part"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_asks_every_part_to_end(number: signal.Signals) -> None:
    stop, ended = asyncio.Event(), []  # type: ignore[var-annotated]
    stop_on_signals(stop)
    try:
        asyncio.get_running_loop().call_soon(os.kill, os.getpid(), number)
        await host({"desk": until_told(ended, "desk")}, stop)
    finally:
        for one in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().remove_signal_handler(one)
    assert ended == ["desk"]
