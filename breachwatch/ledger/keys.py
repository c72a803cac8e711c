"""The two secret keys, in files of their own beside (never inside) the database.

`master.key` opens contacts and seals the case file; only the case plane needs it. `pseudonym.key` turns identifiers
into references; workers of the detection plane need this one alone. Lose the first and contacts are gone and the
ledger cannot be proved; lose the second and references can no longer be looked up. Keep copies of both apart from
copies of the database.
"""

import os
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from breachwatch.kernel.errors import ContentError, NotFoundError, Problem, UnavailableError

KEY_SIZE_BYTES = 32
MASTER_FILE = "master.key"
PSEUDONYM_FILE = "pseudonym.key"


@dataclass(frozen=True, slots=True)
class MasterKey:
    """What opens contacts and seals the case file, 32 bytes; it shows in no repr, log or traceback."""

    master: bytes = field(repr=False)

    def derive(self, purpose: str) -> bytes:
        """A 32-byte key for one purpose from the master key, so that no key is ever used for two things.

        Source: HKDF-SHA-256 (RFC 5869); the master key is uniformly random, so no salt is needed.
        """
        info = f"breachwatch/1/{purpose}".encode()
        return HKDF(algorithm=SHA256(), length=KEY_SIZE_BYTES, salt=None, info=info).derive(self.master)


@dataclass(frozen=True, slots=True)
class Keys(MasterKey):
    """Both keys, 32 bytes each; they show in no repr, log or traceback."""

    pseudonym: bytes = field(repr=False)


def open_master_key(state_dir: Path) -> MasterKey:
    """The master key alone, for who never turns an identifier into a reference; none is drawn.

    Raises:
        NotFoundError: it is not there.
        ContentError: its file can be read by others, or is no key.
        UnavailableError: it cannot be read.
    """
    return MasterKey(_existing(state_dir / MASTER_FILE))


def open_pseudonym_key(state_dir: Path) -> bytes:
    """The pseudonym key alone, for who has no business with the ledger; none is drawn.

    Raises:
        NotFoundError, ContentError, UnavailableError: as in `open_master_key`.
    """
    return _existing(state_dir / PSEUDONYM_FILE)


def open_own_key(path: Path) -> bytes:
    """A key of one process alone, which no other ever needs: drawn at its first start, 32 bytes.

    Raises:
        ContentError: its file can be read by others, or is no key.
        UnavailableError: it cannot be read or written.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            _draw(path)
        return _read(path)
    except OSError as error:
        raise UnavailableError(f"{path}: the key cannot be read or written: {error.strerror}") from error


def _existing(path: Path) -> bytes:
    try:
        return _read(path)
    except FileNotFoundError as error:
        raise NotFoundError(
            f"{path} is missing: put it here from where `breachwatch keys` made it; every machine has the same one"
        ) from error
    except OSError as error:
        raise UnavailableError(f"{path} cannot be read: {error.strerror}") from error


def open_keys(state_dir: Path, *, must_exist: bool = False) -> Keys:
    """Read both keys; at the very first start they are drawn, and stored for their owner's eyes only.

    Two processes that start at once end up with the same keys.

    Args:
        state_dir: where they lie.
        must_exist: draw none and make no folder; whoever only reads has no use for new ones.

    Raises:
        NotFoundError: `must_exist`, and one of them is not there.
        ContentError: a key file can be read by others, is no key, or is missing while its sibling is there.
        UnavailableError: the folder cannot be written or a file cannot be read.
    """
    master, pseudonym = state_dir / MASTER_FILE, state_dir / PSEUDONYM_FILE
    if must_exist:
        _require(state_dir, master, pseudonym)
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        if master.exists() and not pseudonym.exists():
            raise _problem(pseudonym, "is missing", "restore it from your copy; a new one would know nobody")
        for path in (pseudonym, master):
            if not path.exists():
                _draw(path)
        return Keys(master=_read(master), pseudonym=_read(pseudonym))
    except OSError as error:
        place = error.filename or state_dir
        raise UnavailableError(f"{place}: the keys cannot be read or written: {error.strerror}") from error


def _require(state_dir: Path, *paths: Path) -> None:
    missing = [path.name for path in paths if not path.exists()]
    if len(missing) == len(paths):
        raise NotFoundError(
            f"there is no state in {state_dir} yet: `breachwatch up` makes it, and so does `breachwatch member add`"
        )
    if missing:
        raise NotFoundError(
            f"{state_dir / missing[0]} is missing: put it back from your copy; a new one would open and prove nothing"
        )


def _draw(path: Path) -> None:
    """Store a new key whole or not at all; whoever comes second keeps the first one's."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(os.urandom(KEY_SIZE_BYTES).hex() + "\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        mode = stat.S_IMODE(status.st_mode)
        if mode & _not_for_others(status.st_uid):
            raise _problem(path, f"can be read by others (mode {mode:04o})", f"chmod 600 {path}")
        text = file.read(4 * KEY_SIZE_BYTES)
    try:
        key = bytes.fromhex(text.decode("ascii").strip())
    except ValueError:
        key = b""
    if len(key) != KEY_SIZE_BYTES:
        raise _problem(path, "is not a key", f"it must hold {2 * KEY_SIZE_BYTES} hexadecimal digits")
    return key


def _not_for_others(owner: int) -> int:
    """What a key file may not let anybody do.

    A file of root's may be read by our group: so are secrets mounted for who is not root, as Kubernetes does
    (`fsGroup`).
    """
    return 0o037 if owner == 0 and os.geteuid() != 0 else 0o077


def _problem(path: Path, message: str, hint: str) -> ContentError:
    return ContentError([Problem(str(path), 0, 0, message, hint)])
