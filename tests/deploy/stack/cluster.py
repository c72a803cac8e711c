"""The services of a Compose file, running: each by its own command and environment, after what it waits for."""

import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from stack import images
from stack.compose import Compose, Service, image_environment
from stack.place import Places

ROOT = Path(__file__).parents[3]
PATIENCE_SECONDS = 240.0
T = TypeVar("T")


def wait_until(look: Callable[[], T], what: str, pause: float = 0.1, seconds: float = PATIENCE_SECONDS) -> T:
    """The first thing that `look` finds that is true; fails the test when nothing is within `seconds`.

    `pause`: between two looks. A look that starts a program takes from the machine what it waits for.
    """
    until = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < until, f"waited {seconds:.0f} s for {what}"
        select.select([], [], [], pause)
    return found


class Cluster:
    """Everything that `docker compose up` would run, as processes of this machine, below a folder of its own."""

    def __init__(self, compose: Compose) -> None:
        self.compose = compose
        self.folder = Path(tempfile.mkdtemp(prefix="breachwatch-cluster."))
        self.folder.chmod(0o711)  # PostgreSQL runs as somebody else, and has to get to its own folder
        self.places = Places(compose, self.folder)
        self.mailbox: images.Mailbox | None = None
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Start each service after what it waits for, and wait until all are well."""
        for service in self.compose.in_order():
            for other, condition in service.after.items():
                self._wait(self.compose.services[other], condition)
            self.places.lay_out(service)
            self._start(service)
        for service in self.compose.services.values():
            if not service.once:
                self._wait(service, "service_healthy")

    def start_another(self, name: str, number: int = 2) -> None:
        """`docker compose up --scale`: one more process of a service."""
        service = replace(self.compose.services[name], name=f"{name}-{number}")
        self.places.lay_out(service)
        self._start(service)
        self._wait(service, "service_healthy")

    def start_again(self, name: str) -> None:
        """A service that was stopped, with the files as they are now."""
        service = self.compose.services[name]
        self.places.lay_out(service)
        self._start(service)
        self._wait(service, "service_completed_successfully" if service.once else "service_healthy")

    def recreate(self) -> None:
        """What `up --build` does with a new version: all of ours anew, each after what it waits for."""
        ours = [one.name for one in self.compose.in_order() if one.is_ours]
        for name in [one for one in self._running if one.rpartition("-")[0] in ours or one in ours]:
            self.stop(name)
        for name in ours:
            self.start_again(name)

    def file(self, name: str, path: str) -> Path:
        """A file of a service's container, here."""
        return self.places.at(self.compose.services[name], path)

    def _start(self, service: Service) -> None:
        match service.name:
            case "mail":
                self.mailbox = images.mailbox(self.places, service)
            case "postgres":
                self._start_postgres(service)
            case "kafka":
                images.kafka_programs(self.places, service)
                self._spawn(service, self._command(service))
            case _:
                self._spawn(service, self._command(service))

    def _start_postgres(self, service: Service) -> None:
        binaries = images.postgres_binaries()
        data = images.initialise_postgres(self.places, service, binaries)
        sockets = self.places.at(service, "/var/run/postgresql")
        server, *options = self._command(service)
        where = ["-D", str(data), "-p", str(self.places.port(5432)), "-k", str(sockets), "-h", "127.0.0.1"]
        self._spawn(service, images.as_postgres([str(binaries / server), *where, *options]))
        wait_until(lambda: any(sockets.iterdir()), "PostgreSQL to listen")
        wait_until(
            lambda: self._runs_well(service, ["pg_isready", "--host=/var/run/postgresql"]), "PostgreSQL to answer"
        )
        images.run_first_sql(self.places, service, sockets)

    # ------------------------------------------------------------------ processes

    def _command(self, service: Service) -> list[str]:
        given = [self.places.here(service, word) for word in service.command]
        return [str(Path(sys.executable).with_name("breachwatch")), *given] if service.is_ours else given

    def _environment(self, service: Service) -> dict[str, str]:
        image = image_environment(ROOT / "Dockerfile") if service.is_ours else {}
        said = {**image, **service.environment}
        given = {name: self.places.here(service, value) for name, value in said.items()}
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return {"PGPORT": str(self.places.port(5432)), **given, "PATH": path}

    def _spawn(self, service: Service, command: list[str]) -> None:
        with (self.folder / f"{service.name}.log").open("ab") as log:
            self._running[service.name] = subprocess.Popen(
                command,
                cwd=self.places.at(service, "/var/lib"),
                env=self._environment(service),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def run(self, name: str, *words: str) -> str:
        """`docker compose exec NAME ...`: what a command prints that is run where a service is."""
        service = self.compose.services[name]
        command = [self.places.here(service, word) for word in words]
        done = subprocess.run(
            command, env=self._environment(service), cwd="/", capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def _runs_well(self, service: Service, words: list[str]) -> bool:
        command = [self.places.here(service, word) for word in words]
        done = subprocess.run(command, env=self._environment(service), cwd="/", capture_output=True, check=False)
        return done.returncode == 0

    # ------------------------------------------------------------------ how they are

    def log(self, name: str) -> str:
        """What a service said."""
        file = self.folder / f"{name}.log"
        return file.read_text("utf-8", "replace") if file.exists() else ""

    def _wait(self, service: Service, condition: str) -> None:
        process = self._running.get(service.name)
        if process is None:  # the mail server is a thread of the test
            return
        if condition == "service_completed_successfully":
            assert process.wait(PATIENCE_SECONDS) == 0, self.log(service.name)[-3000:]
            return

        def well() -> bool:
            assert process.poll() is None, f"{service.name} ended:\n{self.log(service.name)[-3000:]}"
            return self._runs_well(service, service.health)

        try:
            wait_until(well, f"{service.name} to be well", pause=1.0)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log(service.name)[-3000:]}") from None

    def stop(self, name: str) -> int:
        """Ask one service to end, as `docker compose stop` does; returns its exit code."""
        process = self._running[name]
        if name in images.STOPPED_BY:
            os.killpg(process.pid, images.STOPPED_BY[name])  # who runs it as another user does not pass it on
        else:
            process.send_signal(signal.SIGTERM)
        code = process.wait(PATIENCE_SECONDS)
        del self._running[name]
        return code

    def stop_all(self) -> dict[str, int]:
        """Ask every service to end, the last one first; returns how each ended."""
        return {name: self.stop(name) for name in reversed(list(self._running))}

    def close(self) -> None:
        """End everything, and remove the folder."""
        for process in reversed(list(self._running.values())):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
        for process in self._running.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if self.mailbox is not None:
            self.mailbox.close()
        shutil.rmtree(self.folder, ignore_errors=True)
