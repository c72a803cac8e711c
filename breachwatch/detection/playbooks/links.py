"""Holds drafts against each other and the sources, and makes rules and correlations of them.

A playbook is all or nothing: what names something that is not there is a mistake of its author. A plain folder of rules
is somebody else's work, written for more sources than are loaded: each rule that can be used is, and a correlation
falls only with what it refers to.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import blake2b

from breachwatch.detection.conditions import Condition
from breachwatch.detection.playbooks.folders import Folder
from breachwatch.detection.playbooks.meaning import check_meaning, knows
from breachwatch.detection.playbooks.playbook import Playbook
from breachwatch.detection.rules import Correlation, Input, Rule
from breachwatch.detection.sigma.condition_table import Table
from breachwatch.detection.sigma.routing import fits
from breachwatch.detection.sigma.sigma_correlation import CorrelationTerms
from breachwatch.detection.sigma.sigma_documents import Draft
from breachwatch.detection.sigma.sigma_filters import unknown_rules
from breachwatch.kernel.errors import Problem
from breachwatch.kernel.shapes import did_you_mean
from breachwatch.kernel.yaml import KeyPath
from breachwatch.sources.source import Source

MAX_CHAIN = 64
"""Most correlations of correlations of correlations."""
MAX_HINTS = 20
"""Most names for which the nearest known one is sought: among thousands it takes a while."""
PLAIN_SAMPLES = 10
_MICROSECOND = timedelta(microseconds=1)
_ONE = CorrelationTerms("event_count", [], [], 0)


@dataclass(slots=True)
class Linked:
    """What became of a folder's drafts."""

    rules: list[Rule] = field(default_factory=list)
    correlations: list[Correlation] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def link(folder: Folder, sources: Mapping[str, Source], filters: Sequence[Draft] = ()) -> Linked:
    """Link one playbook folder whose files could all be read; `filters` may come from anywhere in its tree."""
    if folder.playbook is None or folder.node is None or folder.drafts is None:
        return Linked()
    linker = _Linker(folder.drafts, sources, filters, folder.playbook)
    linker.run()
    made = linker.made
    used = [sources[name] for name in linker.used]
    whole = made.correlations if linker.whole else None
    drafts = [each for each in folder.drafts if not each.is_filter]
    made.problems.extend(check_meaning(folder.playbook, folder.node, drafts, used, whole))
    return made


def link_plain(drafts: Sequence[Draft], sources: Mapping[str, Source]) -> Linked:
    """Link the drafts of a plain folder: all that can be used is, and `problems` says of the rest why not."""
    linker = _Linker(drafts, sources, [each for each in drafts if each.is_filter], None)
    linker.run()
    return linker.made


