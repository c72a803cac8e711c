"""The demo's own settings file and its three sockets: everything a demo is besides the service itself."""

import asyncio
import fcntl
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from socket import socket
from typing import IO

from breachwatch.console.serving import WebServer, listen
from breachwatch.demo.mailbox import Mailbox, create_mailbox_app, serve_smtp
from breachwatch.demo.player import Stage
from breachwatch.demo.shop import AUDIT, AUTH
from breachwatch.kernel.errors import RefusedError, UnavailableError
from breachwatch.kernel.facts import Role

ZONE = "Europe/Paris"
TEAM: dict[str, tuple[str, Role]] = {
    "camille": ("Camille Example, DPO", "dpo"),
    "alex": ("Alex Example, analyst", "analyst"),
    "robin": ("Robin Example, administrator", "admin"),
}
"""Sign-in name to name shown and role."""

LOCK = "demo.lock"
"""Marks a folder as a demo's, and is held as long as a demo lives in it."""

_SETTINGS = """\
# Written by the demo at each start.
state_dir = "state"

[organisation]
name = "Example Shop"
address = "1 Example Street, 75000 Paris"
country = "FR"
timezone = {zone}
website = "https://shop.example"
dpo_name = "Camille Example"
dpo_email = "dpo@shop.example"
dpo_phone = "+33 1 99 00 00 00"
authority = "CNIL"
authority_url = "https://www.cnil.fr/"
default_language = "fr"

[[inputs]]
type = "file"
path = {audit}
source = "app-audit"

[[inputs]]
type = "file"
path = {auth}
source = "linux-sshd"

[directory]
type = "csv"
path = "directory.csv"
identifiers = {{ customer_id = "customer_id", login = "login" }}

[mail]
host = "127.0.0.1"
port = {smtp_port}
security = "none-loopback-only"
sender = "privacy@shop.example"

[team]
notify = ["security@shop.example"]

[desk]
port = {desk_port}
"""


@dataclass(frozen=True, slots=True)
class House:
    """A demo's folder and its way out: a mail server that keeps what it gets, and the page to read it on."""

    stage: Stage
    mailbox: Mailbox
    settings_file: Path
    smtp: socket
    web: socket
    lock: IO[str]

    @property
    def mailbox_url(self) -> str:
        """Where the mails can be read."""
        return f"http://127.0.0.1:{self.web.getsockname()[1]}"

    async def take_mail(self, stop: asyncio.Event) -> None:
        """Be the mail server."""
        await serve_smtp(self.mailbox, self.smtp, stop)

    async def show_mail(self, desk_url: str, stop: asyncio.Event) -> None:
        """Be the mailbox page."""
        await WebServer(create_mailbox_app(self.mailbox, desk_url), self.web).run(stop)


def open_house(folder: Path, *, fresh: bool, desk_port: int) -> House:
    """Prepare a demo's folder; `fresh` throws away what an earlier demo left in it.

    Raises:
        RefusedError: the folder holds something that no demo made.
        UnavailableError: another demo lives there, no port can be had, or the folder cannot be written.
    """
    if folder.exists() and any(folder.iterdir()) and not any((folder / name).exists() for name in (LOCK, "story.json")):
        raise RefusedError(f"{folder} is not empty and was not made by a demo; choose another folder with --state")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = _alone(folder)
    if fresh:
        _empty(folder)
    smtp = listen("127.0.0.1", 0)
    settings_file = folder / "breachwatch.toml"
    stage = Stage(folder)
    settings_file.write_text(
        _SETTINGS.format(
            zone=json.dumps(ZONE),
            audit=json.dumps(f"logs/{AUDIT}"),
            auth=json.dumps(f"logs/{AUTH}"),
            smtp_port=smtp.getsockname()[1],
            desk_port=_free(desk_port),
        ),
        encoding="utf-8",
    )
    web = _listen_near(desk_port and desk_port + 1)
    return House(stage, Mailbox(folder / "mail"), settings_file, smtp, web, lock)


def _alone(folder: Path) -> IO[str]:
    lock = (folder / LOCK).open("a", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        raise UnavailableError(
            f"another demo runs in {folder}; end it, or choose another folder with --state"
        ) from error
    return lock


def _empty(folder: Path) -> None:
    for one in folder.iterdir():
        if one.is_dir() and not one.is_symlink():
            shutil.rmtree(one)
        elif one.name != LOCK:
            one.unlink()


def _free(port: int) -> int:
    probe = _listen_near(port)
    try:
        return int(probe.getsockname()[1])
    finally:
        probe.close()


def _listen_near(port: int) -> socket:
    try:
        return listen("127.0.0.1", port)
    except UnavailableError:
        return listen("127.0.0.1", 0)
