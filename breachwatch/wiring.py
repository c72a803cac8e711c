"""The composition root: the only file that names concrete classes and puts them together."""

import asyncio
import os
import secrets
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from breachwatch.clocks.regimes import package_regimes
from breachwatch.collectors.directory import CsvDirectory, NdjsonDirectory, SqlDirectory
from breachwatch.collectors.file_tail import FileTail, read_whole
from breachwatch.collectors.stdin import StdinInlet
from breachwatch.collectors.syslog import SyslogListener
from breachwatch.console.app import ConsoleParts, create_app
from breachwatch.console.passwords import one_time_code, token_hash
from breachwatch.console.serving import WebServer, listen
from breachwatch.couriers.courier import Courier, Sender
from breachwatch.couriers.smtp import SmtpSettings, SmtpTransport
from breachwatch.demo.house import TEAM, ZONE, open_house
from breachwatch.demo.player import Player
from breachwatch.detection.check import check
from breachwatch.detection.content import Content, load_content, read_tree
from breachwatch.detection.correlator import Correlator
from breachwatch.detection.detector import Detector
from breachwatch.engines.embedded.engine import EmbeddedEngine
from breachwatch.engines.embedded.spool import Spool
from breachwatch.engines.embedded.tables import Retention
from breachwatch.engines.host import Part, host, stop_on_signals
from breachwatch.engines.replay import replay as run_replay
from breachwatch.engines.status import Watching, service_status
from breachwatch.engines.streams import load_streams
from breachwatch.engines.watches import Watch, clock_watch, dispatch_watch, fact_watch, people_watch
from breachwatch.filings.forms import package_forms
from breachwatch.kernel.errors import ContentError, NotFoundError, Problem
from breachwatch.kernel.facts import Role
from breachwatch.kernel.ports import Member, Team, Waypoint, passing
from breachwatch.kernel.pseudonyms import Pseudonymise, pseudonymiser
from breachwatch.kernel.shipped import shipped
from breachwatch.kernel.streams import Alert, Chunk, Tally
from breachwatch.ledger.keys import Keys, open_keys
from breachwatch.ledger.store import Store, open_ledger
from breachwatch.notices.placeholders import PLACEHOLDERS
from breachwatch.pipeline import CaseFlow, World
from breachwatch.pipeline.case import codec, derived
from breachwatch.pipeline.letters import CaseLetters
from breachwatch.settings import (
    CsvDirectorySection,
    FileInput,
    Settings,
    StdinInput,
    SyslogInput,
    read_secret,
    read_settings,
)
from breachwatch.sources.registry import load_sources
from breachwatch.sources.source import Source

Advance = Callable[[int], object]


def now() -> datetime:
    """The wall clock: the one place where the service reads it."""
    return datetime.now(UTC)


# ------------------------------------------------------------------ the whole service


