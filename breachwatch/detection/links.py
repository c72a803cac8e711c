"""Holds a playbook's files against each other and the sources, and makes rules and correlations of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import blake2b

from breachwatch.detection.conditions import Condition
from breachwatch.detection.folders import Folder
from breachwatch.detection.meaning import check_meaning, knows
from breachwatch.detection.playbook import Playbook
from breachwatch.detection.rules import Correlation, CorrelationKind, Input, Rule
from breachwatch.detection.sigma_correlation import CorrelationTerms
from breachwatch.detection.sigma_documents import Draft
from breachwatch.kernel.errors import Problem
from breachwatch.kernel.shapes import did_you_mean
from breachwatch.kernel.yaml import KeyPath, Node
from breachwatch.sources.source import Source

_MICROSECOND = timedelta(microseconds=1)


@dataclass(slots=True)
class Linked:
    """What became of a folder's drafts."""

    rules: list[Rule] = field(default_factory=list)
    correlations: list[Correlation] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def link(folder: Folder, sources: Mapping[str, Source]) -> Linked:
    """Link one folder whose files could all be read."""
    if folder.playbook is None or folder.node is None or folder.drafts is None:
        return Linked()
    linker = _Linker(folder.playbook, folder.node, folder.drafts, sources)
    linker.run()
    return linker.made


