"""The image: built from pinned parts, holding the program and nothing else, run by nobody in particular."""

import json
import re
import shutil
import subprocess
import sys
import zipfile
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "Dockerfile"
_CONTINUED = re.compile(r"\\\n\s*")


def instructions() -> list[tuple[str, str]]:
    """(instruction, the rest) in their order, remarks left out."""
    text = _CONTINUED.sub("", DOCKERFILE.read_text("utf-8"))
    rows = [row for row in text.splitlines() if row and not row.startswith("#")]
    return [(name, rest) for name, _, rest in (row.partition(" ") for row in rows)]


def last(name: str) -> str:
    return [rest for found, rest in instructions() if found == name][-1]


def copied() -> list[str]:
    """What comes from the checkout."""
    rows = [rest for name, rest in instructions() if name == "COPY" and not rest.startswith("--from")]
    return [source for rest in rows for source in rest.split()[:-1]]


def test_the_linter_has_nothing_to_say() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, DOCKERFILE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_the_base_is_one_version_for_both_stages() -> None:
    assert [rest for name, rest in instructions() if name == "FROM"] == ["${PYTHON} AS build", "${PYTHON}"]
    assert re.fullmatch(r"PYTHON=python:3\.\d+\.\d+-slim-\w+", last("ARG"))


def test_every_package_is_the_locked_one() -> None:
    (locked,) = [rest for name, rest in instructions() if name == "RUN" and "requirements.lock" in rest]
    assert "--require-hashes" in locked
    (own,) = [rest for name, rest in instructions() if name == "RUN" and "--find-links" in rest]
    assert {"--no-deps", "--no-index"} <= set(json.loads(own))


def test_nobody_is_root_and_no_shell_is_asked_for() -> None:
    assert last("USER") == "1000:1000"
    for name, rest in instructions():
        if name in ("RUN", "ENTRYPOINT", "CMD"):
            assert json.loads(rest), f"{name} {rest}"
    assert json.loads(last("HEALTHCHECK").partition("CMD ")[2])[:2] == ["breachwatch", "health"]


def test_it_ends_as_it_is_asked_to() -> None:
    assert last("STOPSIGNAL") == "SIGTERM"
    assert json.loads(last("ENTRYPOINT")) == ["breachwatch"]


@pytest.mark.parametrize("source", copied())
def test_what_is_copied_is_there_and_not_ignored(source: str) -> None:
    assert (ROOT / source).exists()
    rules = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert f"!{source.removeprefix('./')}" in rules


def test_nothing_secret_gets_into_the_build() -> None:
    rules = [row for row in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if row and row[0] != "#"]
    assert rules[0] == "*"
    let_in = [rule[1:] for rule in rules if rule.startswith("!")]
    assert set(let_in) == {source.removeprefix("./") for source in copied()}
    assert not any(fnmatch(name, rule) for name in ("deploy", ".git", ".cache", "state") for rule in let_in)


def test_the_wheel_is_built_from_what_is_copied_alone(tmp_path: Path) -> None:
    for source in copied():
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, tmp_path / source, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / source, tmp_path / source)
    (command,) = [rest for name, rest in instructions() if name == "RUN" and "hatchling" in rest and "build" in rest]
    words = [sys.executable, *json.loads(command)[1:]]
    subprocess.run(words, cwd=tmp_path, check=True, capture_output=True)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {"breachwatch/cli/root.py", "breachwatch/example.toml"} <= names
    assert any(name.startswith("breachwatch/_content/playbooks/") for name in names)
    assert any(name.startswith("breachwatch/_content/topics/") for name in names)


def test_the_folder_of_state_is_the_user_s_own() -> None:
    (made,) = [
        json.loads(rest) for name, rest in instructions() if name == "RUN" and "install" in rest and "mode" in rest
    ]
    assert made == ["install", "--directory", "--owner=1000", "--group=1000", "--mode=0700", "/var/lib/breachwatch"]
