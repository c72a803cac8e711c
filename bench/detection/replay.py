"""A replay of a large sshd log on two cores, beside `grep -c` and a bare loop over its lines.

    script/bench replay                       # 1 GiB, 3 rounds
    script/bench replay --mib 64 --rounds 5

The log is generated: logins and failures of very many clients, each too few to be an attack, and now and then an
address that tries thirty passwords in a minute. Whole processes are timed, in turn. Every attack must be found.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.detection.peers import CACHE, ROOT
from bench.detection.words import USERS, hexed

START = datetime(2026, 3, 1, tzinfo=UTC)
SESSIONS = 40_000
"""Different sessions, from which the log draws; each client has few."""
A_SECOND = 2
"""Sessions that begin in a second."""
ATTACK_EVERY = 1_800
"""Seconds from one attack to the next."""
TRIES = 30
NAMES = ["root", "admin", "test", "oracle", "postgres", "ubuntu", "git", "user", "ftp", "pi"]


@dataclass(frozen=True, slots=True)
class Log:
    """The log, and what is true of it."""

    path: Path
    lines: int
    failures: int
    attackers: list[str]
    ends: str


def _client(rng: Random) -> str:
    return (
        f"2001:db8:{hexed(rng, 4).lower()}:{hexed(rng, 2).lower().lstrip('0') or '0'}::{1 + int(rng.random() * 9000):x}"
    )


def _session(rng: Random) -> list[str]:
    """What sshd says of one connection, without the time."""
    head = f" bastion sshd[{1000 + int(rng.random() * 60000)}]: "
    client, port = _client(rng), 1024 + int(rng.random() * 64000)
    kind = rng.random()
    if kind < 0.45:
        name = rng.choice(NAMES)
        return [
            f"{head}Invalid user {name} from {client} port {port}",
            f"{head}Failed password for invalid user {name} from {client} port {port} ssh2",
            f"{head}Connection closed by invalid user {name} {client} port {port} [preauth]",
        ]
    user = rng.choice(USERS)
    if kind < 0.6:
        return [
            f"{head}Failed password for {user} from {client} port {port} ssh2",
            f"{head}Connection closed by authenticating user {user} {client} port {port} [preauth]",
        ]
    return [
        f"{head}Accepted publickey for {user} from {client} port {port} ssh2: ED25519 SHA256:{hexed(rng, 43)}",
        f"{head}pam_unix(sshd:session): session opened for user {user}(uid=1004) by (uid=0)",
        f"{head}Received disconnect from {client} port {port}:11: disconnected by user",
        f"{head}Disconnected from user {user} {client} port {port}",
        f"{head}pam_unix(sshd:session): session closed for user {user}",
    ]


def write_log(size: int, folder: Path) -> Log:
    """A log of about `size` bytes; one that is there already is taken."""
    folder.mkdir(parents=True, exist_ok=True)
    path, told = folder / f"sshd-{size}.log", folder / f"sshd-{size}.json"
    if not told.exists():
        lines, failures, attackers, written, now = 0, 0, [], 0, START
        rng = Random(size)  # noqa: S311
        sessions = [_session(rng) for _ in range(SESSIONS)]
        with path.open("w", encoding="ascii", newline="\n") as file:
            second = 0
            while written < size:
                now = START + timedelta(seconds=second)
                head = f"{now:%b} {now.day:2} {now:%H:%M:%S}"
                said = [line for _ in range(A_SECOND) for line in sessions[int(rng.random() * SESSIONS)]]
                attack, since = divmod(second, ATTACK_EVERY)
                if since < TRIES:
                    said.append(
                        f" bastion sshd[{900 + attack % 90}]: Failed password for root from 2001:db8:bad:{attack:x}::1"
                        " port 40022 ssh2"
                    )
                    if since == TRIES - 1:
                        attackers.append(f"2001:db8:bad:{attack:x}::1")
                text = "".join([f"{head}{line}\n" for line in said])
                written += file.write(text)
                lines += len(said)
                failures += text.count("Failed password")
                second += 1
        ends = (now + timedelta(days=1)).isoformat()
        about = {"lines": lines, "failures": failures, "attackers": attackers, "ends": ends}
        told.write_text(json.dumps(about), encoding="utf-8")
    return Log(path, **json.loads(told.read_text(encoding="utf-8")))


LOOP = """
import sys
count = 0
with open(sys.argv[1], "rb") as file:
    for line in file:
        if b"Failed password" in line:
            count += 1
