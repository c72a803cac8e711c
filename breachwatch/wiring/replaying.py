"""Old logs against the playbooks, with nothing of the service around them."""

import secrets
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

from breachwatch.collectors.file_tail import read_whole
from breachwatch.detection.correlator import Correlator
from breachwatch.detection.detector import Detector
from breachwatch.engines.replay import replay
from breachwatch.kernel.errors import NotFoundError
from breachwatch.kernel.pseudonyms import pseudonymiser
from breachwatch.kernel.streams import Alert, Chunk, Tally
from breachwatch.sources.registry import load_sources
from breachwatch.wiring.content import shipped_or

Advance = Callable[[int], object]


def build_replay(
    source: str, *, playbooks: Path | None, source_files: Sequence[Path], timezone: str, reference: datetime
) -> Callable[[Sequence[Path], Advance], tuple[list[Alert], Tally]]:
    """A replay of files of one source, under a pseudonym key that is forgotten with it.

    Raises:
        NotFoundError: no such source.
        ContentError: playbooks or source definitions with problems.
    """
    sources = load_sources(source_files, timezone=timezone)
    if source not in sources:
        raise NotFoundError(f"no source is called {source!r}; known: {', '.join(sorted(sources))}")
    content = shipped_or(playbooks, sources)
    detector = Detector(content, sources, pseudonymiser(secrets.token_bytes(32)))

    def run(files: Sequence[Path], advance: Advance) -> tuple[list[Alert], Tally]:
        def chunks() -> Iterator[Chunk]:
            for path in files:
                yield from read_whole(path, source, reference, advance)

        return replay(chunks(), detector, Correlator(content))

    return run
