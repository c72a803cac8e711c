"""The ports: what the core asks of the edges. Implementations are named in `wiring/` only.

Everything here is synchronous and quick; the edges decide about threads.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

from breachwatch.kernel.facts import Actor, Recorded, Role
from breachwatch.kernel.ids import IncidentId, SubjectRef
from breachwatch.kernel.streams import Alert

OutboxKind = Literal["notice", "team_mail", "fact"]
OutboxState = Literal["pending", "sending", "sent", "retry", "refused"]


class Waypoint(Protocol):
    """Told the name of each place the program passes where a crash must not hurt; does nothing in earnest."""

    def __call__(self, place: str) -> None:
        """Pass `place`, such as `engine:before-commit`."""


def passing(place: str) -> None:
    """The waypoint of everyday: goes on."""


@dataclass(frozen=True, slots=True)
class OutboxItem:
    """Something to be carried out once, written in the transaction that caused it.

    `id` is derived from its cause, so that enqueuing twice is one item. `person` is the vault's name of the person to
    be told (a keyed digest), empty for the team. `payload` holds no personal data.
    """

    id: str
    kind: OutboxKind
    incident_id: IncidentId
    created_at: datetime
    person: str = ""
    language: str = ""
    payload: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """An item with what became of it. `reply` is the server's last answer, without any address."""

    item: OutboxItem
    state: OutboxState
    attempts: int
    next_attempt_at: datetime | None
    message_id: str
    reply: str
    done_at: datetime | None


@dataclass(frozen=True, slots=True)
class CaseSummary:
    """One incident in one row: what lists show and searches need. Rebuilt from facts in each transaction.

    `notified_at`: first submission to the authority. `notices`: none, drafted, approved, done.
    `filing`: draft, approved, submitted.
    """

    incident_id: IncidentId
    seq: int
    playbook: str
    title: str
    status: str
    key: Mapping[str, str]
    raised_at: datetime
    last_event_at: datetime | None
    aware_at: datetime | None
    due_at: datetime | None
    wakes_at: datetime | None
    missed: bool
    level: str
    score: float | None
    duty: str
    decided: bool
    alerts: int
    people_total: int
    people_reachable: int | None
    people_stale: bool
    filing: str
    notices: str
    notified_at: datetime | None


@dataclass(frozen=True, slots=True)
class Derived:
    """What must lie beside one case file because of its facts.

    `references` affected, with their `digest` as in `SubjectsLinked`; `audiences`: people of each approval of notices,
    the first approval first.
    """

    summary: CaseSummary
    references: int
    digest: str
    audiences: Sequence[int]


Derive = Callable[[IncidentId, Sequence[Recorded]], Derived]
"""Folds a case file into what must lie beside it; pure."""


@dataclass(frozen=True, slots=True)
class AlertRow:
    """An alert as the inbox lists it, with the incident it belongs to, if any."""

    alert: Alert
    incident_id: IncidentId | None
    taken_at: datetime


@dataclass(frozen=True, slots=True)
class Contact:
    """How to reach one person. Lives decrypted only while a mail is rendered or previewed."""

    name: str
    email: str
    language: str


@dataclass(frozen=True, slots=True)
class DirectoryEntry:
    """One row of the organisation's directory: identifiers by kind (`customer_id`, `login`), and the contact."""

    identifiers: Mapping[str, str]
    contact: Contact


class Directory(Protocol):
    """The organisation's list of people, read-only."""

    def entries(self) -> Iterator[DirectoryEntry]:
        """Every row, streamed.

        Raises:
            ContentError: the file or query does not have the promised columns, or rows are malformed.
            UnavailableError: the directory cannot be reached now.
        """


