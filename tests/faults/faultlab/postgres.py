"""A PostgreSQL of one's own, to be killed and started again."""

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import sqlalchemy as sa

SCRIPT = Path(__file__).parents[3] / "script/postgres"


class OwnPostgres:
    """Runs from the beginning until `close`; its URL stays the same."""

    def __init__(self) -> None:
        self._home = Path(tempfile.mkdtemp(prefix="breachwatch-faults-"))
        self.url = self.start()
        self._databases = 0

    def start(self) -> str:
        return self._run("start")

    def kill(self) -> None:
        """`kill -9` of the server; its children end when they notice."""
        self._signal(signal.SIGKILL)

    def restart(self) -> None:
        """At once, without waiting for anybody; then again."""
        self._signal(signal.SIGQUIT)
        self._until_gone()
        self.start()

    def database(self) -> str:
        """The URL of an empty database."""
        self._databases += 1
        name = f"cluster_{self._databases}"
        engine = sa.create_engine(self.url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
        return sa.make_url(self.url).set(database=name).render_as_string(hide_password=False)

    def close(self) -> None:
        self._run("stop")
        data = self._folder()
        shutil.rmtree(self._home)
        shutil.rmtree(data, ignore_errors=True)

    def _folder(self) -> Path:
        lines = (self._home / "postgres.env").read_text().splitlines()
        return Path(dict(line.split("=", 1) for line in lines)["folder"])

    def _pid(self) -> int:
        return int((self._folder() / "data" / "postmaster.pid").read_text().splitlines()[0])

    def _signal(self, number: signal.Signals) -> None:
        self._last = self._pid()
        os.kill(self._last, number)

    def _until_gone(self) -> None:
        while Path(f"/proc/{self._last}").exists():
            os.sched_yield()

    def _run(self, command: str) -> str:
        environment = {**os.environ, "BREACHWATCH_POSTGRES_HOME": str(self._home)}
        done = subprocess.run(
            [SCRIPT, command], env=environment, capture_output=True, text=True, check=False, timeout=120
        )
        if done.returncode:
            raise RuntimeError(f"PostgreSQL could not {command}: {done.stderr}")
        return done.stdout.strip()
