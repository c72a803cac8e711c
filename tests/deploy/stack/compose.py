"""docker-compose.yml as values: what each service runs, with what, beside whom, and after what."""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_VARIABLE = re.compile(r"\$(?:\$|\{(?P<name>\w+)(?::-(?P<default>[^}]*))?\})")


@dataclass(frozen=True)
class File:
    """A config or secret as a service sees it: `target` in the container, `source` in the checkout."""

    target: str
    source: Path


@dataclass(frozen=True)
class Service:
    """One service; `spec` is all that the file says of it, merges and variables resolved."""

    name: str
    spec: Mapping[str, Any]
    configs: tuple[File, ...]
    secrets: tuple[File, ...]

    @property
    def is_ours(self) -> bool:
        return "build" in self.spec

    @property
    def once(self) -> bool:
        """It does its work and ends."""
        return bool(self.spec.get("restart") == "no")

    @property
    def command(self) -> list[str]:
        return [*self.spec.get("entrypoint", []), *self.spec.get("command", [])]

    @property
    def environment(self) -> dict[str, str]:
        return {name: str(value) for name, value in self.spec.get("environment", {}).items()}

    @property
    def health(self) -> list[str]:
        """The command that tells whether it is well; empty when there is none."""
        test = self.spec.get("healthcheck", {}).get("test", [])
        return list(test[1:]) if test and test[0] == "CMD" else []

    @property
    def volumes(self) -> dict[str, str]:
        """Where each named volume is mounted."""
        pairs = (one.split(":") for one in self.spec.get("volumes", []))
        return {name: target for name, target in pairs}

    @property
    def scratch(self) -> list[str]:
        """Folders in memory."""
        return [one.partition(":")[0] for one in self.spec.get("tmpfs", [])]

    @property
    def after(self) -> dict[str, str]:
        """Other services to the condition that must hold before this one starts."""
        return {name: one["condition"] for name, one in self.spec.get("depends_on", {}).items()}


def image_environment(dockerfile: Path) -> dict[str, str]:
    """What `ENV` of a Dockerfile says, its last stage alone."""
    stage = re.split(r"^FROM ", dockerfile.read_text("utf-8").replace("\\\n", " "), flags=re.MULTILINE)[-1]
    rows = re.findall(r"^ENV (.*)$", stage, re.MULTILINE)
    return dict(word.split("=", 1) for row in rows for word in row.split())


class Compose:
    """A Compose file of a checkout."""

    def __init__(self, path: Path) -> None:
        self.raw: dict[str, Any] = yaml.safe_load(_resolved(path.read_text("utf-8")))
        self.folder = path.parent
        self.services = {name: self._service(name, spec) for name, spec in self.raw["services"].items()}

    def _service(self, name: str, spec: Mapping[str, Any]) -> Service:
        configs = tuple(self._files("configs", spec, "/"))
        return Service(name, spec, configs, tuple(self._files("secrets", spec, "/run/secrets/")))

    def _files(self, kind: str, spec: Mapping[str, Any], base: str) -> Iterator[File]:
        for one in spec.get(kind, []):
            source, target = (one, one) if isinstance(one, str) else (one["source"], one.get("target", one["source"]))
            yield File(
                target if target.startswith("/") else base + target, self.folder / self.raw[kind][source]["file"]
            )

    def in_order(self) -> list[Service]:
        """Each service after those that it waits for."""
        order: list[Service] = []

        def add(name: str) -> None:
            service = self.services[name]
            for other in service.after:
                add(other)
            if service not in order:
                order.append(service)

        for name in self.services:
            add(name)
        return order


def _resolved(text: str) -> str:
    def value(found: re.Match[str]) -> str:
        return os.environ.get(found["name"], found["default"] or "") if found["name"] else "$"

    return _VARIABLE.sub(value, text)
