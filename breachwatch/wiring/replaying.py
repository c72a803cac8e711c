"""Old logs against the playbooks, with nothing of the service around them."""

import os
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from hashlib import blake2b
from pathlib import Path

from breachwatch.collectors.file_ranges import cut_files, read_range
from breachwatch.collectors.whole_files import in_one_piece
from breachwatch.detection.correlator import Correlator
from breachwatch.detection.detector import Detector
from breachwatch.engines.replay_parallel import replay_parts
from breachwatch.kernel.errors import NotFoundError
from breachwatch.kernel.pseudonyms import pseudonymiser
from breachwatch.kernel.shapes import did_you_mean
from breachwatch.kernel.streams import Alert, Tally
from breachwatch.sources.registry import load_sources
from breachwatch.sources.source import Source
from breachwatch.wiring.content import shipped_or

Advance = Callable[[int], object]
_KEY_BYTES = 4 << 20


def build_replay(
    source: str,
    *,
    playbooks: Path | None,
    source_files: Sequence[Path],
    timezone: str,
    reference: datetime,
    workers: int,
) -> Callable[[Sequence[Path], Advance], tuple[list[Alert], Tally]]:
    """A replay of files of one source, the same however many workers share it.

    Raises:
        NotFoundError: no such source.
        ContentError: playbooks or source definitions with problems.
    """
    sources = load_sources(source_files, timezone=timezone)
    framing = one_of(sources, source).framing
    content = shipped_or(playbooks, sources)

    def run(files: Sequence[Path], advance: Advance) -> tuple[list[Alert], Tally]:
        detector = Detector(content, sources, pseudonymiser(key_of(files)))
        read = partial(read_range, source=source, received_at=reference, framing=framing)
        return replay_parts(
            cut_files(files, in_one_piece=lambda path: in_one_piece(path, framing)),
            lambda part, told: read(part, advance=told),
            detector,
            Correlator(content),
            workers=workers,
            advance=advance,
        )

    return run


def one_of(sources: dict[str, Source], name: str) -> Source:
    """The source of a name.

    Raises:
        NotFoundError: there is none, with those that there are.
    """
    if name not in sources:
        hint = did_you_mean(name, sources)
        known = f"known: {', '.join(sorted(sources))}"
        raise NotFoundError(f"no source is called {name!r}; {hint + ' ' if hint else ''}{known}")
    return sources[name]


def key_of(files: Iterable[Path]) -> bytes:
    """A pseudonym key that comes from the files themselves.

    The same files give the same references each time, so that two replays can be compared; and nobody can work out who
    a reference is without having the files, which name everybody anyway.
    """
    digest = blake2b(digest_size=32, person=b"replay")
    for path in files:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            digest.update(size.to_bytes(8, "big") + file.read(_KEY_BYTES))
    return digest.digest()
