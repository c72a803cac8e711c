"""The Compose file of the checkout, with every secret that it names drawn into a folder of the test."""

import subprocess
import sys
from pathlib import Path
from typing import Any

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


@pytest.fixture(scope="session")
def checkout(secrets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout as an operator has it once the secrets are made: docker-compose.yml beside `deploy`."""
    folder = tmp_path_factory.mktemp("checkout")
    (folder / "docker-compose.yml").symlink_to(ROOT / "docker-compose.yml")
    (folder / "deploy").mkdir()
    for one in (ROOT / "deploy").iterdir():
        if one.name != "secrets":
            (folder / "deploy" / one.name).symlink_to(one)
    (folder / "deploy" / "secrets").symlink_to(secrets)
    return folder


@pytest.fixture(scope="session")
def compose(checkout: Path) -> Any:
    from stack.compose import Compose

    return Compose(checkout / "docker-compose.yml")
