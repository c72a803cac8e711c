"""A plain folder of rules asked of files of one source: `breachwatch rules match`."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from pathlib import Path

from breachwatch.collectors.file_ranges import cut_files, read_range
from breachwatch.collectors.whole_files import in_one_piece
from breachwatch.detection.matching.finder import Finder
from breachwatch.detection.rules import Rule
from breachwatch.detection.sigma.pipelines import load_pipelines
from breachwatch.detection.sigma.placeholders import Placeholders
from breachwatch.detection.sigma.rule_files import load_rules
from breachwatch.detection.sigma.ruleset import RuleSet, ruleset_key
from breachwatch.engines.replay_parallel import Given, Matched, matched
from breachwatch.kernel.errors import ContentError, Problem
from breachwatch.kernel.ids import EventId
from breachwatch.kernel.streams import Chunk, Match, Tally
from breachwatch.kernel.time import to_microseconds
from breachwatch.kernel.yaml import Node, read
from breachwatch.sources.registry import load_sources
from breachwatch.sources.source import Source
from breachwatch.wiring.cache import Cache
from breachwatch.wiring.replaying import Advance, one_of
from breachwatch.wiring.rules import rule_tree

SMALL_BYTES = 8 << 20
"""Files of less are read sooner than a worker is ready."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One rule matched one record: the `position`-th of a file, from 0. `at_us`: the event's time, in microseconds."""

    file: Path
    position: int
    at_us: int
    rule: Rule


@dataclass(slots=True)
class Matching:
    """Rules compiled for one source, ready to be asked. `loaded` tells of those that could not be used, and why.

    `rules`: those that are for this source. `tally`: what became of the records asked so far. `broken`: rules that
    raised and were switched off, by id, and why.
    """

    source: Source
    loaded: RuleSet
    rules: Sequence[Rule]
    finder: Finder
    tally: Tally = field(default_factory=Tally)
    broken: dict[str, str] = field(default_factory=dict)

    def run(self, files: Sequence[Path], reference: datetime, workers: int, advance: Advance) -> Iterator[Hit]:
        """Every match in files, in the order of their records, rules in the order of theirs.

        Args:
            files: in this order, whoever reads them.
            reference: the instant the records were received.
            workers: processes to share large files.
            advance: told how many bytes were read.

        Raises:
            ContentError: a file cannot be read.
        """
        framing, name = self.source.framing, self.source.name
        named = {f"file:{os.path.abspath(file)}#1": file for file in files}
        chunks = matched(
            cut_files(files, in_one_piece=lambda path: in_one_piece(path, framing)),
            lambda part, told: read_range(part, name, reference, told, framing),
            _Plain(self.finder, self.rules),
            workers=1 if sum(file.stat().st_size for file in files) < SMALL_BYTES else workers,
            advance=advance,
        )
        given = Given()
        for chunk in chunks:
            found = given.match(chunk)
            self.tally += found.tally
            self.broken.update(found.broken_rules)
            for match in found.matches:
                yield Hit(named[chunk.origin], int(match.event_id), match.at_us, self.rules[int(match.playbook)])


class _Plain:
    """The match stage for plain rules, which have no playbook and need no subjects.

    A match names the rule's place among the rules where its playbook would stand, and the record's where its id would.
    """

    def __init__(self, finder: Finder, rules: Sequence[Rule]) -> None:
        self._finder = finder
        self._ids = [rule.id for rule in rules]

    def match(self, chunk: Chunk) -> Matched:
        """Every match of a chunk."""
        skip = {index for index, _ in chunk.oversized}
        found = self._finder.find(chunk.records, to_microseconds(chunk.received_at), skip)
        matches = [
            Match(str(at), self._ids[at], EventId(str(chunk.first_ordinal + index)), event.at_us, chunk.source, {})
            for index, event, rules in found.hits
            for at in rules
        ]
        dead = Counter(each.reason for _, each in found.dead)
        tally = Tally(len(chunk.records), found.events, ignored=dict(found.ignored), dead=dict(dead))
        return Matched(matches, tally, {self._ids[at]: why for at, why in self._finder.broken.items()})


