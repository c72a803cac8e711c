"""`breachwatch demo`: a day of a small online shop."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.progress import BarColumn, Progress, TextColumn

from breachwatch import wiring
from breachwatch.cli.common import err, log_to_stderr, now, out
from breachwatch.cli.root import RUN, app
from breachwatch.demo.headless import DemoDpo, Waited
from breachwatch.engines.host import stop_on_signals
from breachwatch.engines.memory import settle_memory
from breachwatch.kernel.errors import RefusedError

Found = TypeVar("Found")


@app.command(
    rich_help_panel=RUN,
    epilog="Examples: `breachwatch demo` · `breachwatch demo --fresh` · `breachwatch demo --headless`",
)
def demo(
    state: Annotated[Path, typer.Option(help="Folder of the demo; it goes on where it was.")] = Path("demo-state"),
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Throw away what an earlier demo left, and begin anew.")
    ] = False,
    headless: Annotated[
        bool, typer.Option("--headless", help="Play the DPO too, check what the desk shows, and leave.")
    ] = False,
    port: Annotated[int, typer.Option(help="Port of the desk; another free one if it is taken.")] = 8420,
) -> None:
    """Live through a day of a small online shop: two attacks, two incidents, and mails to the people affected."""
    log_to_stderr(logging.WARNING)
    house = wiring.build_demo(state, fresh=fresh or headless, desk_port=port)
    settle_memory()
    asyncio.run(_demo_headless(house) if headless else _demo(house))


async def _demo(house: "wiring.Demo") -> None:
    stop = asyncio.Event()
    stop_on_signals(stop)
    running = asyncio.create_task(house.service.run(stop))
    _demo_welcome(house)
    await _demo_play(house, stop, timedelta(seconds=20))
    if not stop.is_set():
        out.print("The day is over. Everything stays as it is until Ctrl-C; the next start goes on from here.")
    await running
    out.print("Stopped. Start again to go on, or with --fresh to begin anew.")


def _demo_welcome(house: "wiring.Demo") -> None:
    out.print(f"\nThe desk:     {house.service.desk_url}/sign-in/once", highlight=False, soft_wrap=True)
    for name, code in house.sign_ins.items():
        what = {"camille": "DPO", "alex": "analyst", "robin": "administrator"}[name]
        out.print(f"  sign in once as {name} ({what}) with the code [bold]{code}[/]", highlight=False)
    out.print(f"The mailbox:  {house.mailbox_url}", highlight=False)
    out.print(
        f"Its settings: {house.settings_file} (try: breachwatch verify -c {house.settings_file})\n", highlight=False
    )


async def _demo_play(house: "wiring.Demo", stop: asyncio.Event, length: timedelta) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,} of {task.total:,} events"))
    with Progress(*columns, console=err, disable=not err.is_terminal) as progress:
        task = progress.add_task("a day at the shop", total=house.player.total, completed=house.player.written)
        await house.player.play(length, lambda count: progress.advance(task, count), stop)


async def _demo_headless(house: "wiring.Demo") -> None:
    stop = asyncio.Event()
    running = asyncio.create_task(house.service.run(stop))
    began = now()
    try:
        await _demo_play(house, stop, timedelta(seconds=10))
        dpo = DemoDpo(
            house.service.desk_url,
            house.mailbox_url,
            lambda text: out.print(f"ok  {text}", highlight=False, soft_wrap=True),
        )
        await asyncio.to_thread(dpo.sign_in, house.sign_ins["camille"])
        incidents = await _until(dpo.incidents, began + timedelta(seconds=60))
        out.print(f"ok  {len(incidents)} incidents, {(now() - began).total_seconds():.0f} s after the first event")
        for incident_id in incidents.values():
            await asyncio.to_thread(dpo.handle, incident_id, now())
        told = await _until(dpo.delivered, now() + timedelta(seconds=120))
        out.print(f"ok  {told} notices arrived, one for each person, in English and French", highlight=False)
        await asyncio.to_thread(dpo.register)
    finally:
        stop.set()
        await running
    out.print("The demo ran to its end and showed what it should.")


async def _until(look: Callable[[], Found | Waited], until: datetime) -> Found:
    while isinstance(found := await asyncio.to_thread(look), Waited):
        if now() >= until:
            raise RefusedError(f"still waiting for {found.for_what}")
        await asyncio.sleep(0.3)
    return found
