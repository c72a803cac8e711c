"""Old logs against the playbooks, with nothing of the service around them."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from hashlib import blake2b
from pathlib import Path

from breachwatch.collectors.file_ranges import cut_files, read_range
from breachwatch.collectors.whole_files import in_one_piece
from breachwatch.detection.correlating.correlator import Correlator
from breachwatch.detection.detector import Detector
from breachwatch.detection.playbooks.check import only
from breachwatch.detection.playbooks.content import Content
from breachwatch.detection.trying.adjustments import Adjustments
from breachwatch.detection.trying.tuning import Tuned, Tuning
from breachwatch.engines.replay import replay
from breachwatch.engines.replay_parallel import Given, MatchedChunk, matched
from breachwatch.kernel.errors import NotFoundError
from breachwatch.kernel.pseudonyms import pseudonymiser
from breachwatch.kernel.shapes import did_you_mean
from breachwatch.kernel.streams import Alert, Tally
from breachwatch.kernel.time import EPOCH
from breachwatch.sources.registry import load_sources
from breachwatch.sources.source import Source
from breachwatch.wiring.content import shipped_or, with_adjustments

Advance = Callable[[int], object]
_KEY_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Logs:
    """Files of one source and how they are read: what every command that tries old logs begins with."""

    source: str
    source_files: Sequence[Path] = ()
    timezone: str = "UTC"
    reference: datetime = EPOCH
    workers: int = 1


@dataclass(frozen=True, slots=True)
class Trial:
    """Logs, and the content they are tried against."""

    logs: Logs
    sources: Mapping[str, Source]
    content: Content
    adjustments: Adjustments

    def matched(self, files: Sequence[Path], advance: Advance) -> Iterator[MatchedChunk]:
        """Every chunk of the files, matched, in order."""
        logs, framing = self.logs, self.sources[self.logs.source].framing
        read = partial(read_range, source=logs.source, received_at=logs.reference, framing=framing)
        return matched(
            cut_files(files, in_one_piece=lambda path: in_one_piece(path, framing)),
            lambda part, told: read(part, advance=told),
            Detector(self.content, self.sources, pseudonymiser(key_of(files)), self.adjustments.allow),
            workers=logs.workers,
            advance=advance,
        )


def build_trial(logs: Logs, playbooks: Path | None, adjustments: Path | None) -> Trial:
    """Load what logs are tried against.

    Raises:
        NotFoundError: no such source.
        ContentError: playbooks, adjustments or source definitions with problems.
    """
    sources = load_sources(logs.source_files, timezone=logs.timezone)
    one_of(sources, logs.source)
    content, adjusting = with_adjustments(shipped_or(playbooks, sources), adjustments)
    return Trial(logs, {logs.source: sources[logs.source]}, content, adjusting)


def build_replay(
    logs: Logs, *, playbooks: Path | None = None, adjustments: Path | None = None
) -> Callable[[Sequence[Path], Advance], tuple[list[Alert], Tally]]:
    """A replay of files of one source, the same however many workers share it.

    Raises:
        NotFoundError: no such source.
        ContentError: playbooks, adjustments or source definitions with problems.
    """
    trial = build_trial(logs, playbooks, adjustments)

    def run(files: Sequence[Path], advance: Advance) -> tuple[list[Alert], Tally]:
        return replay(trial.matched(files, advance), Given(), Correlator(trial.content))

    return run


def build_tuning(
    playbook: str,
    logs: Logs,
    *,
    playbooks: Path | None = None,
    adjustments: Path | None = None,
    bounds: Sequence[float] = (),
    timespans: Sequence[timedelta] = (),
) -> Callable[[Sequence[Path], Advance], tuple[list[Tuned], Tally]]:
    """A run over files that tries other thresholds of one playbook beside the present ones.

    Raises:
        NotFoundError: no such source, or no such playbook.
        ContentError: playbooks, adjustments or source definitions with problems.
    """
    trial = build_trial(logs, playbooks, adjustments)
    if playbook not in trial.content.playbooks:
        hint = did_you_mean(playbook, list(trial.content.playbooks))
        raise NotFoundError(f"no playbook is called {playbook!r}; {hint}")
    trial = replace(trial, content=only(trial.content, playbook))

    def run(files: Sequence[Path], advance: Advance) -> tuple[list[Tuned], Tally]:
        tuning, given, tally = Tuning(trial.content, playbook, bounds, timespans), Given(), Tally()
        for chunk in trial.matched(files, advance):
            found = given.match(chunk)
            tuning.feed(found.matches)
            tally += found.tally
        return tuning.result(), tally

    return run


def one_of(sources: Mapping[str, Source], name: str) -> Source:
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
