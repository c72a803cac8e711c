"""What the engines, the clock and the desk call: one transaction of the ledger for each thing that happens."""

import logging
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from breachwatch.detection.playbooks.playbook import Playbook
from breachwatch.filings.commands import ApproveFiling
from breachwatch.filings.export import to_json
from breachwatch.filings.form import FilledForm, approved_form, fill
from breachwatch.filings.meta import FilingMeta
from breachwatch.filings.pdf import to_pdf
from breachwatch.incidents.commands import RaiseByHand, TakeAlert
from breachwatch.kernel.errors import BreachwatchError, ConflictError, NotFoundError, RefusedError, UnavailableError
from breachwatch.kernel.facts import SYSTEM, Actor
from breachwatch.kernel.ids import IncidentId, derive
from breachwatch.kernel.organisation import Organisation
from breachwatch.kernel.ports import Directory, Ledger, Transaction, Vault
from breachwatch.kernel.pseudonyms import Pseudonymise
from breachwatch.kernel.streams import Alert
from breachwatch.kernel.time import Tick, rfc3339
from breachwatch.notices.commands import ApproveNotices, ReportDispatch
from breachwatch.notices.decide import digest as digest_of_texts
from breachwatch.notices.facts import NoticesApproved, NoticeText
from breachwatch.notices.render import Rendered, render
from breachwatch.pipeline.case import Case, fold, summarise
from breachwatch.pipeline.evidence import evidence_of, filled_texts, meta_of
from breachwatch.pipeline.flow import Spoken, effects, notice_items, react
from breachwatch.pipeline.gates import overdue
from breachwatch.pipeline.world import World
from breachwatch.subjects.commands import LinkSubjects, ReportResolution
from breachwatch.subjects.resolve import resolve

log = logging.getLogger(__name__)
_MENDED_AT_A_TIME = 100


