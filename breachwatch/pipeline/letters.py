"""The letter behind an outbox row, written at the moment it is sent: only then is a person's contact opened."""

from collections.abc import Mapping
from datetime import datetime

from breachwatch.filings.words import instant_words
from breachwatch.kernel.errors import HeldError, NotFoundError
from breachwatch.kernel.ids import IncidentId
from breachwatch.kernel.ports import Ledger, Letter, OutboxItem, OutboxRow, Vault
from breachwatch.kernel.time import parse_rfc3339, rfc3339
from breachwatch.notices.facts import NoticeText
from breachwatch.notices.render import render
from breachwatch.pipeline.case import fold
from breachwatch.pipeline.world import World

_NAMELESS = {"en": "Sir or Madam", "fr": "Madame, Monsieur"}
_KEPT_TEXTS = 64

_TEAM_SUBJECTS = {
    "incident_raised": "An incident was raised: {kind}",
    "deadline_near": "{hours} hours have passed: {kind}",
    "deadline_missed": "A deadline was missed: {kind}",
}
_TEAM_TEXTS = {
    "incident_raised": "An incident was raised that may be a personal data breach ({kind}).",
    "deadline_near": "{hours} hours of the period have passed, and the authority has not been told yet ({kind}).",
    "deadline_missed": (
        "The deadline has passed, and the authority has not been told ({kind}). "
        "The duty stays open: notify as soon as you can, with the reasons for the delay."
    ),
}


class CaseLetters:
    """Writes notices from the texts that were approved, and reminders to the team without any personal data."""

    def __init__(self, ledger: Ledger, vault: Vault, world: World, desk_url: str, team: Mapping[str, str]) -> None:
        self._ledger = ledger
        self._vault = vault
        self._world = world
        self._desk_url = desk_url.rstrip("/")
        self._team = team
        self._approved: dict[tuple[IncidentId, int], Mapping[str, NoticeText]] = {}

    def letter(self, row: OutboxRow) -> Letter:
        """The letter for a `notice` or `team_mail` row.

        Raises:
            NotFoundError: nobody can be written to any more, or the row is no mail.
            HeldError: the notice was approved, but the incident was dismissed since, or it was decided that people
                are not to be told.
            TamperedError: the case file that holds the approved text, or the contact, is not what was written.
            UnavailableError: the ledger or the vault cannot answer now.
        """
        match row.item.kind:
            case "notice":
                return self._notice(row.item)
            case "team_mail":
                return self._team_mail(row.item)
            case _:
                raise NotFoundError(f"a {row.item.kind} is no mail")

    def _notice(self, item: OutboxItem) -> Letter:
        text = self._approved_texts(item.incident_id, int(item.payload["approval"])).get(item.language)
        if text is None:
            raise NotFoundError(f"no text in {item.language} was approved")
        self._still_owed(item.incident_id)
        contact = self._vault.reveal(item.incident_id, item.person)
        if contact is None:
            raise NotFoundError("the contact is gone")
        name = contact.name.strip() or _NAMELESS.get(item.language, _NAMELESS["en"])
        mail = render(text, {"person_name": name}, item.language)
        return Letter(contact.email, mail.subject, mail.text, mail.html, item.language)

    def _still_owed(self, incident_id: IncidentId) -> None:
        """An approval sends nothing after the incident was dismissed, until it is reopened. Closing ends no duty."""
        case = self._ledger.summary(incident_id)
        if case is None or case.status == "dismissed":
            raise HeldError("the incident was dismissed")
        if not case.decided or case.duty != "notify_authority_and_people":
            raise HeldError("it was decided that the people are not to be told")

    def _approved_texts(self, incident_id: IncidentId, approval: int) -> Mapping[str, NoticeText]:
        """The texts of one approval (1 is the first), once the chain of the case file was proven.

        They never change, so the file is read once for all people.
        """
        key = (incident_id, approval)
        if key not in self._approved:
            approvals = fold(incident_id, self._ledger.sealed_facts(incident_id)).notices.approvals
            if not 1 <= approval <= len(approvals):
                raise NotFoundError("nobody approved this notice")
            if len(self._approved) >= _KEPT_TEXTS:
                self._approved.clear()
            self._approved[key] = approvals[approval - 1].texts
        return self._approved[key]

    def _team_mail(self, item: OutboxItem) -> Letter:
        address = self._team.get(str(item.payload.get("to")))
        letter = str(item.payload.get("letter"))
        if address is None or letter not in _TEAM_TEXTS:
            raise NotFoundError("this member of the team is mailed no more")
        summary = self._ledger.summary(item.incident_id)
        kind = self._world.meaning(summary.playbook).title if summary else "unknown kind"
        words = {"kind": kind, "hours": str(item.payload.get("hours", ""))}
        lines = [
            _TEAM_TEXTS[letter].format_map(words),
            *self._deadline(item.payload.get("due_at")),
            f"Reference: {item.incident_id}",
            f"See it on the desk: {self._desk_url}/incidents/{item.incident_id}",
        ]
        return Letter(address, _TEAM_SUBJECTS[letter].format_map(words), "\n\n".join(lines) + "\n", "", "en")

    def _deadline(self, due_at: object) -> list[str]:
        if not isinstance(due_at, str):
            return []
        due: datetime = parse_rfc3339(due_at)
        local = instant_words(rfc3339(due), "en", self._world.organisation.timezone)
        return [f"Deadline: {local}, that is {due:%Y-%m-%d %H:%M} UTC."]