@dataclass(frozen=True, slots=True)
class Service:
    """Everything of `breachwatch up`, put together and not yet running."""

    parts: Mapping[str, Part]
    desk_url: str
    team: Team
    close: Callable[[], None]
    first_read: tuple[int, int] = (0, 0)
    """(files, bytes) of log that is there already and will be read from its beginning."""

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set; everything is closed when this returns."""
        try:
            await host(self.parts, stop)
        finally:
            self.close()

    async def run_until_signal(self) -> None:
        """Run until SIGINT or SIGTERM."""
        stop = asyncio.Event()
        stop_on_signals(stop)
        await self.run(stop)


def build_service(settings: Settings, *, waypoint: Waypoint = passing, mailbox_url: str = "") -> Service:
    """Put the service together: nothing is read, mailed or answered before it runs.

    Raises:
        ContentError: settings, sources, playbooks or keys with every problem found.
        UnavailableError: the state folder, database or port cannot be had.
    """
    zoned = {(entry.source, entry.timezone) for entry in settings.inputs if entry.timezone}
    sources = load_sources(settings.source_files, timezone=settings.organisation.timezone, zoned=zoned)
    _known_sources(settings, sources)
    content = _content(settings.playbooks_dir, sources)
    keys = open_keys(settings.state_dir)
    pseudonymise = pseudonymiser(keys.pseudonym)
    store = _open_store(settings, keys, waypoint=waypoint)
    retention = Retention.of(load_streams(shipped("topics")))
    spool = Spool(settings.state_dir / "spool.sqlite", keys.derive("spool"), waypoint=waypoint, retention=retention)
    addresses = {f"team-{number}": address for number, address in enumerate(settings.team.notify, 1)}
    world = _world(settings, content, tuple(addresses))
    flow = CaseFlow(store.ledger, store.vault, world)
    engine = EmbeddedEngine(
        spool,
        Detector(content, sources, pseudonymise),
        Correlator(content),
        lambda alert: flow.take_alert(alert, now()),
        waypoint=waypoint,
        now=now,
    )
    followed = [(entry, _collector(entry, sources[entry.reads], spool, waypoint)) for entry in settings.inputs]

    watches = _watches(settings, flow, store, spool, pseudonymise, waypoint)
    watched: list[Watching] = [*watches.values()]

    def status() -> Mapping[str, Any]:
        ways_in = [(one.reads, one.type, each) for one, each in followed]
        return service_status(engine.status(), ways_in, watched)

    desk, url = _desk(settings, flow, store, spool, sources, status, mailbox_url)
    sender = Sender(settings.mail.sender, settings.organisation.name)
    letters = CaseLetters(store.ledger, store.vault, world, url, addresses)
    transport = SmtpTransport(SmtpSettings(**settings.mail.model_dump(exclude={"sender"})), waypoint)
    courier = Courier(store.outbox, letters, transport, sender, now, _owner(), waypoint)
    watched.append(courier)
    parts: dict[str, Part] = {
        "detection": engine.run,
        "desk": desk.run,
        "courier": courier.run,
        **{name: watch.run for name, watch in watches.items()},
        **{f"input {number}": collector.run for number, (_, collector) in enumerate(followed, 1)},
    }

    def close() -> None:
        spool.close()
        store.close()

    first = [one.first_read() for _, one in followed if isinstance(one, FileTail)]
    return Service(parts, url, store.team, close, (sum(n for n, _ in first), sum(size for _, size in first)))


def _owner() -> str:
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"


def _watches(
    settings: Settings, flow: CaseFlow, store: Store, spool: Spool, pseudonymise: Pseudonymise, waypoint: Waypoint
) -> dict[str, Watch]:
    watches = {
        "clock": clock_watch(flow, now, waypoint),
        "dispatches": dispatch_watch(flow, now),
        "facts": fact_watch(store.outbox, spool.publish, now, _owner(), waypoint),
    }
    directory = _directory(settings)
    if directory is not None:
        watches["people"] = people_watch(flow, store.ledger, directory, pseudonymise, now, waypoint, directory.skipped)
    return watches


def _known_sources(settings: Settings, sources: Mapping[str, Source]) -> None:
    unknown = [entry.source for entry in settings.inputs if entry.reads not in sources]
    if unknown:
        known = ", ".join(sorted(sources))
        raise ContentError(
            [Problem("inputs", 0, 0, f"no source is called {name!r}", f"known: {known}") for name in unknown]
        )


def _content(playbooks: Path | None, sources: Mapping[str, Source]) -> Content:
    return load_content(read_tree(playbooks or shipped("playbooks")), sources, PLACEHOLDERS)


def _world(settings: Settings, content: Content, team: tuple[str, ...]) -> World:
    return World(
        playbooks=content.playbooks,
        notices=content.notices,
        regimes=package_regimes(),
        form=package_forms()["cnil"],
        organisation=settings.organisation.value(),
        team=team,
    )


def _directory(settings: Settings) -> CsvDirectory | NdjsonDirectory | SqlDirectory | None:
    section = settings.directory
    if section is None:
        return None
    columns = (section.identifiers, section.name, section.email, section.language)
    if isinstance(section, CsvDirectorySection):
        return (CsvDirectory if section.type == "csv" else NdjsonDirectory)(section.path, *columns)
    return SqlDirectory(read_secret(section.url_file), section.query, *columns)


# ------------------------------------------------------------------ ways in


Collector = FileTail | SyslogListener | StdinInlet


def _collector(
    entry: FileInput | SyslogInput | StdinInput, source: Source, spool: Spool, waypoint: Waypoint
) -> Collector:
    match entry:
        case FileInput(path=path, start=start):
            return FileTail(path, source.name, spool.append, spool.position, now, waypoint=waypoint, start=start)
        case SyslogInput(host=address, port=port, protocol=protocol):
            unwrap = source.logsource.get("service") != "sshd"
            return SyslogListener(address, port, protocol, source.name, spool.append, now, waypoint, unwrap=unwrap)
        case StdinInput():
            return StdinInlet(source.name, spool.append, now, waypoint)


# ------------------------------------------------------------------ the desk


def _desk(
    settings: Settings,
    flow: CaseFlow,
    store: Store,
    spool: Spool,
    sources: Mapping[str, Source],
    status: Callable[[], Mapping[str, Any]],
    mailbox_url: str,
) -> tuple[WebServer, str]:
    section = settings.desk
    listener = listen(section.host, section.port)
    url = section.url(listener.getsockname()[1])
    app = create_app(
        ConsoleParts(
            flow=flow,
            ledger=store.ledger,
            outbox=store.outbox,
            team=store.team,
            now=now,
            status=status,
            append=spool.append,
            ingest_token_hash=token_hash(_ingest_token(settings)),
            sources=tuple(name for name in sources if "@" not in name),
            allowed_hosts=section.allowed_hosts,
            secure_cookies=url.startswith("https://"),
            desk_url=url,
            mailbox_url=mailbox_url,
        )
    )
    return WebServer(app, listener, section.certificate_file, section.key_file), url


def _ingest_token(settings: Settings) -> str:
    path = settings.ingest.token_file or settings.state_dir / "ingest.token"
    if not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
    return read_secret(path)


# ------------------------------------------------------------------ the demo


@dataclass(frozen=True, slots=True)
class Demo:
    """A service on the demo's own logs, with its mail server, its player and a one-time sign-in for each member."""

    service: Service
    player: Player
    mailbox_url: str
    settings_file: Path
    sign_ins: Mapping[str, str]