class CaseFlow:
    """The case plane as a service. Every method is one unit of work and safe to repeat."""

    def __init__(self, ledger: Ledger, vault: Vault, world: World) -> None:
        self._ledger = ledger
        self._vault = vault
        self.world = world
        self._to_mend: list[IncidentId] | None = None

    @property
    def organisation(self) -> Organisation:
        """The controller."""
        return self.world.organisation

    @property
    def playbooks(self) -> dict[str, Playbook]:
        """All loaded playbooks by id."""
        return dict(self.world.playbooks)

    def playbook(self, name: str) -> Playbook:
        """One playbook.

        Raises:
            NotFoundError: none of that name is loaded.
        """
        return self.world.playbook(name)

    # ------------------------------------------------------------------ from the detection plane

    def take_alert(self, alert: Alert, now: datetime) -> IncidentId | None:
        """Take an alert into the ledger once; it raises an incident, joins one, or stays an alert.

        Taking the same revision again changes nothing and answers the same. A revision that comes after a later one
        adds the people that only it carries, and nothing else.

        Raises:
            UnavailableError: the ledger cannot take it now; give it again later.
            NotFoundError: its playbook is not loaded.
        """
        with self._ledger.begin() as tx:
            known = tx.alert_revision(alert.id)
            if known >= alert.revision:
                home = tx.incident_of([alert.id, *alert.supersedes])
                if known > alert.revision:
                    self._add_people(tx, home, alert, now)
                return home
            home = self._home_of(tx, alert)
            tx.save_alert(alert, home, now)
            tx.link_alert_subjects(alert.id, alert.subjects)
            if home:
                self._join(tx, home, alert, SYSTEM, now)
            return home

    def raise_from_alert(self, alert_id: str, actor: Actor, now: datetime) -> IncidentId:
        """An analyst says that an alert which raised nothing is an incident.

        Raises:
            NotFoundError: no such alert, or its playbook is not loaded.
            ConflictError: the alert has grown since it was read; try again.
            RefusedError: the actor may not raise incidents.
        """
        row = self._ledger.alert(alert_id)
        if row is None:
            raise NotFoundError("no such alert")
        if row.incident_id:
            return row.incident_id
        self.world.playbook(row.alert.playbook)
        with self._ledger.begin() as tx:
            if tx.alert_revision(row.alert.id) != row.alert.revision:
                raise ConflictError("this alert has grown since you looked; look again, then raise it")
            home = tx.incident_of([row.alert.id, *row.alert.supersedes]) or _incident_of(row.alert)
            tx.save_alert(row.alert, home, now)
            self._join(tx, home, row.alert, actor, now)
        return home

    def _home_of(self, tx: Transaction, alert: Alert) -> IncidentId | None:
        known = tx.incident_of([alert.id, *alert.supersedes])
        if known:
            return known
        meaning = self.world.playbook(alert.playbook).detection
        key = {name: alert.group[name] for name in meaning.merge_by if name in alert.group}
        since = alert.first_event_at - meaning.merge_within
        open_one = tx.find_mergeable(alert.playbook, key, since)
        if open_one and self._reaches(tx, open_one, alert, meaning.merge_within):
            return open_one
        return _incident_of(alert) if alert.raises_incident else None

    @staticmethod
    def _reaches(tx: Transaction, home: IncidentId, alert: Alert, within: timedelta) -> bool:
        """Whether an incident began soon enough after the alert: an old log read late belongs to no later story."""
        began_at = fold(home, tx.facts(home)).raised().began_at
        return began_at is None or began_at <= alert.last_event_at + within

    def _add_people(self, tx: Transaction, home: IncidentId | None, alert: Alert, now: datetime) -> None:
        tx.link_alert_subjects(alert.id, alert.subjects)
        if home:
            added, total, digest = tx.link_subjects(home, alert.subjects)
            self._work(tx, fold(home, tx.facts(home)), LinkSubjects(SYSTEM, now, added, total, digest), now)

    def _join(self, tx: Transaction, home: IncidentId, alert: Alert, actor: Actor, now: datetime) -> None:
        case = self._work(tx, fold(home, tx.facts(home)), TakeAlert(actor, now, alert), now)
        joining = [alert, *self._forerunners(tx, alert)]
        for earlier in joining[1:]:
            tx.save_alert(earlier, home, now)
            case = self._work(tx, case, TakeAlert(actor, now, earlier), now)
        refs = tx.alert_subjects([one.id for one in joining])
        added, total, digest = tx.link_subjects(home, refs)
        self._work(tx, case, LinkSubjects(SYSTEM, now, added, total, digest), now)

    def _forerunners(self, tx: Transaction, alert: Alert) -> list[Alert]:
        """Alerts that raised nothing but belong to the same story, such as the brute force before its success."""
        meaning = self.world.playbook(alert.playbook).detection
        key = {name: alert.group.get(name) for name in meaning.merge_by}
        return [
            earlier
            for earlier in tx.unlinked_alerts(alert.playbook, alert.first_event_at - meaning.merge_within)
            if {name: earlier.group.get(name) for name in meaning.merge_by} == key
            and earlier.first_event_at <= alert.last_event_at + meaning.merge_within
        ]

    # ------------------------------------------------------------------ from people and from time

    def raise_by_hand(self, command: RaiseByHand) -> IncidentId:
        """Raise what no log told of; the same command given twice raises one incident."""
        home = IncidentId(derive("in", "by-hand", command.by.name, rfc3339(command.at), command.title))
        with self._ledger.begin() as tx:
            facts = tx.facts(home)
            if not facts:
                self._work(tx, fold(home, facts), command, command.at)
        return home

    def command(self, incident_id: IncidentId, command: Any, expected_seq: int | None = None) -> Case:
        """Carry out what a person asked of a case.

        Approvals are completed here, inside the transaction, with what is true at that moment: the fields or texts
        as filled, whether the deadline has passed, who else is on the team, how many people are untold. What the
        person saw comes in as `digest_seen`.

        Raises:
            RefusedError: the rules of the case do not allow it; the text says why.
            ConflictError: `expected_seq` is given and the case has moved on.
            NotFoundError: no such incident.
        """
        with self._ledger.begin() as tx:
            case = fold(incident_id, tx.facts(incident_id))
            case.raised()
            if expected_seq is not None and case.seq != expected_seq:
                raise ConflictError("somebody changed this case since you opened it; look again, then decide")
            return self._work(tx, case, self._completed(tx, case, command), command.at)

    def ring(self, now: datetime) -> int:
        """Let every clock that wants to know the time hear it; returns the number of incidents that spoke.

        Several processes may do so: a case that somebody is at is left to them, and heard again the next time. One case
        that cannot hear it keeps no other from ringing. The first calls also go through all cases, some at a time, and
        put summaries right that are not what the facts say, so that no clock stays silent for it.

        Raises:
            BreachwatchError: what kept the first such case from ringing, after all others rang.
        """
        self._mend_some()
        rung, failed = 0, list[BreachwatchError]()
        for incident_id in self._ledger.waking(now):
            try:
                rung += self._ring_one(incident_id, now)
            except BreachwatchError as error:
                failed.append(error)
        if failed:
            raise failed[0]
        return rung

    def _mend_some(self) -> None:
        if self._to_mend is None:
            self._to_mend = self._ledger.incidents()
        for incident_id in self._to_mend[-_MENDED_AT_A_TIME:]:
            try:
                self._mend(incident_id)
            except UnavailableError:
                raise
            except BreachwatchError as error:
                log.error("the summary of incident %s cannot be made: %s", incident_id, error)
            self._to_mend.remove(incident_id)

    def _mend(self, incident_id: IncidentId) -> None:
        if self._summary_fits(fold(incident_id, self._ledger.facts(incident_id))):
            return
        with self._ledger.begin() as tx:
            case = fold(incident_id, tx.facts(incident_id))
            if not self._summary_fits(case):
                tx.save_summary(summarise(case))
                log.error("the summary of incident %s was not what its facts say; it was made anew", incident_id)

    def _summary_fits(self, case: Case) -> bool:
        right = summarise(case)
        try:
            return self._ledger.summary(case.id) == right
        except (ArithmeticError, TypeError, ValueError):  # whatever lies in its columns
            return False

    def _ring_one(self, incident_id: IncidentId, now: datetime) -> bool:
        with self._ledger.begin() as tx:
            if not tx.claim(incident_id):
                return False
            case = fold(incident_id, tx.facts(incident_id))
            return self._work(tx, case, Tick(now), now).seq > case.seq

    def look_up(self, incident_id: IncidentId, directory: Directory, pseudonymise: Pseudonymise, now: datetime) -> None:
        """Ask the directory who the references are, keep their contacts encrypted, and say how many were found.

        Raises:
            UnavailableError, ContentError: the directory or the ledger cannot answer now.
        """
        references = self._ledger.references(incident_id)
        people = resolve(directory.entries(), references, pseudonymise)
        reachable, without_address, languages = self._vault.keep(incident_id, people)
        unknown = len(references - people.keys())
        report = ReportResolution(
            SYSTEM, now, len(references), reachable, unknown, without_address, dict(sorted(languages.items()))
        )
        self.command(incident_id, report)

    def report_dispatches(self, now: datetime) -> int:
        """Write into each case file whose notices have all come to an end what became of them.

        Returns:
            How many case files learned something.
        """
        reported = 0
        for incident_id in self._ledger.unreported_dispatches():
            with self._ledger.begin() as tx:
                if not tx.claim(incident_id):
                    continue
                case = fold(incident_id, tx.facts(incident_id))
                sent, refused, still_open, proof = tx.outbox_result(incident_id)
                if still_open == 0:
                    after = self._work(tx, case, ReportDispatch(SYSTEM, now, sent, refused, proof), now)
                    reported += after.seq > case.seq
        return reported

    # ------------------------------------------------------------------ what the desk shows

    def case(self, incident_id: IncidentId) -> Case:
        """A case as it stands.

        Raises:
            NotFoundError: no such incident.
        """
        case = fold(incident_id, self._ledger.facts(incident_id))
        case.raised()
        return case

    def filled_form(self, case: Case, now: datetime) -> FilledForm:
        """The authority's form as evidence and people have filled it so far."""
        return fill(self.world.form, evidence_of(case, self.world, now), case.filing.edits)

    def filing_paper(self, case: Case, now: datetime, approval: int | None = None) -> tuple[FilledForm, FilingMeta]:
        """The form and its head as they are to be handed in, printed or exported.

        Args:
            case: the case.
            now: when it is made.
            approval: which approval (1 is the first) to show exactly as approved; None: the approved filing that waits
                to be handed in, or else the open draft.

        Raises:
            NotFoundError: there is no such approval.
        """
        approvals = case.filing.approvals
        if approval is not None and not 1 <= approval <= len(approvals):
            raise NotFoundError("no such approval")
        chosen = case.filing.awaiting_submission if approval is None else approvals[approval - 1]
        form = approved_form(self.world.form, chosen.fields) if chosen else self.filled_form(case, now)
        return form, meta_of(case, self.world, now, chosen)

    def filing_pdf(self, case: Case, now: datetime, language: str, approval: int | None = None) -> bytes:
        """The form as a tagged PDF; see `filing_paper` for which."""
        form, meta = self.filing_paper(case, now, approval)
        return to_pdf(form, meta, language)

    def filing_json(self, case: Case, now: datetime, approval: int | None = None) -> bytes:
        """The form as JSON by `filings/schema.json`; see `filing_paper` for which."""
        return to_json(*self.filing_paper(case, now, approval))

    def overdue(self, case: Case, now: datetime) -> bool:
        """Whether a filing approved now needs reasons for the delay (GDPR Art. 33(1))."""
        return overdue(case, self.world, now)

    def notice_texts(self, case: Case) -> dict[str, NoticeText]:
        """Every language's text as it would be approved now; only the person's name is still open."""
        return filled_texts(case, self.world)

    def notices_digest(self, case: Case) -> str:
        """The digest of those texts: what an approval must have seen."""
        return digest_of_texts(self.notice_texts(case))

    def notice_preview(self, case: Case, language: str) -> Rendered:
        """One language's mail as some person who is to get it would read it.

        Raises:
            NotFoundError: there is no text in this language.
        """
        texts = self.notice_texts(case)
        if language not in texts:
            raise NotFoundError("no text in this language")
        person = self._vault.sample(case.id, language)
        name = person.name if person else "Jeanne Exemple" if language == "fr" else "Alex Example"
        return render(texts[language], {"person_name": name}, language)

    # ------------------------------------------------------------------ one unit of work

    def _completed(self, tx: Transaction, case: Case, command: Any) -> Any:
        if isinstance(command, ApproveFiling):
            form = self.filled_form(case, command.at)
            return replace(
                command,
                phase=case.filing.phase,
                fields=form.values,
                overdue=overdue(case, self.world, command.at),
                other_people=tx.others_than(command.by.name),
            )
        if isinstance(command, ApproveNotices):
            if case.subjects.stale:
                raise RefusedError("the directory is still to be asked who these people are; wait for the look-up")
            return replace(
                command,
                texts=self.notice_texts(case),
                audience=len(tx.untold(case.id)),
                other_people=tx.others_than(command.by.name),
            )
        return command

    def _work(self, tx: Transaction, case: Case, command: Any, at: datetime) -> Case:
        after, said = react(case, command, self.world, at)
        if not said:
            return case
        for speaker, run in groupby(said, key=_speaker):
            tx.append(case.id, speaker, at, [fact for _, fact in run])
        tx.save_summary(summarise(after))
        for place, (_, fact) in enumerate(said, case.seq + 1):
            tx.enqueue(effects(after, fact, place, self.world, at))
            if isinstance(fact, NoticesApproved):
                tx.enqueue(notice_items(after, fact, tx.untold(case.id), self.world, at))
        return after


def _speaker(spoken: Spoken) -> Actor:
    return spoken[0]


def _incident_of(alert: Alert) -> IncidentId:
    return IncidentId(derive("in", alert.playbook, alert.id))
