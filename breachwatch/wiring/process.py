"""One process of a cluster: its parts, and how it runs and ends."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from breachwatch.engines.host import Part, host, run_until_signal
from breachwatch.kernel.errors import BreachwatchError, ContentError, UnavailableError
from breachwatch.settings import Role


@dataclass(frozen=True, slots=True)
class Process:
    """Everything of one process, put together and not yet running. `at`: where it is to be reached, if anybody asks."""

    role: Role
    parts: Mapping[str, Part]
    close: Callable[[], None]
    at: str = ""

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set; everything is closed when this returns.

        Raises:
            ContentError: what only a person can put right, with every problem found.
            UnavailableError: something that it cannot work without is away for too long; start it again later.
            ExceptionGroup: what else made parts fail.
        """
        try:
            await host(self.parts, stop)
        except ExceptionGroup as failures:
            known = [error for error in failures.exceptions if isinstance(error, BreachwatchError)]
            if len(known) < len(failures.exceptions):
                raise
            problems = [problem for error in known if isinstance(error, ContentError) for problem in error.problems]
            if problems:
                raise ContentError(problems) from failures
            raise UnavailableError("; ".join(dict.fromkeys(map(str, known)))) from failures
        finally:
            self.close()

    async def run_until_signal(self) -> None:
        """Run until SIGINT or SIGTERM; see `run`."""
        await run_until_signal(self.run)
