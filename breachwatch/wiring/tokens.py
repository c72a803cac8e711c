"""Bearer tokens that programs show, made at first start and kept in files that only their owner can read."""

import os
import secrets
from pathlib import Path

from breachwatch.settings import read_secret


def kept_token(path: Path) -> str:
    """The token of a file; one is made where there is no such file yet.

    Raises:
        ContentError: it cannot be read.
    """
    if not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
    return read_secret(path)
