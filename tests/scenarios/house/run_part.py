"""One process of the case plane: a clock, or a courier. Reads what to do from its arguments; ends at SIGTERM.

The wall clock is the test's, and so is the place to die at; everything else is as every day.
"""

import asyncio
import logging
import sys
from pathlib import Path
from typing import Any

from breachwatch.engines.host import Part, host, stop_on_signals
from breachwatch.kernel.pseudonyms import pseudonymiser
from breachwatch.ledger.keys import open_keys
from breachwatch.settings import read_settings
from breachwatch.wiring import casework
from breachwatch.wiring.detecting import LiveContent
from breachwatch.wiring.inputs import sources_of

sys.path.insert(0, str(Path(__file__).parents[1]))

from house.run_service import killer, shifted_clock


async def main(role: str, file: str, clock: str, place: str, passing: str) -> None:
    """Run the parts of one role until told to stop."""
    bent: Any = casework
    bent.now = shifted_clock(Path(clock))
    settings = read_settings(Path(file))
    live = LiveContent(settings, sources_of(settings))
    keys = open_keys(settings.state_dir)
    case = casework.open_casework(settings, live, keys, killer(place, int(passing)))
    published = Path(file).with_name("facts").open("ab", buffering=0)
    parts: dict[str, Part] = {}
    if role == "courier":
        parts["courier"] = casework.mail_courier(case, "https://desk.shop.example").run
    else:
        agreed = case.store.database.clock(bent.now) if role == "clock of a cluster" else None
        watches = casework.build_watches(
            case, pseudonymiser(keys.pseudonym), lambda fact: published.write(f"{fact['id']}\n".encode()), agreed
        )
        parts.update({name: watch.run for name, watch in watches.items()})
    stop = asyncio.Event()
    stop_on_signals(stop)
    with Path(file).with_name("ready").open("ab") as ready:
        ready.write(b".")
    await host(parts, stop)
    case.store.close()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
    asyncio.run(main(*sys.argv[1:]))