class _Linker:
    def __init__(
        self,
        drafts: Sequence[Draft],
        sources: Mapping[str, Source],
        filters: Sequence[Draft],
        playbook: Playbook | None,
    ) -> None:
        self.playbook = playbook
        self.drafts = [each for each in drafts if not each.is_filter]
        self.sources = sources
        self.made = Linked()
        self._filters = [(each.node, each.filter) for each in filters if each.filter is not None]
        self._filters_of: dict[str | None, list[int]] = {}
        for number, (_, terms) in enumerate(self._filters):
            for name in {name for name, _ in terms.rules} if terms.rules is not None else {None}:
                self._filters_of.setdefault(name, []).append(number)
        self._by_reference = {ref: draft for draft in self.drafts for ref in (draft.sigma_id, draft.name) if ref}
        self._titles = {each.title: each.name for each in self.drafts}
        self._served: dict[str, tuple[str, ...]] = {}
        self._guards: dict[str, dict[str, Condition]] = {}
        self._targets: dict[str, list[Draft]] = {}
        self._referring: dict[str, list[bool | None]] = {}
        self._wanted: dict[str, set[str]] = {}
        self._faulty = {each.id for each in self.drafts if each.broken}
        self._made: dict[str, Correlation] = {}
        self._reached: dict[str, tuple[str, ...]] = {}
        self._hints = MAX_HINTS
        self._fits: dict[tuple[tuple[str, str], ...], tuple[tuple[str, ...], dict[str, Condition]]] = {}

    @property
    def whole(self) -> bool:
        """Whether nothing at all is wrong."""
        return not self._faulty and not self.made.problems

    @property
    def used(self) -> list[str]:
        """Names of all sources that any rule is for."""
        return sorted({name for names in self._served.values() for name in names})

    def run(self) -> None:
        for draft in self.drafts:
            if draft.terms is not None:
                self._resolve(draft, draft.terms)
            elif draft.condition is not None:
                self._serve(draft)
        self._check_filters()
        order = self._order()
        if self.playbook is not None and not self.whole:
            return
        for draft in order:
            if draft.terms is not None:
                if self._usable(draft):
                    self._correlate(draft, draft.terms)
            elif self.playbook is not None and self._alerts(draft):
                self._alone(draft, self.playbook.detection.merge_by)
        if self.playbook is None or self.whole:
            self.made.rules = [
                self._rule(draft, draft.condition)
                for draft in self.drafts
                if draft.condition is not None and draft.terms is None and draft.id not in self._faulty
            ]

    def _usable(self, draft: Draft) -> bool:
        """Whether a correlation and all it refers to are without fault; blames it if only what it refers to is not."""
        if draft.id in self._faulty:
            return False
        faulty = [each.id for each in self._targets[draft.id] if each.id in self._faulty]
        if faulty:
            self._refuse(draft, ("correlation", "rules"), f'it counts "{faulty[0]}", which cannot be used')
        return not faulty

    def _refuse(self, draft: Draft, at: KeyPath, message: str, hint: str = "", *, key: bool = False) -> None:
        self._faulty.add(draft.id)
        self.made.problems.append(draft.node.problem(at, message, hint, key=key))

    def _check_filters(self) -> None:
        known = {name for draft in self.drafts for name in (draft.sigma_id, draft.name) if name}
        if self.playbook is None:
            for node, terms in self._filters:
                self.made.problems.extend(unknown_rules(node, terms, known))

    def _serve(self, draft: Draft) -> None:
        """Which sources a rule is for, and whether they have the fields it names."""
        plain = self.playbook is None
        names, self._guards[draft.id] = self._fitting(draft.logsource)
        self._served[draft.id] = names
        if plain:
            return
        if not names:
            known = {", ".join(f"{k}: {v}" for k, v in source.logsource.items()) for source in self.sources.values()}
            asked = ", ".join(f"{k}: {v}" for k, v in draft.logsource.items())
            self._refuse(draft, ("logsource",), f"no source answers to {{{asked}}}", did_you_mean(asked, known))
        for name in names:
            for wanted, at in draft.fields:
                if not knows(self.sources[name], wanted):
                    hint = did_you_mean(wanted, self.sources[name].known_fields())
                    self._refuse(draft, at, f'source {name} has no field "{wanted}"', hint, key=True)

    def _fitting(self, logsource: Mapping[str, str]) -> tuple[tuple[str, ...], dict[str, Condition]]:
        """Names of the sources that a logsource fits, and the guard of those that it fits in part."""
        key = tuple(sorted(logsource.items()))
        if key not in self._fits:
            how = {name: fits(logsource, each, plain=self.playbook is None) for name, each in self.sources.items()}
            guards = {name: guard for name, guard in how.items() if guard is not None and guard is not True}
            self._fits[key] = tuple(name for name, each in how.items() if each is not None), guards
        return self._fits[key]

    def _resolve(self, draft: Draft, terms: CorrelationTerms) -> None:
        """What a correlation refers to."""
        targets: list[Draft] = []
        for reference, at in terms.references:
            target = self._by_reference.get(reference)
            if target is None:
                self._refuse(draft, at, f'no rule is named "{reference}"', self._hint(reference))
            elif target in targets:
                self._refuse(draft, at, f'"{reference}" is a rule that is listed already')
            else:
                targets.append(target)
        self._targets[draft.id] = targets
        for target in targets:
            self._referring.setdefault(target.id, []).append(terms.generate)

    def _hint(self, reference: str) -> str:
        if reference in self._titles:
            name = self._titles[reference]
            return f'refer to it by its name "{name}"' if name else "give it a `name`"
        self._hints -= 1
        return did_you_mean(reference, self._by_reference) if self._hints >= 0 else ""

    def _order(self) -> list[Draft]:
        """The drafts so that each comes after what it refers to; a circle is a problem."""
        done: dict[str, Draft] = {}
        on_the_way: list[str] = []

        def place(draft: Draft) -> None:
            if draft.id in done:
                return
            if draft.id in on_the_way:
                path = " -> ".join([*on_the_way, draft.id])
                self._refuse(draft, ("correlation", "rules"), f"correlations go round in a circle: {path}")
                return
            if len(on_the_way) > MAX_CHAIN:
                self._refuse(draft, ("correlation", "rules"), f"more than {MAX_CHAIN} correlations refer to each other")
                return
            on_the_way.append(draft.id)
            for target in self._targets.get(draft.id, ()):
                place(target)
            on_the_way.pop()
            done[draft.id] = draft

        for draft in self.drafts:
            place(draft)
        return list(done.values())

    def _alerts(self, draft: Draft) -> bool:
        """Whether it alerts by itself: a rule only if no correlation refers to it, unless that says `generate: true`.

        A correlation that another one refers to still alerts, unless the other says `generate: false` in so many words.
        """
        said = self._referring.get(draft.id, [])
        if not said or True in said:
            return True
        return draft.terms is not None and False not in said

    def _sources_of(self, draft: Draft) -> tuple[str, ...]:
        if draft.terms is None:
            return self._served.get(draft.id, ())
        if draft.id not in self._reached:
            reached = dict.fromkeys(name for each in self._targets[draft.id] for name in self._sources_of(each))
            self._reached[draft.id] = tuple(reached)
        return self._reached[draft.id]

    def _shown(self, draft: Draft, written: str) -> str:
        """The name that a group field has in alerts: its OCSF path where the source has one for it."""
        for name in self._sources_of(draft):
            source = self.sources[name]
            if written in source.attributes:
                return written
            native = source.native(written)
            for path, mapped in source.attributes.items():
                if mapped == native:
                    return path
        return written

    def _correlate(self, draft: Draft, terms: CorrelationTerms) -> None:
        inputs = [self._input(draft, terms, target) for target in self._targets[draft.id]]
        by_reference = {
            ref: at for at, each in enumerate(self._targets[draft.id]) for ref in (each.sigma_id, each.name)
        }
        group = tuple(
            written if written in terms.aliases else self._shown(draft, written) for written, _ in terms.group_by
        )
        if draft.id in self._faulty:
            return
        ways = tuple(frozenset(by_reference[ref] for ref in way) for way in terms.ways)
        self._make(draft, terms, inputs, group, ways, alerts=self._alerts(draft))

    def _input(self, draft: Draft, terms: CorrelationTerms, target: Draft) -> Input:
        """How one referenced rule's matches carry the group and the counted values."""
        if target.terms is not None:
            return self._inner_input(draft, terms, target)
        named: list[str] = []
        places = dict(terms.group_by)
        for written in (*places, *terms.counted):
            at = places.get(written, ("correlation", "condition", "field"))
            alias = terms.aliases.get(written)
            name = written
            if alias is not None:
                name = alias.get(target.name) or alias.get(target.sigma_id) or ""
                at = ("correlation", "aliases", written)
                if not name:
                    self._refuse(draft, at, f'alias "{written}" says nothing for rule "{target.id}"')
            for source in (self.sources[each] for each in self._served.get(target.id, ())):
                if name and self.playbook is not None and not knows(source, name):
                    hint = did_you_mean(name, source.known_fields())
                    self._refuse(draft, at, f'source {source.name} has no field "{name}"', hint)
            named.append(name)
        self._wanted.setdefault(target.id, set()).update(named)
        size = len(terms.group_by)
        return Input(target.id, tuple(named[:size]), tuple(named[size:]))

    def _inner_input(self, draft: Draft, terms: CorrelationTerms, target: Draft) -> Input:
        inner = self._made[target.id]
        places = dict(terms.group_by)
        named: list[str] = []
        for written in (*places, *terms.counted):
            alias = terms.aliases.get(written, {})
            name = alias.get(target.name) or alias.get(target.sigma_id) or written
            shown = name if name in inner.group else self._shown(target, name)
            if shown not in inner.group:
                at = places.get(written, ("correlation", "condition"))
                hint = f"it is grouped by: {', '.join(inner.group) or 'nothing'}"
                self._refuse(draft, at, f'correlation "{target.id}" does not know "{written}"', hint)
            named.append(shown)
        size = len(terms.group_by)
        return Input(target.id, tuple(named[:size]), tuple(named[size:]), inner.timespan_us + inner.reach_us)

    def _alone(self, draft: Draft, merge_by: tuple[str, ...]) -> None:
        """A rule that alerts by itself: every match counts, grouped as incidents are merged."""
        self._wanted.setdefault(draft.id, set()).update(merge_by)
        inputs = [Input(draft.id, merge_by, lenient=True)]
        self._make(draft, _ONE, inputs, merge_by, (), alerts=True)

    def _make(
        self,
        draft: Draft,
        terms: CorrelationTerms,
        inputs: Sequence[Input],
        group: tuple[str, ...],
        ways: tuple[frozenset[int], ...],
        *,
        alerts: bool,
    ) -> None:
        meaning = self.playbook.detection if self.playbook is not None else None
        sources = self._sources_of(draft)
        lateness = max((self.sources[each].allowed_lateness for each in sources), default=timedelta())
        means = [self._means(each) for each in self._targets.get(draft.id, (draft,))]
        shape = blake2b(repr((terms.kind, inputs, group, means)).encode(), digest_size=8).hexdigest()
        made = Correlation(
            playbook=self.playbook.id if self.playbook is not None else "",
            id=draft.id,
            title=draft.title,
            name=draft.name,
            level=draft.level,
            kind=terms.kind,
            inputs=tuple(inputs),
            group=group,
            tests=terms.tests,
            timespan_us=terms.timespan_us,
            ways=ways,
            suppress_us=meaning.suppress // _MICROSECOND if meaning is not None else terms.timespan_us,
            lateness_us=lateness // _MICROSECOND,
            sources=sources,
            max_samples=meaning.max_samples if meaning is not None else PLAIN_SAMPLES,
            alerts=alerts,
            raises_incident=meaning is not None and bool(draft.names & set(meaning.raises_incident)),
            shape=shape,
            earlier_shapes=(blake2b(repr((terms.kind, inputs, group)).encode(), digest_size=8).hexdigest(),),
            percentile=terms.percentile,
            exact_up_to=terms.exact_up_to,
        )
        self._made[draft.id] = made
        self.made.correlations.append(made)

    def _means(self, draft: Draft) -> str:
        """What a rule matches, or a correlation counts, in a form that changes if that does."""
        if draft.id in self._made:
            return self._made[draft.id].shape
        table = Table()
        if draft.condition is not None:
            table.add(draft.condition)
        return repr(table.rows)

    def _rule(self, draft: Draft, condition: Condition) -> Rule:
        return Rule(
            playbook=self.playbook.id if self.playbook is not None else "",
            id=draft.id,
            title=draft.title,
            name=draft.name,
            names=frozenset(draft.names),
            level=draft.level,
            condition=self._filtered(draft, condition),
            logsource=draft.logsource,
            sources=self._served[draft.id],
            wanted=tuple(sorted(self._wanted.get(draft.id, ()))),
            guards=self._guards[draft.id],
            speaks=self._alerts(draft),
        )

    def _filtered(self, draft: Draft, condition: Condition) -> Condition:
        named = (number for name in {*draft.names, *draft.of} for number in self._filters_of.get(name, ()))
        for number in sorted({*self._filters_of.get(None, ()), *named}):
            _, terms = self._filters[number]
            if terms.takes(draft.logsource):
                condition = terms.filtered(condition)
        return condition
