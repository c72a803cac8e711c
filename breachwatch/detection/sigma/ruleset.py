"""A set of plain rules as it was loaded, and the form in which it is kept so that it need not be loaded again."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from typing import Any

import msgspec

from breachwatch import __version__
from breachwatch.detection.rules import Correlation, Rule
from breachwatch.detection.sigma.condition_table import Row, Table, conditions_of
from breachwatch.kernel.errors import Problem
from breachwatch.sources.source import Source

FORMAT = 2
"""Changes when what is kept, or what is made of the same rules, changes within one version of the program."""


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Rules and correlations that can be used, and what became of the rest.

    `refused`: what cannot be used, with file, line and reason. `notes`: what can be used and yet is not what somebody
    may expect: files that hold no Sigma, logsources of which no source is loaded. `key`: what `ruleset_key` said of all
    that went in. `kept`: it was not loaded but read from what `dump` gave.
    """

    rules: tuple[Rule, ...] = ()
    correlations: tuple[Correlation, ...] = ()
    refused: tuple[Problem, ...] = ()
    notes: tuple[Problem, ...] = ()
    key: str = ""
    kept: bool = False

    def dump(self) -> bytes:
        """The set as plain JSON."""
        table = Table()
        rules = [
            _RuleRow(
                rule.playbook,
                rule.id,
                rule.title,
                rule.name,
                sorted(rule.names),
                rule.level,
                table.add(rule.condition),
                dict(rule.logsource),
                rule.sources,
                rule.wanted,
                {source: table.add(guard) for source, guard in rule.guards.items()},
                rule.speaks,
            )
            for rule in self.rules
        ]
        kept = _Kept(FORMAT, self.key, table.rows, rules, self.correlations, self.refused, self.notes)
        return msgspec.json.encode(kept, enc_hook=sorted)

    @staticmethod
    def load(blob: bytes) -> "RuleSet | None":
        """The set that `dump` wrote; None if it cannot be read, or another version wrote it."""
        try:
            kept = msgspec.json.decode(blob, type=_Kept)
            if kept.format != FORMAT:
                return None
            conditions = conditions_of(kept.conditions)
            rules = tuple(
                Rule(
                    row.playbook,
                    row.id,
                    row.title,
                    row.name,
                    frozenset(row.names),
                    row.level,
                    conditions[row.condition],
                    row.logsource,
                    row.sources,
                    row.wanted,
                    {source: conditions[number] for source, number in row.guards.items()},
                    row.speaks,
                )
                for row in kept.rules
            )
        except (msgspec.MsgspecError, ValueError, LookupError, TypeError, KeyError):
            return None
        return RuleSet(rules, kept.correlations, kept.refused, kept.notes, kept.key, kept=True)


class _RuleRow(msgspec.Struct, array_like=True):
    playbook: str
    id: str
    title: str
    name: str
    names: list[str]
    level: str
    condition: int
    logsource: dict[str, str]
    sources: tuple[str, ...]
    wanted: tuple[str, ...]
    guards: dict[str, int]
    speaks: bool


class _Kept(msgspec.Struct):
    format: int
    key: str
    conditions: list[Row]
    rules: list[_RuleRow]
    correlations: tuple[Correlation, ...]
    refused: tuple[Problem, ...]
    notes: tuple[Problem, ...]


def ruleset_key(
    tree: Mapping[str, bytes],
    sources: Mapping[str, Source],
    placeholders: Mapping[str, Sequence[str]],
    pipelines: Iterable[str] = (),
) -> str:
    """A digest of everything that a loaded set depends on: a set kept under it is the one that would be loaded.

    Args:
        tree: the files, path to bytes.
        sources: the loaded sources.
        placeholders: the texts that placeholders stand for.
        pipelines: the digest of each pipeline.
    """
    digest = blake2b(digest_size=16)

    def put(*parts: str | bytes) -> None:
        for part in parts:
            raw = part if isinstance(part, bytes) else part.encode("utf-8", "surrogatepass")
            digest.update(len(raw).to_bytes(8, "big"))
            digest.update(raw)

    put(__version__, str(FORMAT), *pipelines)
    for path, body in sorted(tree.items()):
        put(path, body)
    for name, texts in sorted(placeholders.items()):
        put(name, *texts, "")
    for name, source in sorted(sources.items()):
        put(name, msgspec.json.encode(_told(source), order="deterministic"))
    return digest.hexdigest()


def _told(source: Source) -> Any:
    """What of a source matters to what is made of rules."""
    return {
        "logsource": dict(source.logsource),
        "answers": [asdict(each) for each in source.answers],
        "any": source.any_logsource,
        "attributes": {path: list(native) for path, native in source.attributes.items()},
        "aliases": {path: list(native) for path, native in source.aliases.items()},
        "constants": sorted(source.constants),
        "fields": sorted(source.fields) if source.fields is not None else None,
        "lateness": source.allowed_lateness.total_seconds(),
    }
