"""`docker compose`, as far as the guides use it, done with the services as processes; and a guide done as it tells."""

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

from stack.cluster import Cluster
from stack.compose import Compose

_SECTION = re.compile(r"^## (?P<title>.+)\n(?P<body>(?:(?!^## ).*\n?)*)", re.MULTILINE)
_SHELL = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FLAGS = {"--detach", "--build", "--wait", "--no-recreate"}


class Engine:
    """What would run the containers of a checkout; `cluster` is there from the first `up` on."""

    def __init__(self, checkout: Path) -> None:
        self._checkout = checkout
        self._scale: dict[str, int] = {}
        self.cluster: Cluster | None = None

    @property
    def running(self) -> Cluster:
        assert self.cluster is not None, "nothing runs before `up`"
        return self.cluster

    def do(self, words: list[str]) -> str:
        """One command, its words after `docker compose`; returns what it prints."""
        if words[0] == "--profile":
            assert words[1] == "try"
            words = words[2:]
        match words:
            case ["up", *options]:
                self._up(options)
            case ["exec", name, *command]:
                return self.running.run(name, *command)
            case ["restart", name]:
                assert self.running.stop(name) == 0
                self.running.start_again(name)
            case ["down"]:
                services, ended = self.running.compose.services, self.running.stop_all()
                ours = {name: code for name, code in ended.items() if name not in services or services[name].is_ours}
                assert set(ours.values()) == {0}, ours
            case _:
                raise AssertionError(f"the test knows no way to do: docker compose {' '.join(words)}")
        return ""

    def _up(self, options: list[str]) -> None:
        if self.cluster is None:
            self.cluster = Cluster(Compose(self._checkout / "docker-compose.yml"))
            self.cluster.start()
            options = [one for one in options if one != "--build"]
        while options:
            match options:
                case ["--scale", scale, *options]:
                    name, _, count = scale.partition("=")
                    for number in range(max(2, self._scale.get(name, 1) + 1), int(count) + 1):
                        self.running.start_another(name, number)
                    self._scale[name] = int(count)
                case ["--build", *options]:
                    self.running.recreate()
                case [flag, *options]:
                    assert flag in _FLAGS, flag


class Guide:
    """A page whose commands are typed one after another, in a checkout of one's own."""

    def __init__(self, page: Path, checkout: Path, engine: Engine) -> None:
        self._sections = {one["title"]: one["body"] for one in _SECTION.finditer(page.read_text("utf-8"))}
        self._checkout = checkout
        self._engine = engine
        self._left = list(self._sections)

    def do(self, title: str) -> list[str]:
        """Type every command of one section; returns what each printed."""
        self._left.remove(title)
        return [self._type(statement) for statement in self._statements(title)]

    def left(self) -> list[str]:
        """Sections with commands that nobody typed."""
        return [title for title in self._left if any(self._statements(title))]

    def _statements(self, title: str) -> Iterator[str]:
        for block in _SHELL.findall(self._sections[title]):
            yield from (row for row in block.replace("\\\n", " ").splitlines() if row)

    def _type(self, statement: str) -> str:
        words = shlex.split(statement)
        if words[:2] == ["docker", "compose"]:
            return self._engine.do(words[2:])
        if self._engine.cluster is not None:
            cluster = self._engine.cluster
            statement = cluster.places.here(cluster.compose.services["collect"], statement)
        done = subprocess.run(
            ["bash", "-euc", statement], cwd=self._checkout, capture_output=True, text=True, env=os.environ, check=False
        )
        assert done.returncode == 0, f"{statement}\n{done.stdout}{done.stderr}"
        return done.stdout
