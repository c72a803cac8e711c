"""What a match tells of its event: the values that correlations need, who is affected, and the evidence.

This is the last place that sees a person's identifier: every field that the playbook names as a subject leaves here as
a pseudonym, wherever it goes.
"""

from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import Any

from breachwatch.detection.matching.predicates import text_of
from breachwatch.detection.playbooks.playbook import Playbook
from breachwatch.detection.rules import SEPARATOR, Rule
from breachwatch.kernel.ids import EventId, SubjectRef
from breachwatch.kernel.pseudonyms import Pseudonymise
from breachwatch.kernel.streams import Match
from breachwatch.sources.event import Event
from breachwatch.sources.formats.lookups import look_up, made, under
from breachwatch.sources.source import Source, accessor

MAX_VALUE = 256
"""Longest text kept of one value, in characters; what is longer ends in a digest, so that different stays different."""
MAX_LISTED = 20
"""Most members of a list kept in a sample."""
MAX_RECORDS = 1_000_000_000

_Get = Callable[[Any], Any]


class Teller:
    """Makes the `Match` of one rule for events of one source."""

    def __init__(self, rule: Rule, playbook: Playbook, source: Source, pseudonymise: Pseudonymise) -> None:
        meaning = playbook.detection
        self._rule = rule
        self._source = source.name
        self._pseudonym = pseudonymise
        self._kinds = {source.native(subject.field): subject.kind for subject in reversed(meaning.subjects)}
        self._values = self._values_of(source, rule.wanted)
        self._subjects = [
            (self._get(source, subject.field), subject.kind)
            for subject in meaning.subjects
            if subject.rules is None or rule.names & set(subject.rules)
        ]
        self._sample = self._sample_of(source, meaning.evidence)
        self._records = self._get(source, meaning.records_field) if meaning.records_field else None
        self._touches = meaning.records_rules is None or bool(rule.names & set(meaning.records_rules))

    def match(self, event: Event, name: EventId) -> Match:
        """The match of one event that the rule matched."""
        fields = event.fields
        return Match(
            self._rule.playbook,
            self._rule.id,
            name,
            event.at_us,
            self._source,
            self._values(fields),
            self._people(fields) if self._subjects else (),
            self._touched(fields),
            self._sample(fields, event.at_us),
        )

    @staticmethod
    def _get(source: Source, field: str) -> _Get:
        path = source.native(field)
        if field in source.constants and field not in source.attributes:
            constant = source.constants[field]
            return lambda _fields: constant
        return accessor(path) if path is not None else lambda _fields: None

    def _values_of(self, source: Source, fields: Iterable[str]) -> Callable[[Any], dict[str, str]]:
        """One function for all values; with that of the sample it makes a match in 2.0 us, loops did in 3.1."""
        lines = ["values = {}"]
        known = {"texts": self._texts, "pseudonym": self._pseudonym, "SEPARATOR": SEPARATOR, "plain": is_plain}
        for number, field in enumerate(fields):
            kind = self._read(source, field, number, lines, known)
            told = f"pseudonym({kind!r}, value)" if kind else "value"
            lines += under("if type(value) is str and value and plain(value):", [f"values[{field!r}] = {told}"])
            several = under(f"if found := texts(value, {kind!r}):", [f"values[{field!r}] = SEPARATOR.join(found)"])
            lines += under("elif value is not None:", several)
        values: Callable[[Any], dict[str, str]] = made("fields", [*lines, "return values"], known)
        return values

    def _sample_of(self, source: Source, evidence: Iterable[str]) -> Callable[[Any, int], dict[str, Any]]:
        lines = ["sample = {'time': at_us // 1000}"]
        known: dict[str, Any] = {"shown": self._shown, "plain": is_plain}
        for number, dotted in enumerate(evidence):
            kind = self._read(source, dotted, number, lines, known)
            *parents, leaf = dotted.split(".")
            place = "sample" + "".join(f".setdefault({parent!r}, {{}})" for parent in parents)
            plain = "" if kind else "value if type(value) is str and plain(value) else "
            shown = f"{plain}shown(value, {kind!r})"
            lines += under("if value is not None:", [f"{place}[{leaf!r}] = {shown}"])
        sample: Callable[[Any, int], dict[str, Any]] = made("fields, at_us", [*lines, "return sample"], known)
        return sample

    def _read(self, source: Source, field: str, number: int, lines: list[str], known: dict[str, Any]) -> str:
        """Add what reads a field into `value`; returns the kind of person that it names, if it does."""
        path = source.native(field)
        if field in source.constants and field not in source.attributes:
            known[f"constant_{number}"] = source.constants[field]
            lines.append(f"value = constant_{number}")
        else:
            lines += look_up(path, "value") if path is not None else ["value = None"]
        return self._kinds.get(path, "") if path is not None else ""

    def _people(self, fields: Any) -> tuple[SubjectRef, ...]:
        if len(self._subjects) == 1:
            get, kind = self._subjects[0]
            value = get(fields)
            if type(value) is str:
                return (self._pseudonym(kind, value),) if value else ()
        people = (self._pseudonym(kind, text) for get, kind in self._subjects for text in _members(get(fields)))
        return tuple(dict.fromkeys(people))

    def _texts(self, value: Any, kind: str) -> list[str]:
        if kind:
            return list(dict.fromkeys(self._pseudonym(kind, text) for text in _members(value)))
        return list(dict.fromkeys(bounded(text).replace(SEPARATOR, " ") for text in _members(value)))

    def _touched(self, fields: Any) -> int:
        """How many personal-data records the event touched; none where the playbook says that the rule touches none."""
        if not self._touches:
            return 0
        if self._records is None:
            return 1
        count = self._records(fields)
        known = isinstance(count, int) and not isinstance(count, bool) and count >= 0
        return min(count, MAX_RECORDS) if known else 1

    def _shown(self, value: Any, kind: str) -> Any:
        if kind:
            refs = [self._pseudonym(kind, text) for text in _members(value)][:MAX_LISTED]
            return refs if isinstance(value, list) else next(iter(refs), None)
        if isinstance(value, list):
            return [self._shown(member, "") for member in value[:MAX_LISTED]]
        if isinstance(value, str):
            return bounded(value)
        return value if isinstance(value, int | float) else bounded(str(value))


def is_plain(text: str) -> bool:
    """Whether a text can be kept as it is: the usual case, told quickly."""
    return len(text) <= MAX_VALUE and text.isascii() and SEPARATOR not in text


def bounded(text: str) -> str:
    """A text of at most `MAX_VALUE` characters that stands for this one and no other, without lone surrogates."""
    sound = text if text.isascii() else text.encode("utf-8", "replace").decode()
    if len(sound) <= MAX_VALUE:
        return sound
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    return f"{sound[: MAX_VALUE - 20]}... {digest}"


def _members(value: Any) -> Iterable[str]:
    """The texts that a value holds: one, those of a list, or none."""
    for member in value if isinstance(value, list) else (value,):
        text = text_of(member)
        if text:
            yield text