def build_matching(
    folder: Path,
    source: str,
    *,
    source_files: Sequence[Path],
    timezone: str,
    pipelines: Sequence[str],
    placeholders: Path | None,
    cache: Cache,
) -> Matching:
    """Load the rules of a folder for one source, from the cache when nothing has changed.

    Raises:
        NotFoundError: no such source.
        ContentError: the folder is not there; a pipeline, the placeholders or a source definition cannot be read. What
            is wrong with a rule is told in `loaded.refused`.
    """
    chosen = one_of(load_sources(source_files, timezone=timezone), source)
    loaded = rules_of(folder, [chosen], pipelines=pipelines, placeholders=placeholders, cache=cache)
    rules = [rule for rule in loaded.rules if source in rule.sources]
    return Matching(chosen, loaded, rules, _finder(chosen, rules, loaded.key, cache))


def load_plain_rules(
    folder: Path, *, source_files: Sequence[Path], pipelines: Sequence[str], placeholders: Path | None, cache: Cache
) -> tuple[RuleSet, list[str]]:
    """The rules of a folder for every source there is, and the names of these sources.

    Sources that take rules of any logsource are left out: to them every rule would be for them.

    Raises:
        ContentError: as `build_matching`.
    """
    sources = [each for each in load_sources(source_files).values() if not each.any_logsource]
    loaded = rules_of(folder, sources, pipelines=pipelines, placeholders=placeholders, cache=cache)
    return loaded, [each.name for each in sources]


def rules_of(
    folder: Path, sources: Sequence[Source], *, pipelines: Sequence[str], placeholders: Path | None, cache: Cache
) -> RuleSet:
    """The rules of a folder, linked to sources.

    Raises:
        ContentError: as `build_matching`.
    """
    tree = rule_tree(folder)
    named = {each.name: each for each in sources}
    files = {name: Path(name).read_bytes() for name in pipelines if Path(name).is_file()}
    piped = load_pipelines(pipelines, files)
    stand_for = read_placeholders(placeholders) if placeholders else {}
    name = f"rules-{_short(ruleset_key(tree, named, stand_for, [each.digest for each in piped]))}"
    loaded = load_rules(tree, named, placeholders=stand_for, pipelines=piped, cached=cache.get(name))
    if not loaded.kept:
        cache.put(name, loaded.dump())
    return loaded


def _finder(source: Source, rules: Sequence[Rule], key: str, cache: Cache) -> Finder:
    name = f"finder-{_short(key, source.name)}"
    kept = cache.get(name)
    finder = Finder.load(source, rules, kept) if kept is not None else Finder(source, rules)
    if (dumped := finder.dump()) != kept:
        cache.put(name, dumped)
    return finder


def _short(*parts: str) -> str:
    return blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()


def read_placeholders(path: Path) -> Placeholders:
    """What `%name%` stands for: a YAML mapping of names to a text or a list of texts.

    Raises:
        ContentError: it cannot be read, or says something else.
    """
    try:
        node = read(path.read_bytes(), str(path))
    except OSError as error:
        raise ContentError([Problem(str(path), 0, 0, f"cannot be read: {error.strerror}")]) from error
    if not isinstance(node.data, dict):
        message = "this file must be a mapping: the name of each placeholder, and the texts that it stands for"
        raise ContentError([node.problem((), message)])
    problems: list[Problem] = []
    made = {name: _texts(node, name, problems) for name in node.data}
    if problems:
        raise ContentError(problems)
    return made


def _texts(node: Node, name: str, problems: list[Problem]) -> tuple[str, ...]:
    given = node.data[name]
    listed = given if isinstance(given, list) else [given]
    if not listed or not all(isinstance(each, str | int) and not isinstance(each, bool) for each in listed):
        problems.append(node.problem((name,), f"{name} must stand for a text or a list of texts"))
    return tuple(str(each) for each in listed)
