"""From raw records to the rules that they match: one scan, then only the few rules that may, on fields read lazily.

For each record: what literals it holds (`scan.py`), which rules those are witnesses of (`witnesses.py`), and only if
there are any is it read and are they asked (`matcher.py`). A record that hits nothing is glanced at, for its verdict
and time alone. A source whose raw records nothing is known of is read first, and its events are scanned as
`plain_form` writes them; either way the cost does not grow with the number of rules that have nothing to do with it.
"""

from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from breachwatch.detection.conditions import Condition
from breachwatch.detection.matching.finder_dump import DUMPS, Dump, edition_of
from breachwatch.detection.matching.matcher import Index, Kind, Matcher, equalities
from breachwatch.detection.matching.rarity import MAX_SAMPLE, MAX_SAMPLE_BYTES, choose, learned
from breachwatch.detection.matching.scan import Plan, Scan, Writing, plain_form
from breachwatch.detection.matching.witnesses import Clause, Seen
from breachwatch.detection.rules import Rule
from breachwatch.sources.event import TOO_LONG, Dead, Event, Ignored, Outcome
from breachwatch.sources.source import Path, Source, Survey

FEW_RULES = 12
"""So few rules are asked sooner than an event is written anew to be scanned."""
MAX_UNSEEN = 0.1
"""Share of rules that may have a witness in the event but none in the raw record, until events are scanned instead."""
WASTE_PER_RULE = 60
"""So many needless questions for each rule, and it is worth learning better witnesses from what passes by."""
WORSE = 1.5
"""So many times more needless questions an event than after a lesson, and another is worth it."""
MAX_REMEMBERED = 32_768
"""Most combinations of literals and kind of event for which it is remembered whom to ask."""
MAX_COMMON = 0.25
"""Share of records in which a witness may be found until a rule is rather looked up by the kind of event."""
MIN_SAMPLE = 100
"""Fewest records at a time that are worth learning from."""

MIN_QUIET = 4
"""If not even one record in so many could be left unread, looking at all of them at once is not worth it,"""
PATIENCE = 16
"""and so many chunks are looked at record by record."""
MAX_TOLD = 12
"""Most fields that are taken out of every record, whether anybody asks them or not."""
MAX_SETS = 64
"""Of so many sets of rules, those asked most, the fields are looked at when such fields are chosen."""
FIRST_UNABLE = 500
"""So many records read since a field was not told, and it is thought anew which are; four times as many the next."""

Hit = tuple[int, Event, list[int]]
_NONE: list[int] = []


@dataclass(slots=True)
class Found:
    """What some records held.

    `events`: how many are events; `ignored`: the others that can be read, by reason; `dead`: those that cannot, by
    position; `hits`: position, event and the matched rules by index, for events that match at least one.
    """

    events: int = 0
    ignored: Counter[str] = field(default_factory=Counter)
    dead: list[tuple[int, Dead]] = field(default_factory=list)
    hits: list[Hit] = field(default_factory=list)


