"""Where a service runs when there is no container: a folder in place of its root, and ports of this machine.

What a service reads (its command, environment, configs and secrets) is copied with three kinds of words changed, and
nothing else: paths that the container mounts lie below the folder, names of services are this machine, and each port is
one that is free here.
"""

import re
import secrets
import shutil
import socket
from pathlib import Path

from stack.compose import Compose, Service

MOUNTED = ("run/secrets", "etc/breachwatch", "var/lib", "var/run", "opt/kafka", "docker-entrypoint-initdb.d", "tmp")
_PATH = re.compile(rf"(?<![\w/.])/(?=(?:{'|'.join(MOUNTED)})(?:/|\b))")
_TOML_HOST = re.compile(r'^(host = )"(?P<name>[a-z]+)"', re.MULTILINE)
_TOML_PORT = re.compile(r"^(port = )(?P<port>\d+)", re.MULTILINE)
BELOW_ANY = (12_000, 32_000)
OWN_PORTS = {"9464"}
"""Ports that every service has for itself; all others are of one service, whom the others call by it."""


class Places:
    """The places of every service of a Compose file, below one folder."""

    def __init__(self, compose: Compose, folder: Path) -> None:
        self._folder = folder
        self._ports: dict[tuple[str, str], int] = {}
        names = "|".join([*compose.services, "localhost", r"127\.0\.0\.1", r"0\.0\.0\.0"])
        self._address = re.compile(rf"(?<![\w.-])(?P<name>{names})?:(?P<port>\d{{4,5}})(?!\d)")
        self._names = set(compose.services)

    def port(self, number: int, service: str = "") -> int:
        """The port of this machine in place of a container's."""
        key = (service if str(number) in OWN_PORTS else "", str(number))
        if key not in self._ports:
            self._ports[key] = free_row() if str(number) in OWN_PORTS else free_row(1)
        return self._ports[key]

    def root(self, service: Service) -> Path:
        return self._folder / service.name

    def at(self, service: Service, path: str) -> Path:
        """A path of the container, here."""
        return self.root(service) / path.lstrip("/")

    def here(self, service: Service, text: str) -> str:
        """A text of the container as it reads here."""

        def address(found: re.Match[str]) -> str:
            name = found["name"] or ""
            return f"{'127.0.0.1' if name in self._names else name}:{self.port(int(found['port']), service.name)}"

        def host(found: re.Match[str]) -> str:
            return f'{found[1]}"127.0.0.1"' if found["name"] in self._names else found[0]

        text = self._address.sub(address, text)
        text = _TOML_PORT.sub(lambda found: f"{found[1]}{self.port(int(found['port']), service.name)}", text)
        text = _TOML_HOST.sub(host, text)
        return _PATH.sub(f"{self.root(service)}/", text)

    def lay_out(self, service: Service) -> None:
        """Make the folders that are mounted, and put every config and secret there."""
        for path in (*service.scratch, "/var/lib/breachwatch"):
            self.at(service, path).mkdir(parents=True, exist_ok=True)
        for target in service.volumes.values():
            self.at(service, target).mkdir(parents=True, exist_ok=True)
        for file in (*service.configs, *service.secrets):
            here = self.at(service, file.target)
            here.parent.mkdir(parents=True, exist_ok=True)
            here.write_text(self.here(service, file.source.read_text("utf-8")), encoding="utf-8")
            shutil.copymode(file.source, here)


def free_row(length: int = 12) -> int:
    """The first of a row of ports that nobody listens on.

    They are below those that the system gives to whoever asks for any: a service that starts again finds them free.
    """
    while True:
        first = BELOW_ANY[0] + secrets.randbelow(BELOW_ANY[1] - BELOW_ANY[0] - length)
        if all(_free(first + step) for step in range(length)):
            return first


def _free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
