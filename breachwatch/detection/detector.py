"""The match stage: chunks in, matches out. Stateless, so any worker may take any chunk."""

from collections.abc import Mapping
from dataclasses import dataclass

from breachwatch.detection.content import Content
from breachwatch.kernel.pseudonyms import Pseudonymise
from breachwatch.kernel.streams import Chunk, DeadLetter, Match, Tally
from breachwatch.sources.source import Source


@dataclass(frozen=True, slots=True)
class Detected:
    """What a chunk held. `broken_rules`: rule id to the error that switched it off, for rules broken so far."""

    matches: list[Match]
    dead: list[DeadLetter]
    tally: Tally
    broken_rules: Mapping[str, str]


class Detector:
    """Matches every rule of the content against the records of its sources."""

    def __init__(self, content: Content, sources: Mapping[str, Source], pseudonymise: Pseudonymise) -> None:
        self._content = content
        self._sources = sources
        self._pseudonymise = pseudonymise

    def match(self, chunk: Chunk) -> Detected:
        """Read and match a chunk's records. Never raises: a rule that does is switched off and named."""
        raise NotImplementedError