class _Linker:
    def __init__(self, playbook: Playbook, node: Node, drafts: Sequence[Draft], sources: Mapping[str, Source]) -> None:
        self.playbook = playbook
        self.node = node
        self.drafts = drafts
        self.sources = sources
        self.made = Linked()
        self._by_reference = {ref: draft for draft in drafts for ref in (draft.sigma_id, draft.name) if ref}
        self._served: dict[str, tuple[str, ...]] = {}
        self._targets: dict[str, list[Draft]] = {}
        self._wanted: dict[str, set[str]] = {}

    def run(self) -> None:
        for draft in self.drafts:
            if draft.terms is not None:
                self._resolve(draft, draft.terms)
            elif draft.condition is not None:
                self._serve(draft)
        order = self._order()
        whole = not any(draft.broken for draft in self.drafts)
        if whole and not self.made.problems:
            for draft in order:
                if draft.terms is not None:
                    self._correlate(draft, draft.terms)
                elif self._alerts(draft):
                    self._alone(draft)
        if whole and not self.made.problems:
            self.made.rules = [
                self._rule(draft, draft.condition) for draft in self.drafts if draft.condition is not None
            ]
        used = sorted({name for names in self._served.values() for name in names})
        self.made.problems.extend(
            check_meaning(
                self.playbook,
                self.node,
                self.drafts,
                [self.sources[name] for name in used],
                self.made.correlations if whole and not self.made.problems else None,
            )
        )

    def _refuse(self, node: Node, at: KeyPath, message: str, hint: str = "", *, key: bool = False) -> None:
        self.made.problems.append(node.problem(at, message, hint, key=key))

    def _serve(self, draft: Draft) -> None:
        """Which sources a rule is for, and whether they have the fields it names."""
        names = tuple(
            name for name, source in self.sources.items() if draft.logsource.items() <= source.logsource.items()
        )
        self._served[draft.id] = names
        if not names:
            known = {", ".join(f"{k}: {v}" for k, v in source.logsource.items()) for source in self.sources.values()}
            asked = ", ".join(f"{k}: {v}" for k, v in draft.logsource.items())
            hint = did_you_mean(asked, known)
            self._refuse(draft.node, ("logsource",), f"no source answers to {{{asked}}}", hint)
        for name in names:
            for wanted, at in draft.fields:
                if not knows(self.sources[name], wanted):
                    hint = did_you_mean(wanted, self.sources[name].known_fields())
                    self._refuse(draft.node, at, f'source {name} has no field "{wanted}"', hint, key=True)

    def _resolve(self, draft: Draft, terms: CorrelationTerms) -> None:
        """What a correlation refers to."""
        targets: list[Draft] = []
        for reference, at in terms.references:
            target = self._by_reference.get(reference)
            if target is None:
                titles = {each.title: each.name for each in self.drafts}
                hint = did_you_mean(reference, self._by_reference)
                if reference in titles:
                    hint = f'refer to it by its name "{titles[reference]}"' if titles[reference] else "give it a `name`"
                self._refuse(draft.node, at, f'no rule is named "{reference}"', hint)
            elif target in targets:
                self._refuse(draft.node, at, f'"{reference}" is a rule that is listed already')
            else:
                targets.append(target)
        self._targets[draft.id] = targets

    def _order(self) -> list[Draft]:
        """The drafts so that each comes after what it refers to; a circle is a problem."""
        done: list[Draft] = []
        on_the_way: list[Draft] = []

        def place(draft: Draft) -> None:
            if draft in done:
                return
            if draft in on_the_way:
                path = " -> ".join([*(each.id for each in on_the_way), draft.id])
                self._refuse(draft.node, ("correlation", "rules"), f"correlations go round in a circle: {path}")
                return
            on_the_way.append(draft)
            for target in self._targets.get(draft.id, ()):
                place(target)
            on_the_way.pop()
            done.append(draft)

        for draft in self.drafts:
            place(draft)
        return done

    def _alerts(self, draft: Draft) -> bool:
        """Whether it alerts by itself: a rule only if no correlation refers to it, unless that says `generate: true`.

        A correlation that another one refers to still alerts, unless the other says `generate: false` in so many words.
        """
        referring = [each for each in self.drafts if draft in self._targets.get(each.id, ())]
        said = [each.terms.generate for each in referring if each.terms is not None]
        if not said or True in said:
            return True
        return draft.terms is not None and False not in said

    def _sources_of(self, draft: Draft) -> tuple[str, ...]:
        if draft.terms is None:
            return self._served.get(draft.id, ())
        return tuple(dict.fromkeys(name for each in self._targets[draft.id] for name in self._sources_of(each)))

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
        ways = tuple(frozenset(by_reference[ref] for ref in way) for way in terms.ways)
        self._make(draft, terms.kind, inputs, group, terms.threshold, terms.timespan_us, ways, self._alerts(draft))

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
                    self._refuse(draft.node, at, f'alias "{written}" says nothing for rule "{target.id}"')
            for source in (self.sources[each] for each in self._served.get(target.id, ())):
                if name and not knows(source, name):
                    hint = did_you_mean(name, source.known_fields())
                    self._refuse(draft.node, at, f'source {source.name} has no field "{name}"', hint)
            named.append(name)
        self._wanted.setdefault(target.id, set()).update(named)
        size = len(terms.group_by)
        return Input(target.id, tuple(named[:size]), tuple(named[size:]))

    def _inner_input(self, draft: Draft, terms: CorrelationTerms, target: Draft) -> Input:
        inner = next(each for each in self.made.correlations if each.id == target.id)
        places = dict(terms.group_by)
        named: list[str] = []
        for written in (*places, *terms.counted):
            alias = terms.aliases.get(written, {})
            name = alias.get(target.name) or alias.get(target.sigma_id) or written
            shown = name if name in inner.group else self._shown(target, name)
            if shown not in inner.group:
                at = places.get(written, ("correlation", "condition"))
                hint = f"it is grouped by: {', '.join(inner.group) or 'nothing'}"
                self._refuse(draft.node, at, f'correlation "{target.id}" does not know "{written}"', hint)
            named.append(shown)
        size = len(terms.group_by)
        return Input(target.id, tuple(named[:size]), tuple(named[size:]), inner.timespan_us + inner.reach_us)

    def _alone(self, draft: Draft) -> None:
        """A rule that alerts by itself: every match counts, grouped as incidents are merged."""
        merge_by = self.playbook.detection.merge_by
        self._wanted.setdefault(draft.id, set()).update(merge_by)
        inputs = [Input(draft.id, merge_by, lenient=True)]
        self._make(draft, "event_count", inputs, merge_by, 1, 0, (), alerts=True)

    def _make(
        self,
        draft: Draft,
        kind: CorrelationKind,
        inputs: Sequence[Input],
        group: tuple[str, ...],
        threshold: int,
        timespan_us: int,
        ways: tuple[frozenset[int], ...],
        alerts: bool,
    ) -> None:
        meaning = self.playbook.detection
        sources = self._sources_of(draft)
        lateness = max((self.sources[each].allowed_lateness for each in sources), default=timedelta())
        shape = blake2b(repr((kind, inputs, group)).encode(), digest_size=8).hexdigest()
        self.made.correlations.append(
            Correlation(
                playbook=self.playbook.id,
                id=draft.id,
                title=draft.title,
                name=draft.name,
                level=draft.level,
                kind=kind,
                inputs=tuple(inputs),
                group=group,
                tests=(("gte", threshold),),
                timespan_us=timespan_us,
                ways=ways,
                suppress_us=meaning.suppress // _MICROSECOND,
                lateness_us=lateness // _MICROSECOND,
                sources=sources,
                max_samples=meaning.max_samples,
                alerts=alerts,
                raises_incident=bool(draft.names & set(meaning.raises_incident)),
                shape=shape,
            )
        )

    def _rule(self, draft: Draft, condition: Condition) -> Rule:
        return Rule(
            playbook=self.playbook.id,
            id=draft.id,
            title=draft.title,
            name=draft.name,
            names=frozenset(draft.names),
            level=draft.level,
            condition=condition,
            logsource=draft.logsource,
            sources=self._served[draft.id],
            wanted=tuple(sorted(self._wanted.get(draft.id, ()))),
        )