class Transaction(Protocol):
    """One unit of work on the ledger: all of it is durable after the `with` block, or none of it."""

    def facts(self, incident_id: IncidentId) -> list[Recorded]:
        """Lock the case file and return its facts, oldest first; empty if unknown."""

    def claim(self, incident_id: IncidentId) -> bool:
        """Lock the case file as `facts` does, unless another is at it; whether it is this one's now. Never waits."""

    def append(self, incident_id: IncidentId, actor: Actor, at: datetime, bodies: Sequence[object]) -> list[Recorded]:
        """Add facts at the end of the chain, and a `fact` outbox item for each."""

    def alert_revision(self, alert_id: str) -> int:
        """The newest revision taken of this alert; 0 when it is unknown."""

    def save_alert(self, alert: Alert, incident_id: IncidentId | None, at: datetime) -> None:
        """Insert or update the alert row; `incident_id` None keeps a link made before; superseded rows are marked."""

    def incident_of(self, alert_ids: Sequence[str]) -> IncidentId | None:
        """The incident that any of these alerts belongs to."""

    def find_mergeable(self, playbook: str, key: Mapping[str, str], since: datetime) -> IncidentId | None:
        """The newest open or confirmed incident of a playbook with this key and its last event at or after `since`."""

    def unlinked_alerts(self, playbook: str, since: datetime) -> list[Alert]:
        """Alerts of a playbook that belong to no incident, not superseded, with last event at or after `since`."""

    def link_subjects(self, incident_id: IncidentId, refs: Iterable[SubjectRef]) -> tuple[int, int, str]:
        """Store references; returns (added, total, digest) as in `SubjectsLinked`."""

    def link_alert_subjects(self, alert_id: str, refs: Iterable[SubjectRef]) -> None:
        """Store an alert's references until the alert raises or joins an incident."""

    def alert_subjects(self, alert_ids: Sequence[str]) -> list[SubjectRef]:
        """All references stored for these alerts."""

    def save_summary(self, summary: CaseSummary) -> None:
        """Replace the incident's summary row."""

    def enqueue(self, items: Sequence[OutboxItem]) -> int:
        """Store items not stored before; returns how many were new."""

    def untold(self, incident_id: IncidentId) -> list[tuple[str, str]]:
        """(person, language) of every reachable person of this incident without a notice in the outbox."""

    def outbox_result(self, incident_id: IncidentId) -> tuple[int, int, int, str]:
        """(sent, refused, still open, proof) over this incident's notices; proof as in `NoticesDispatched`."""

    def others_than(self, name: str) -> bool:
        """Whether the team has another active member than this one who may draft or approve."""


class Ledger(Protocol):
    """The case plane's memory, as the pipeline and the desk use it."""

    def begin(self) -> AbstractContextManager[Transaction]:
        """Open a transaction.

        Raises:
            UnavailableError: the database is locked, full or away.
        """

    def facts(self, incident_id: IncidentId) -> list[Recorded]:
        """A case file without a lock."""

    def sealed_facts(self, incident_id: IncidentId) -> list[Recorded]:
        """A case file whose whole chain and end were proven in the same read; for what leaves because of it.

        Raises:
            TamperedError: any of it is not what was written.
        """

    def incidents(self) -> list[IncidentId]:
        """Every incident that has a case file."""

    def summaries(self, *, open_only: bool = False) -> list[CaseSummary]:
        """All incidents, newest raised first."""

    def summary(self, incident_id: IncidentId) -> CaseSummary | None:
        """One incident's row."""

    def alerts(self, *, limit: int = 200, incident_id: IncidentId | None = None) -> list[AlertRow]:
        """Newest alerts first, superseded ones left out."""

    def alert(self, alert_id: str) -> AlertRow | None:
        """One alert."""

    def waking(self, until: datetime) -> list[IncidentId]:
        """Incidents with a clock that wants a tick at or before `until`."""

    def next_wake(self) -> datetime | None:
        """The earliest instant any clock wants a tick."""

    def stale_people(self) -> list[IncidentId]:
        """Open or confirmed incidents whose references changed since the last look-up."""

    def references(self, incident_id: IncidentId) -> set[SubjectRef]:
        """All references of an incident."""

    def notices(self, incident_id: IncidentId, *, limit: int = 200) -> list[OutboxRow]:
        """The incident's notices in the outbox, problems first."""

    def notice_counts(self, incident_id: IncidentId) -> Mapping[str, int]:
        """State to number of the incident's notices."""

    def untold(self, incident_id: IncidentId) -> int:
        """How many reachable people of this incident have no notice in the outbox."""

    def unreported_dispatches(self) -> list[IncidentId]:
        """Incidents all of whose notices came to an end that the case file does not know of yet."""

    def verify(self) -> Iterator[str]:
        """Every break found in any chain or head, as `INCIDENT seq N: what`; nothing when all is as written.

        Then what lies beside a case file (summary, references, notices) and does not fit it, as `INCIDENT: what`.
        """