def build_demo(folder: Path, *, fresh: bool = False, desk_port: int = 8420) -> Demo:
    """Put a demo together in a folder of its own.

    Raises:
        RefusedError: the folder is in use for something else.
        UnavailableError: another demo runs there, or no port can be had.
    """
    house = open_house(folder, fresh=fresh, desk_port=desk_port)
    player = Player(house.stage, house.stage.set_up(now(), ZoneInfo(ZONE)))
    service = build_service(read_settings(house.settings_file), mailbox_url=house.mailbox_url)
    sign_ins = {}
    for name, (shown, role) in TEAM.items():
        service.team.put(Member(name, shown, frozenset({role})), None)
        sign_ins[name] = _offer(service.team, name, now(), timedelta(hours=12))
    more: dict[str, Part] = {
        "mail server": house.take_mail,
        "mailbox": lambda stop: house.show_mail(service.desk_url, stop),
    }
    service = replace(service, parts={**service.parts, **more})
    return Demo(service, player, house.mailbox_url, house.settings_file, sign_ins)


# ------------------------------------------------------------------ what single commands need


def open_store(settings: Settings, *, must_exist: bool = False) -> Store:
    """The ledger alone.

    Raises:
        NotFoundError: `must_exist`, and nothing was ever stored, or a key is gone; nothing is made then.
        UnavailableError: it cannot be opened now.
    """
    return _open_store(settings, open_keys(settings.state_dir, must_exist=must_exist), must_exist=must_exist)


def _open_store(settings: Settings, keys: Keys, *, must_exist: bool = False, waypoint: Waypoint = passing) -> Store:
    section = settings.ledger
    url = read_secret(section.url_file) if section.url_file else section.url
    url = url or f"sqlite:///{settings.state_dir / 'ledger.sqlite'}"
    return open_ledger(url, keys, codec(), derived, must_exist=must_exist, waypoint=waypoint)


def add_member(
    settings: Settings, name: str, display_name: str, roles: frozenset[Role], at: datetime, good_for: timedelta
) -> str:
    """Add a member or change one, and offer a one-time sign-in; returns its code, which is stored only hashed."""
    store = open_store(settings)
    try:
        store.team.put(Member(name, display_name, roles), None)
        return _offer(store.team, name, at, good_for)
    finally:
        store.close()


def offer_sign_in(settings: Settings, name: str, at: datetime, good_for: timedelta) -> str:
    """A new one-time sign-in for an active member.

    Raises:
        NotFoundError: nobody active has this name, or nothing was ever stored.
    """
    store = open_store(settings, must_exist=True)
    try:
        if not any(one.name == name and one.active for one in store.team.members()):
            raise NotFoundError(f"nobody active is called {name!r}; see `breachwatch member list`")
        return _offer(store.team, name, at, good_for)
    finally:
        store.close()


def _offer(team: Team, name: str, at: datetime, good_for: timedelta) -> str:
    code = one_time_code()
    team.offer_sign_in(name, token_hash(code), at + good_for)
    return code


# ------------------------------------------------------------------ replay and check


def build_replay(
    source: str, *, playbooks: Path | None, source_files: Sequence[Path], timezone: str, reference: datetime
) -> Callable[[Sequence[Path], Advance], tuple[list[Alert], Tally]]:
    """A replay of files of one source, under a pseudonym key that is forgotten with it.

    Raises:
        NotFoundError: no such source.
        ContentError: playbooks or source definitions with problems.
    """
    sources = load_sources(source_files, timezone=timezone)
    if source not in sources:
        raise NotFoundError(f"no source is called {source!r}; known: {', '.join(sorted(sources))}")
    content = _content(playbooks, sources)
    detector = Detector(content, sources, pseudonymiser(secrets.token_bytes(32)))

    def run(files: Sequence[Path], advance: Advance) -> tuple[list[Alert], Tally]:
        def chunks() -> Iterator[Chunk]:
            for path in files:
                yield from read_whole(path, source, reference, advance)

        return run_replay(chunks(), detector, Correlator(content))

    return run


def check_playbooks(folder: Path, source_files: Sequence[Path]) -> tuple[list[Problem], str]:
    """Every problem of a playbooks folder, and one line that sums it up."""
    return check(read_tree(folder), load_sources(source_files), PLACEHOLDERS)
