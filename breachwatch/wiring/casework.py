"""The case plane, put together for whichever process hosts a part of it: the whole service, a clock, a courier, a desk.

What a process does not need it does not open: a courier has no pseudonym key, so that it cannot name anybody by an
identifier, and what works on streams has no ledger.
"""

import os
import secrets
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from breachwatch.clocks.regimes import package_regimes
from breachwatch.collectors.directory import CsvDirectory, NdjsonDirectory, SqlDirectory
from breachwatch.collectors.enrichment_files import open_enrichment
from breachwatch.couriers.courier import Courier, Sender
from breachwatch.couriers.smtp import SmtpSettings, SmtpTransport
from breachwatch.detection.playbooks.content import Content
from breachwatch.engines.reloading import Reloading
from breachwatch.engines.taking import told
from breachwatch.engines.watches import Now, Publish, Watch, clock_watch, dispatch_watch, fact_watch, people_watch
from breachwatch.filings.forms import package_forms
from breachwatch.kernel.observing import SILENT, Observer
from breachwatch.kernel.ports import Waypoint, passing
from breachwatch.kernel.pseudonyms import Pseudonymise
from breachwatch.kernel.streams import Alert
from breachwatch.ledger.keys import MasterKey
from breachwatch.ledger.store import Store
from breachwatch.pipeline import CaseFlow, World
from breachwatch.pipeline.letters import CaseLetters
from breachwatch.settings import CsvDirectorySection, Settings, read_secret
from breachwatch.wiring.clock import now
from breachwatch.wiring.detecting import LiveContent
from breachwatch.wiring.stores import store_with


@dataclass(frozen=True, slots=True)
class Casework:
    """Ledger and flow, opened; `team` is the name of each address that reminders go to."""

    settings: Settings
    live: LiveContent
    store: Store
    world: World
    flow: CaseFlow
    team: Mapping[str, str]
    waypoint: Waypoint = passing
    observer: Observer = SILENT

    def taker(self, clock: Now | None = None) -> Callable[[Alert], object]:
        """What takes an alert into the case files, with what the organisation knows of its addresses and hosts.

        `clock`: says when that is, which is when the organisation became aware; this machine's own if none is named.

        Raises:
            ContentError: files that tell of them have problems.
        """
        known = open_enrichment(**dict(self.settings.enrichment))
        at = clock or now
        return told(lambda alert: self.flow.take_alert(known.alert(alert), at()), self.observer, now)

    def reloading(self) -> Reloading[Content]:
        """What lets cases be judged by playbooks and notices as they are changed on the disk."""
        return Reloading(
            self.live.look, self.live.reread, self.live.put, digest=self.live.digest, observer=self.observer
        )


def open_casework(
    settings: Settings,
    live: LiveContent,
    keys: MasterKey,
    waypoint: Waypoint = passing,
    observer: Observer = SILENT,
) -> Casework:
    """Open the ledger, and put the flow of cases on it.

    Raises:
        ContentError: the URL of the ledger is none.
        UnavailableError: the database cannot be had.
        TamperedError: it was sealed with another master key.
    """
    team = {f"team-{number}": address for number, address in enumerate(settings.team.notify, 1)}
    world = World(
        playbooks=live.playbooks,
        notices=live.notices,
        regimes=package_regimes(),
        form=package_forms()["cnil"],
        organisation=settings.organisation.value(),
        team=tuple(team),
    )
    store = store_with(settings, keys, waypoint=waypoint)
    return Casework(settings, live, store, world, CaseFlow(store.ledger, store.vault, world), team, waypoint, observer)


def mail_courier(case: Casework, desk_url: str, clock: Now | None = None) -> Courier:
    """Who carries mails out of the outbox; reminders link to the desk.

    `clock`: by which leases go; this machine's own if none is named.

    Raises:
        ContentError: the relay's password or certificate cannot be read.
    """
    settings = case.settings
    letters = CaseLetters(case.store.ledger, case.store.vault, case.world, desk_url, case.team)
    transport = SmtpTransport(SmtpSettings(**settings.mail.model_dump(exclude={"sender"})), case.waypoint)
    sender = Sender(settings.mail.sender, settings.organisation.name)
    outbox = case.store.outbox
    return Courier(outbox, letters, transport, sender, now, owner_name(), case.waypoint, case.observer, clock)


def build_watches(
    case: Casework, pseudonymise: Pseudonymise, publish: Publish, clock: Now | None = None
) -> dict[str, Watch]:
    """The loops that keep cases moving: clocks, dispatches, published facts, and look-ups where there is a directory.

    `clock`: by which all of them go; this machine's own if none is named.

    Raises:
        ContentError: the directory's URL cannot be read.
    """
    at = clock or now
    owner, leases = owner_name(), case.store.leases
    watches = {
        "clock": clock_watch(case.flow, at, case.waypoint),
        "dispatches": dispatch_watch(case.flow, at),
        "facts": fact_watch(case.store.outbox, publish, at, leases, owner, case.waypoint),
    }
    directory = _directory(case.settings)
    if directory is not None:
        watches["people"] = people_watch(
            case.flow,
            case.store.ledger,
            directory,
            pseudonymise,
            at,
            leases,
            owner,
            case.waypoint,
            directory.skipped,
        )
    return watches


def owner_name() -> str:
    """By what leases tell this process from every other, before and after it."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"


def _directory(settings: Settings) -> CsvDirectory | NdjsonDirectory | SqlDirectory | None:
    section = settings.directory
    if section is None:
        return None
    columns = (section.identifiers, section.name, section.email, section.language)
    if isinstance(section, CsvDirectorySection):
        return (CsvDirectory if section.type == "csv" else NdjsonDirectory)(section.path, *columns)
    return SqlDirectory(read_secret(section.url_file), section.query, *columns)