print(count)
"""


def commands(log: Log, workers: int) -> dict[str, list[str]]:
    """How each side is started."""
    program = str(Path(sys.executable).parent / "breachwatch")
    options = ["--source", "linux-sshd", "--reference", log.ends, "--json", "--workers", str(workers)]
    return {
        "breachwatch replay": [program, "replay", str(log.path), *options],
        "grep -c": ["grep", "-c", "Failed password", str(log.path)],
        "Python's bare loop": [sys.executable, "-c", LOOP, str(log.path)],
    }


def run(command: list[str], cores: str, out: Path) -> dict[str, float]:
    """One run of a whole process: wall and processor seconds, and the peak memory of its largest process."""
    pinned = ["taskset", "-c", cores, *command] if shutil.which("taskset") else command
    began = time.perf_counter()
    with out.open("wb") as file:
        process = subprocess.Popen(
            pinned, cwd=ROOT, stdout=file, stderr=subprocess.PIPE, env={**os.environ, "LC_ALL": "C"}
        )
        assert process.stderr is not None
        said = process.stderr.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command[0]} ended with {process.returncode}: {said.decode(errors='replace')[-500:]}")
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "cpu": used.ru_utime + used.ru_stime, "peak_mib": used.ru_maxrss / 1024}


def found(out: Path, log: Log) -> dict[str, int]:
    """How many of the attacks are in the alerts, and how many alerts are about anything else."""
    groups: list[str] = [json.dumps(json.loads(line)["group"]) for line in out.read_text(encoding="utf-8").splitlines()]
    attackers = set(log.attackers)
    seen = {attacker for attacker in attackers if any(f'"{attacker}"' in group for group in groups)}
    return {"attacks": len(attackers), "seen": len(seen), "others": sum("db8:bad:" not in group for group in groups)}


def measure(log: Log, rounds: int, cores: str) -> dict[str, Any]:
    """Every side in turn, round after round."""
    ways = commands(log, len(_cores(cores)))
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
    counts: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds):
            for name, command in ways.items():
                print(f"round {number + 1} of {rounds}: {name}", file=sys.stderr)
                out = Path(folder) / "out"
                runs[name].append(run(command, cores, out))
                if name == "breachwatch replay":
                    counts[name] = found(out, log)
                else:
                    counts[name] = int(out.read_text(encoding="ascii"))
                    assert counts[name] == log.failures, f"{name} counted {counts[name]}, not {log.failures}"
    return {"bytes": log.path.stat().st_size, "lines": log.lines, "runs": runs, "found": counts}


def _cores(told: str) -> list[int]:
    return [int(core) for core in told.split(",")]


def print_table(results: dict[str, Any]) -> None:
    """The figures, and what was found."""
    table = Table("side", "lines/s", "MiB/s", "seconds", "cpu seconds", "peak MiB", "breachwatch takes")
    ours = statistics.median(run["seconds"] for run in results["runs"]["breachwatch replay"])
    for name, runs in results["runs"].items():
        seconds, cpu, peak = (statistics.median(run[key] for run in runs) for key in ("seconds", "cpu", "peak_mib"))
        table.add_row(
            name,
            f"{results['lines'] / seconds:,.0f}",
            f"{results['bytes'] / 1048576 / seconds:,.0f}",
            f"{seconds:.1f}",
            f"{cpu:.1f}",
            f"{peak:.0f}",
            "" if name == "breachwatch replay" else f"{ours / seconds:.1f} x as long",
        )
    console = Console(width=None if Console().is_terminal else 140)
    console.print(f"{results['lines']:,} lines, {results['bytes'] / 1048576:,.0f} MiB; medians", highlight=False)
    console.print(table)
    told = results["found"]["breachwatch replay"]
    console.print(
        f"attacks found: {told['seen']} of {told['attacks']}; other alerts: {told['others']}", highlight=False
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cores", default="0,1", help="which processors, parted by commas")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON, and no table")
    parser.add_argument("--out", type=Path, default=CACHE / "replay.json")
    given = parser.parse_args()
    log = write_log(given.mib * 1048576, CACHE / "logs")
    results = measure(log, given.rounds, given.cores)
    given.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    if given.json:
        print(json.dumps(results))
    else:
        print_table(results)
    told = results["found"]["breachwatch replay"]
    if told["seen"] < told["attacks"]:
        sys.exit(1)


if __name__ == "__main__":
    main()
