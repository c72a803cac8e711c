"""A writer that lets go of its brokers leaves nothing behind, though they answer nothing."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from breachwatch.engines.kafka import writer as module
from breachwatch.engines.kafka.writer import Writer


async def test_the_client_is_closed_though_its_sender_waits_for_a_frozen_broker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    closed: list[str] = []

    async def waits() -> None:
        await asyncio.Event().wait()

    async def close() -> None:
        closed.append("client")

    monkeypatch.setattr(module, "_CLOSE_SECONDS", 0.05)
    writer = Writer({}, "t-match-0")
    producer: Any = SimpleNamespace(_sender=SimpleNamespace(close=waits), client=SimpleNamespace(close=close))
    writer._producer = producer
    async with asyncio.timeout(20):
        await writer.close()
    assert closed == ["client"]
    assert producer._closed