class Vault(Protocol):
    """Contacts, encrypted under a data key of their incident; the address leaves here only to be mailed or shown."""

    def keep(self, incident_id: IncidentId, people: Mapping[SubjectRef, Contact]) -> tuple[int, int, Mapping[str, int]]:
        """Store contacts; references with one address are one person.

        Returns:
            (reachable people, people without address, language to reachable people).
        """

    def reveal(self, incident_id: IncidentId, person: str) -> Contact | None:
        """Decrypt one person's contact; None when it is gone."""

    def sample(self, incident_id: IncidentId, language: str) -> Contact | None:
        """Some reachable person of a language, for a preview."""


class OutboxStore(Protocol):
    """The couriers' side of the outbox. One item is in at most one courier's hands at a time."""

    def lease(self, kinds: Sequence[OutboxKind], owner: str, now: datetime, until: datetime) -> OutboxRow | None:
        """Take the next due item (or one whose lease ended) as `sending`, durably, before anything is sent."""

    def sent(self, item_id: str, owner: str, now: datetime, message_id: str, reply: str) -> None:
        """Record acceptance by the server."""

    def retry(self, item_id: str, owner: str, next_attempt_at: datetime, reply: str) -> None:
        """Record a transient failure and when to try again."""

    def refused(self, item_id: str, owner: str, now: datetime, reply: str) -> None:
        """Record a permanent failure."""

    def next_due(self, kinds: Sequence[OutboxKind]) -> datetime | None:
        """When the earliest open item is due; None when nothing is open."""

    def counts(self) -> Mapping[tuple[str, str], int]:
        """(kind, state) to number of items."""


class Leases(Protocol):
    """What only one of several processes may do at a time; who dies with a name loses it when its time is up."""

    def take(self, name: str, owner: str, now: datetime, until: datetime) -> bool:
        """Have a name until an instant, or keep it for longer; whether it was to be had."""

    def give_back(self, name: str, owner: str) -> None:
        """Let others have a name, if it is still this one's."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail ready to be sent to one address, but for what every courier adds (sender, date, Message-ID).

    `text` and `html` say the same; `html` is empty where plain text is all there is, as for the team. Both hold
    personal data: a letter lives while it is sent and is never stored or logged. `language` is ISO 639-1.
    """

    to_address: str
    subject: str
    text: str
    html: str
    language: str


class Letters(Protocol):
    """Writes the letter behind an outbox row at the moment it is sent."""

    def letter(self, row: OutboxRow) -> Letter:
        """The letter for a `notice` or `team_mail` row.

        Raises:
            NotFoundError: nobody can be written to any more: the contact was erased or the member left.
            HeldError: what was approved is not to leave now, though it may later.
            TamperedError: what it is written from is not what was stored; it must not leave.
            UnavailableError: the ledger or the vault cannot answer now; try again later.
        """


@dataclass(frozen=True, slots=True)
class Member:
    """A member of the team who may sign in."""

    name: str
    display_name: str
    roles: frozenset[Role]
    active: bool = True


class Team(Protocol):
    """Members, sign-ins and sessions. Passwords and tokens are stored only hashed."""

    def members(self) -> list[Member]:
        """Everyone, by name."""

    def put(self, member: Member, password_hash: str | None) -> None:
        """Add or change a member; None keeps the password as it is."""

    def password_hash(self, name: str) -> str | None:
        """The stored argon2 hash of an active member."""

    def open_session(self, name: str, token_hash: str, csrf: str, now: datetime, until: datetime) -> None:
        """Start a session; earlier sessions with this token do not exist."""

    def session(self, token_hash: str, now: datetime) -> tuple[Member, str] | None:
        """(member, csrf) of a live session of an active member."""

    def extend_session(self, token_hash: str, until: datetime) -> None:
        """Let a session that still exists live until then; one that was ended stays ended."""

    def end_session(self, token_hash: str) -> None:
        """End it."""

    def end_sessions(self, name: str, *, but: str = "") -> None:
        """End every session of a member, except the one with this token hash."""

    def offer_sign_in(self, name: str, token_hash: str, until: datetime) -> None:
        """Store a one-time sign-in."""

    def use_sign_in(self, token_hash: str, now: datetime) -> str | None:
        """Consume a one-time sign-in; the member's name if it was good. A second use gives None."""

    def failures(self, key: str, since: datetime) -> int:
        """Failed sign-ins under a key (member or client) since an instant."""

    def note_failure(self, key: str, now: datetime) -> None:
        """Count a failed sign-in."""

    def forget_failures(self, key: str) -> None:
        """A good sign-in clears the count."""
