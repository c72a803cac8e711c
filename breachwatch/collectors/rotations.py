"""The older files beside a log: which are they, and in what order were they written."""

import os
import re
import stat
from typing import NamedTuple

from breachwatch.collectors.readers import Identity

_TAG = r"(?P<tag>[0-9][0-9._:TZ-]*|old|bak|prev)"


class Sibling(NamedTuple):
    """A file that rotation left beside a log. `number`: as in `auth.log.2`; `date`: digits as in `-20260327`."""

    path: str
    identity: Identity
    modified_ns: int
    number: int | None
    date: str

    @property
    def compressed(self) -> bool:
        """Whether it is read through gzip."""
        return self.path.endswith(".gz")


def siblings(path: str) -> list[Sibling]:
    """Rotated files of a log in its folder, oldest first; of a plain file and its `.gz` only the plain one.

    Known names: `auth.log.1`, `auth.log-20260327`, `auth.log.old`, `auth-20260327.log`, each also with `.gz`.

    Raises:
        OSError: the folder cannot be listed.
    """
    folder, base = os.path.split(path)
    found: list[Sibling] = []
    with os.scandir(folder or ".") as entries:
        for entry in entries:
            tag = rotation_tag(base, entry.name)
            if tag is None:
                continue
            try:
                about = entry.stat()
            except OSError:
                continue
            if stat.S_ISREG(about.st_mode):
                found.append(_sibling(entry.path, tag, about))
    plain = {one.path for one in found}
    return _in_order([one for one in found if one.path.removesuffix(".gz") not in plain - {one.path}])


def rotation_tag(base: str, name: str) -> str | None:
    """The part of a file name that rotation added to `base`; None when the name is no rotation of it."""
    if name == base or not name.startswith(base[:1]):
        return None
    stem, dot, extension = base.rpartition(".")
    appended = re.fullmatch(rf"{re.escape(base)}[._-]{_TAG}(?:\.gz)?", name)
    if appended:
        return appended["tag"]
    if not dot or not stem:
        return None
    inserted = re.fullmatch(rf"{re.escape(stem)}[._-]{_TAG}\.{re.escape(extension)}(?:\.gz)?", name)
    return inserted["tag"] if inserted and len(_digits(inserted["tag"])) >= 6 else None


def _digits(tag: str) -> str:
    return "".join(char for char in tag if char.isdigit())


def _sibling(path: str, tag: str, about: os.stat_result) -> Sibling:
    digits = _digits(tag)
    number = int(tag) if tag.isdigit() and len(tag) < 6 else None
    date = digits if number is None else ""
    return Sibling(path, (about.st_dev, about.st_ino), about.st_mtime_ns, number, date)


def _in_order(found: list[Sibling]) -> list[Sibling]:
    if all(one.number is not None for one in found):
        return sorted(found, key=lambda one: -(one.number or 0))
    if all(one.date for one in found):
        return sorted(found, key=lambda one: (one.date, one.path))
    return sorted(found, key=lambda one: (one.modified_ns, one.date, -(one.number or 0)))