class Finder:
    """Every rule of one source, sought in its raw records.

    Args:
        source: whose records these are.
        rules: those that are for this source, guards included (`Rule.guards`).
        sample: some of its raw records, if there are any, to choose rare witnesses by. Without, it learns as it goes.

    Attributes:
        source: as given.
        rules: as given; matches are told by their position here.
    """

    def __init__(self, source: Source, rules: Sequence[Rule], *, sample: Sequence[bytes] = ()) -> None:
        self._prepare(source, rules)
        seen, clauses = self._first_choice()
        self._seek(seen, clauses)
        if sample:
            self._learn(sample, 0)

    @classmethod
    def load(cls, source: Source, rules: Sequence[Rule], dumped: bytes) -> "Finder":
        """The finder that `dump` wrote down, without choosing and compiling anew.

        Args:
            source: as when it was dumped.
            rules: the same rules in the same order: whoever keeps dumps must tell by a digest that they are.
            dumped: what `dump` gave. What cannot be used, such as of another edition, costs time and nothing else.
        """
        try:
            told = DUMPS.decode(dumped)
        except msgspec.DecodeError:
            return cls(source, rules)
        if told.edition != edition_of(source, rules) or len(told.clauses) != len(rules):
            return cls(source, rules)
        finder = cls.__new__(cls)
        finder._prepare(source, rules)
        clauses = [None if clause is None else frozenset(clause) for clause in told.clauses]
        finder._seek(Seen(source, told.everything), clauses, told.packed)
        finder._lessons = told.lessons
        return finder

    def dump(self) -> bytes:
        """All that took time to find out: witnesses as they were learned, and the compiled scan."""
        clauses = tuple(None if clause is None else tuple(sorted(clause)) for clause in self._clauses)
        told = Dump(
            edition_of(self.source, self.rules), self._seen.everything, clauses, self._scan.packed, self._lessons
        )
        return msgspec.msgpack.encode(told)

    @property
    def broken(self) -> dict[int, str]:
        """Rules that were switched off, by index, and why."""
        return self._matcher.broken

    def switch_off(self, at: int, why: str) -> None:
        """Ask a rule no more, and say why."""
        self._matcher.switch_off(at, why)

    def find(self, records: Sequence[bytes], received_us: int, skip: Container[int] = ()) -> Found:
        """Read and match records. Never raises: a rule that does is switched off and named in `broken`.

        Args:
            records: raw.
            received_us: when they came in, microseconds since the epoch.
            skip: positions of records that were cut for their length, and are dead for it.
        """
        found = Found()
        if self._survey is not None and self._unusual <= 0 and not skip:
            self._find_together(found, self._survey, records, received_us)
        else:
            self._unusual -= 1
            for index, record in enumerate(records):
                if skip and index in skip:
                    found.dead.append((index, TOO_LONG))
                else:
                    self._find_one(found, index, record, received_us)
        self._asked_events += found.events
        if self._wasted > WASTE_PER_RULE * len(self.rules) and len(records) >= MIN_SAMPLE:
            self._reconsider(records, received_us)
        return found

    def _find_one(
        self,
        found: Found,
        index: int,
        record: bytes,
        received_us: int,
        plan: Plan | None = None,
        known: list[int] | None = None,
    ) -> None:
        """Count one record; `plan` and the rules that it matches are given where they are known."""
        rules: list[int] | None
        try:
            if known:
                outcome, rules = self._parse(record, received_us), known
            elif self._seen.everything:
                outcome, rules = self._in_event(record, received_us)
            else:
                outcome, rules = self._in_raw(record, received_us, plan or self._scan.plan(record))
        except Exception as error:
            outcome, rules = Dead(f"the parser failed: {type(error).__name__}"), None
        if type(outcome) is Event:
            found.events += 1
            if rules:
                found.hits.append((index, outcome, rules))
        elif isinstance(outcome, Ignored):
            found.ignored[outcome.reason] += 1
        elif isinstance(outcome, Dead):
            found.dead.append((index, outcome))

    def _find_together(self, found: Found, survey: Survey, records: Sequence[bytes], received_us: int) -> None:
        """As one by one, but verdicts and kinds of all come of one survey; only what may match is read."""
        all_told = survey.look(records, received_us)
        quiet = 0
        has_rest, plan_of = bool(self._rest), self._scan.plan
        for index, told in enumerate(all_told):
            record = records[index]
            if told is None:
                self._find_one(found, index, record, received_us)
                continue
            plan = plan_of(record)
            known = self._known(plan, survey, told) if plan.rules or has_rest else _NONE
            if plan.odd or known is None:
                self._find_one(found, index, record, received_us, plan)
            elif known:
                self._find_one(found, index, record, received_us, plan, known)
            else:
                quiet += 1
        found.events += quiet
        if MIN_QUIET * quiet < len(records):
            self._unusual = PATIENCE
        if sum(self._unable.values()) > self._patience:
            self._survey_more()

    def _known(self, plan: Plan, survey: Survey, told: Any) -> list[int] | None:
        """The rules that a record matches, by its kind and the fields told; None where it must be read for that."""
        asked = plan.asked.get(survey.kind(told))
        if not asked:
            return None if asked is None else _NONE
        is_brief = self._brief.get(asked)
        if is_brief is None:
            is_brief = self._brief[asked] = all(self._is_brief(at, survey.told) for at in asked)
        if not is_brief:
            self._unable[asked] += 1
            return None
        matcher = self._matcher
        rules = matcher.among(matcher.view(survey.fields(told)), asked)
        self._wasted += len(asked) - len(rules)
        return rules

    def _is_brief(self, at: int, told: frozenset[Path]) -> bool:
        paths = self._matcher.paths_of(at)
        return paths is not None and paths <= told

    def _survey_more(self) -> None:
        """Have the fields told from now on whose want has most often led to a record being read."""
        wanted: set[Path] = set()
        for asked, _ in self._unable.most_common(MAX_SETS):
            paths = [self._matcher.paths_of(at) for at in asked]
            all_paths = frozenset[Path]().union(*(each for each in paths if each is not None))
            if None not in paths and len(wanted | all_paths) <= MAX_TOLD:
                wanted |= all_paths
        self._unable.clear()
        self._brief.clear()
        self._patience *= 4
        if self.source.survey is not None:
            self._survey = self.source.survey(self._matcher.kind_paths, wanted)

    def candidates(self, record: bytes, received_us: int) -> list[int]:
        """The rules that would be asked about a record, ascending; none for a record that is no event."""
        plan = self._scan.plan(record)
        outcome = self.source.parse(record, received_us)
        if type(outcome) is not Event:
            return []
        if plan.odd or self._seen.everything:
            plan = self._look_again(outcome.fields)
        view = self._matcher.view(outcome.fields)
        return list(self._matcher.settled([*plan.rules, *self._rest.candidates(view)], view))

    def _prepare(self, source: Source, rules: Sequence[Rule]) -> None:
        self.source = source
        self.rules = tuple(rules)
        self._parse = source.parse
        self._glance = source.glance or source.parse
        self._matcher = Matcher(source, rules)
        self._writing: Writing = "none" if source.raw is not None and source.raw.escapes == "none" else "json"
        self._lessons = 0
        self._usual: float | None = None

    def _first_choice(self) -> tuple[Seen, list[Clause | None]]:
        """Witnesses in the raw record; in the event where nothing or too little is known of the record."""
        conditions, whole = self._matcher.conditions, Seen(self.source, everything=True)
        if self.source.raw is None:
            few = len(conditions) <= FEW_RULES
            return whole, [None] * len(conditions) if few else choose(conditions, whole)
        seen = Seen(self.source, everything=False)
        clauses = choose(conditions, seen)
        lacking = [at for at, clause in enumerate(clauses) if clause is None]
        unseen = [clause for clause in choose([conditions[at] for at in lacking], whole) if clause is not None]
        if len(unseen) > max(FEW_RULES, MAX_UNSEEN * len(conditions)):
            return whole, choose(conditions, whole)
        return seen, clauses

    def _seek(self, seen: Seen, clauses: Sequence[Clause | None], packed: bytes = b"") -> None:
        self._seen = seen
        self._clauses = tuple(clauses)
        self._rest = Index(self._matcher, [at for at, clause in enumerate(clauses) if clause is None])
        self._scan = Scan(clauses, self._writing, packed)
        self._scans = any(clauses)
        self._wasted = self._asked_events = 0
        self._remembered = 0
        self._brief: dict[tuple[int, ...], bool] = {}
        self._unable: Counter[tuple[int, ...]] = Counter()
        self._unusual, self._patience = 0, FIRST_UNABLE
        self._survey = None
        if self.source.survey is not None and not seen.everything:
            self._survey = self.source.survey(self._matcher.kind_paths, ())

    def _in_raw(self, record: bytes, received_us: int, plan: Plan) -> tuple[Outcome, list[int] | None]:
        if not (plan.rules or plan.odd or self._rest):
            return self._glance(record, received_us), None
        outcome = self._parse(record, received_us)
        if type(outcome) is not Event:
            return outcome, None
        if plan.odd:
            plan = self._look_again(outcome.fields)
        return outcome, self._ask(outcome.fields, plan)

    def _in_event(self, record: bytes, received_us: int) -> tuple[Outcome, list[int] | None]:
        outcome = self._parse(record, received_us)
        if type(outcome) is not Event:
            return outcome, None
        plan = self._look_again(outcome.fields) if self._scans else self._scan.nothing
        return outcome, self._ask(outcome.fields, plan)

    def _look_again(self, fields: dict[str, Any]) -> Plan:
        """Which rules an event may match, by its own values."""
        plain = plain_form(fields, self._writing)
        return self._scan.plan(plain) if plain is not None else self._scan.everything

    def _ask(self, fields: dict[str, Any], plan: Plan) -> list[int] | None:
        """The rules that an event matches, ascending; whom to ask is remembered by plan and kind of event."""
        matcher, rest = self._matcher, self._rest
        kind = matcher.kind(fields)
        asked = plan.asked.get(kind)
        if asked == ():
            return None
        view = matcher.view(fields)
        if asked is None:
            asked = matcher.settled([*plan.rules, *rest.candidates(view)], view)
            if kind is not None and rest.by_kind and matcher.remembers_kinds:
                self._remember(plan, kind, asked)
        found = matcher.among(view, asked)
        self._wasted += len(asked) - len(found)
        return found

    def _remember(self, plan: Plan, kind: Kind, asked: tuple[int, ...]) -> None:
        self._remembered += 1
        if self._remembered > MAX_REMEMBERED:
            self._scan.forget()
            self._remembered = 0
            self._brief.clear()
        plan.asked[kind] = asked

    def _reconsider(self, records: Sequence[bytes], received_us: int) -> None:
        """Learn, the first time that many questions were needless, and when they become many more than after it."""
        rate = self._wasted / max(self._asked_events, 1)
        first = not self._lessons
        if first or (self._usual is not None and rate > WORSE * self._usual + 1):
            self._learn(records, received_us)
            return
        self._usual = rate if self._usual is None else min(rate, self._usual)
        self._wasted = self._asked_events = 0

    def _learn(self, records: Sequence[bytes], received_us: int) -> None:
        """Choose witnesses anew, by how often each literal stands in what came last."""
        sample = self._sample(records, received_us)
        self._lessons += 1
        self._usual = None
        self._wasted = self._asked_events = 0
        if not self._scans or not sample:
            return
        conditions = self._matcher.conditions
        cost = learned(conditions, self._seen, self._writing, sample)
        clauses = choose(conditions, self._seen, cost)
        if self._rest:
            # Every event is read, so a witness that is found everywhere is worth less than a look at the event's kind.
            kinds = set(self._matcher.kind_fields)
            for at, clause in enumerate(clauses):
                if clause is not None and cost(clause) > MAX_COMMON and _has_kind(conditions[at], kinds):
                    clauses[at] = None
        self._seek(self._seen, clauses)

    def _sample(self, records: Sequence[bytes], received_us: int) -> list[bytes]:
        """Some of the records as they are scanned, evenly spread."""
        sample: list[bytes] = []
        room = MAX_SAMPLE_BYTES
        for record in records[:: max(len(records) // MAX_SAMPLE, 1)][:MAX_SAMPLE]:
            scanned: bytes | None = record
            if self._seen.everything:
                outcome = self._parse(record, received_us)
                scanned = plain_form(outcome.fields, self._writing) if type(outcome) is Event else None
            if scanned is not None and len(scanned) <= room:
                sample.append(scanned)
                room -= len(scanned)
        return sample


def _has_kind(condition: Condition, kinds: set[str]) -> bool:
    return any(field in kinds for field, _ in equalities(condition))
