"""Rules and playbooks that change while the service runs: noticed, read, checked, and handed to the engine.

Whoever saves a file in the folder, or sends SIGHUP, has the new content at work within seconds. Content in which
anything is wrong is never used: the old goes on, and the desk says why until it is mended.
"""

import asyncio
import logging
import signal
from collections.abc import Callable, Mapping
from datetime import timedelta
from hashlib import blake2b
from typing import Generic, TypeVar

from breachwatch.kernel.errors import BreachwatchError, ContentError
from breachwatch.kernel.observing import SILENT, Observer

log = logging.getLogger(__name__)
EVERY = timedelta(seconds=3)
_MOST_SHOWN = 5

Content = TypeVar("Content")


def digest_of(tree: Mapping[str, bytes]) -> str:
    """What changes when any file of a tree does, or its name; 32 hexadecimal digits."""
    digest = blake2b(digest_size=16)
    for path, content in sorted(tree.items()):
        for part in (path.encode("utf-8", "surrogateescape"), content):
            digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


class Reloading(Generic[Content]):
    """Looks after content on the disk. A `Part` is its `run`, and it is `Watching`.

    Args:
        look: gives a digest of everything that the content is read from; cheap, asked every few seconds, in a thread.
        read: reads and checks the content and makes of it what `use` takes; raises what is wrong, as `ContentError`.
            In a thread.
        use: puts the new content to work, such as `EmbeddedEngine.reload`; returns at once. In the same thread.
        every: how often to look.
        digest: of the content that is at work now; without it, what is first seen is taken for that.
        observer: told of every reading.
    """

    name = "rules"

    def __init__(
        self,
        look: Callable[[], str],
        read: Callable[[], Content],
        use: Callable[[Content], object],
        *,
        every: timedelta = EVERY,
        digest: str | None = None,
        observer: Observer = SILENT,
    ) -> None:
        self._look = look
        self._read = read
        self._use = use
        self._every = every
        self._digest = digest
        self._observer = observer
        self._asked = asyncio.Event()
        self._trouble = ""
        self.reloads = 0

    @property
    def trouble(self) -> str:
        """Why the newest content is not at work; empty when it is."""
        return self._trouble

    def ask(self) -> None:
        """Read again now, whether or not anything changed; from the loop that runs this, as signal handlers do."""
        self._asked.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Look and reload until `stop` is set; SIGHUP asks too, where signals can be had."""
        loop = asyncio.get_running_loop()
        try:
            loop.add_signal_handler(signal.SIGHUP, self.ask)
            heard = True
        except (RuntimeError, ValueError, AttributeError):
            heard = False
        try:
            while not stop.is_set():
                asked = self._asked.is_set()
                self._asked.clear()
                await asyncio.to_thread(self.step, asked=asked)
                await self._pause(stop)
        finally:
            if heard:
                loop.remove_signal_handler(signal.SIGHUP)

    def step(self, *, asked: bool = False) -> bool:
        """Look once, and reload if something changed or it was `asked`; returns whether new content is at work."""
        try:
            digest = self._look()
        except (BreachwatchError, OSError) as error:
            self._note(f"the rules cannot be read: {error}; the old ones go on")
            return False
        known, self._digest = self._digest, digest
        if not asked and known in (digest, None):
            return False
        used = self._reload()
        self._observer.reloaded(failed=not used)
        return used

    def _reload(self) -> bool:
        try:
            self._use(self._read())
        except ContentError as error:
            shown = "; ".join(str(each) for each in error.problems[:_MOST_SHOWN])
            more = len(error.problems) - _MOST_SHOWN
            self._note(f"{shown}{f'; and {more} more' if more > 0 else ''}; the old rules go on")
            return False
        except Exception as error:
            self._digest = ""  # so that it is tried again, and not only when somebody saves a file
            said = str(error) if isinstance(error, BreachwatchError | OSError) else type(error).__name__
            self._note(f"the new rules cannot be used: {said}; the old ones go on")
            return False
        self.reloads += 1
        self._trouble = ""
        return True

    def _note(self, text: str) -> None:
        if text != self._trouble:
            log.error("%s", text)
        self._trouble = text

    async def _pause(self, stop: asyncio.Event) -> None:
        tasks = [asyncio.ensure_future(each.wait()) for each in (stop, self._asked)]
        try:
            await asyncio.wait(tasks, timeout=self._every.total_seconds(), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
