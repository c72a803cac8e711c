"""The house keeps its own rules: mirrored tests, small files, nothing left for later, everything shipped."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "breachwatch"
CODE = sorted([*PACKAGE.rglob("*.py"), *(ROOT / "tests").rglob("*.py"), *(ROOT / "bench").rglob("*.py")])
LONGEST_FILE = 400
UNFINISHED = re.compile(
    r"\b(TO" + "DO|FIX" + "ME|XX" + r"X)\b|Not" + "Implemented|pytest\\.(skip|xfail)|mark\\.(skip|xfail)"
)


def packages() -> list[str]:
    return sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))


@pytest.mark.parametrize("package", packages())
def test_every_package_has_its_mirrored_tests(package: str) -> None:
    tests = list((ROOT / "tests" / package).rglob("test_*.py"))
    assert tests, f"tests/{package} tells no story about breachwatch/{package}"


def test_no_file_is_too_long_to_hold_in_a_head() -> None:
    long = [
        str(path.relative_to(ROOT))
        for path in CODE
        if len(lines := path.read_text("utf-8").splitlines()) > LONGEST_FILE
        and "Long because" not in "\n".join(lines[:20])
    ]
    assert not long, f"over {LONGEST_FILE} lines without a reason ('Long because ...') in the docstring: {long}"


def test_nothing_is_left_for_later() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in CODE
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if UNFINISHED.search(line)
    ]
    assert not found


def test_no_group_of_an_expression_is_possessive() -> None:
    """Python before 3.11.5 reads `(...)*+` wrongly; of one set of characters, `[^x]*+`, it does not."""
    possessive = re.compile(r"\)[*+?]\+(?!=)")
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in PACKAGE.rglob("*.py")
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if possessive.search(line) and "_RARE_PAIR" not in line
    ]
    assert not found


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    [built] = folder.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        return set(archive.namelist())


def test_the_wheel_ships_everything_the_program_reads(wheel: set[str]) -> None:
    inside = {f"breachwatch/{path.relative_to(PACKAGE)}" for path in PACKAGE.rglob("*") if path.is_file()}
    inside = {name for name in inside if "__pycache__" not in name}
    content = {
        f"breachwatch/_content/{path.relative_to(ROOT)}"
        for folder in ("playbooks", "topics")
        for path in (ROOT / folder).rglob("*")
        if path.is_file()
    }
    assert not (inside | content) - wheel


def test_scripts_are_plain_shell_that_parses() -> None:
    scripts = [path for path in sorted((ROOT / "script").iterdir()) if path.suffix not in (".xml", ".properties")]
    for script in (*scripts, ROOT / "deploy" / "compose" / "kafka" / "start.sh"):
        shell = script.read_text("utf-8").splitlines()[0].removeprefix("#!").split()
        subprocess.run([*shell, "-n", script], check=True)
