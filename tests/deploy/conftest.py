"""A checkout as an operator has it, and secrets as they are drawn."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

ROOT = Path(__file__).parents[2]
MAKE_SECRETS = ROOT / "deploy" / "make_secrets.py"


@pytest.fixture(scope="session")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of secrets, drawn by the script that an operator runs."""
    folder = tmp_path_factory.mktemp("secrets")
    subprocess.run([sys.executable, MAKE_SECRETS, folder], check=True, capture_output=True)
    return folder


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout that is set up, as an operator has it before anything was drawn."""
    folder = tmp_path / "checkout"
    shutil.copytree(ROOT / "deploy", folder / "deploy", ignore=shutil.ignore_patterns("secrets"))
    for name in ("docker-compose.yml", "script", "pyproject.toml", "requirements.lock", "requirements-dev.lock"):
        (folder / name).symlink_to(ROOT / name)
    (folder / ".venv").mkdir()
    (folder / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
    wanted = subprocess.run(
        ["sh", "-c", "cat requirements*.lock pyproject.toml | cksum"], cwd=folder, capture_output=True, check=True
    )
    (folder / ".venv" / "stamp-run").write_bytes(wanted.stdout)
    return folder
