"""The rules of the bench: a folder of real ones, and generated ones for web, logins, an application and CloudTrail.

Generated rules are as people write them: an action or a service, a few words in a field, exceptions. Nearly all ask for
words that hardly ever occur, as rules do; the first ten, which are in every set, are those that find something.
"""

import hashlib
import tarfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import yaml

from bench.detection.words import FOLDERS, NAMES, hexed

COUNTS = (10, 100, 1000, 2800)
"""How many generated rules there are in the sets."""

_WEB = {"category": "webserver"}
_AUTH = {"product": "linux", "service": "auth"}
_APP = {"product": "breachwatch", "category": "application"}
_TRAIL = {"product": "aws", "service": "cloudtrail"}

Detection = dict[str, Any]

_FIRST: list[tuple[dict[str, str], Detection]] = [
    (_WEB, {"selection": {"cs-uri-query|contains": ["UNION%20SELECT", "SLEEP("]}, "condition": "selection"}),
    (_WEB, {"selection": {"cs-uri-query|contains": ["../..", "/etc/passwd", "/etc/shadow"]}, "condition": "selection"}),
    (_WEB, {"keywords": ["${jndi:ldap:", "${jndi:rmi:"], "condition": "keywords"}),
    (_WEB, {"selection": {"cs-user-agent|startswith": ["sqlmap", "nikto"]}, "condition": "selection"}),
    (
        _AUTH,
        {"selection": {"program": "sshd", "message|contains": "Failed password for root"}, "condition": "selection"},
    ),
    (
        _AUTH,
        {
            "selection": {"program": "sudo"},
            "filter": {"message|contains": "systemctl"},
            "condition": "selection and not filter",
        },
    ),
    (_APP, {"selection": {"action": "report.export", "outcome": "failure"}, "condition": "selection"}),
    (_APP, {"selection": {"action": "record.read", "records|gte": 15}, "condition": "selection"}),
    (
        _TRAIL,
        {
            "selection": {"eventSource": "cloudtrail.amazonaws.com", "eventName": ["StopLogging", "DeleteTrail"]},
            "condition": "selection",
        },
    ),
    (
        _TRAIL,
        {
            "selection": {"eventName": ["CreateAccessKey", "UpdateLoginProfile"]},
            "filter": {"userIdentity.type": "AWSService"},
            "condition": "selection and not filter",
        },
    ),
]


def unpacked(archive: Path, cache: Path) -> Path:
    """The folder that an archive of rules unpacks to, made once; a folder is taken as it is."""
    if archive.is_dir():
        return archive
    folder = cache / f"rules-{hashlib.sha256(archive.read_bytes()).hexdigest()[:12]}"
    if not folder.is_dir():
        part = folder.with_suffix(".part")
        with tarfile.open(archive) as tar:
            tar.extraction_filter = getattr(tarfile, "data_filter", None)  # Python 3.11.4 and later
            tar.extractall(part)  # noqa: S202 - the archive is the corpus whose digest names the folder
        part.rename(folder)
    return folder


def made(count: int, cache: Path) -> Path:
    """A folder of so many generated rules; a larger set begins with the smaller one."""
    documents = [yaml.safe_dump(rule(number), sort_keys=False, width=1000) for number in range(count)]
    digest = hashlib.sha256("".join(documents).encode()).hexdigest()[:12]
    folder = cache / f"rules-made-{count}-{digest}"
    if not folder.is_dir():
        part = folder.with_suffix(".part")
        part.mkdir(parents=True, exist_ok=True)
        for number, document in enumerate(documents):
            (part / f"rule_{number:04}.yml").write_text(document, encoding="utf-8")
        part.rename(folder)
    return folder


def rule(number: int) -> dict[str, Any]:
    """The generated rule of this number, always the same."""
    rng = Random(f"rule {number}")  # noqa: S311
    logsource, detection = _FIRST[number] if number < len(_FIRST) else _KINDS[number % len(_KINDS)](rng)
    return {
        "title": f"Generated rule {number}",
        "id": f"00000000-0000-4000-8000-{number:012}",
        "status": "test",
        "description": "Made for measuring.",
        "logsource": logsource,
        "detection": detection,
        "level": "medium",
    }


def _word(rng: Random) -> str:
    """Something to look for that hardly ever occurs, though its beginning often does."""
    return f"{rng.choice(NAMES).split()[0]}{rng.choice('-_./')}{hexed(rng, 3 + int(rng.random() * 5)).lower()}"


def _words(rng: Random) -> list[str]:
    return [_word(rng) for _ in range(1 + int(rng.random() * 8))]


def _uri(rng: Random) -> tuple[dict[str, str], Detection]:
    return _WEB, {
        "selection": {"cs-method": rng.choice(("GET", "POST")), "cs-uri-query|contains": _words(rng)},
        "filter": {"sc-status": [404, 403]},
        "condition": "selection and not filter" if rng.random() < 0.5 else "selection",
    }


def _page(rng: Random) -> tuple[dict[str, str], Detection]:
    end = [f".{hexed(rng, 4).lower()}.bak", f"/{_word(rng)}.php"]
    return _WEB, {
        "place": {"cs-uri-stem|endswith": end},
        "tool": {"cs-user-agent|contains": _words(rng)},
        "condition": "place or tool",
    }


def _message(rng: Random) -> tuple[dict[str, str], Detection]:
    return _AUTH, {
        "selection": {
            "program": rng.choice(("sshd", "sudo", "systemd-logind")),
            "message|contains|all": _words(rng)[:3],
        },
        "condition": "selection",
    }


def _command(rng: Random) -> tuple[dict[str, str], Detection]:
    words = _words(rng)
    return _AUTH, {
        "start": {"message|contains": [f"COMMAND=/usr/bin/{word}" for word in words]},
        "pattern": {"message|re": f"COMMAND=.{{0,40}}/{hexed(rng, 4).lower()}[0-9]+"},
        "condition": "1 of them",
    }


def _action(rng: Random) -> tuple[dict[str, str], Detection]:
    return _APP, {
        "selection": {
            "action": f"{rng.choice(('record', 'report', 'user', 'export'))}.{_word(rng)}",
            "records|gte": 1 + int(rng.random() * 50),
        },
        "filter": {"actor.type": "service"},
        "condition": "selection and not filter",
    }


def _object(rng: Random) -> tuple[dict[str, str], Detection]:
    return _APP, {
        "selection": {
            "action": "record.read",
            "object.type": rng.choice(("customer", "order", "invoice")),
            "object.id|startswith": f"{hexed(rng, 3)}-",
        },
        "condition": "selection",
    }


def _call(rng: Random) -> tuple[dict[str, str], Detection]:
    service = rng.choice(("s3", "iam", "ec2", "rds", "kms", "sts", "lambda", "glacier", "route53", "organizations"))
    verbs = rng.sample(("Delete", "Put", "Update", "Modify", "Create", "Attach", "Detach", "Disable"), 3)
    things = [f"{verb}{rng.choice(FOLDERS).split()[0]}{hexed(rng, 2)}" for verb in verbs]
    return _TRAIL, {
        "selection": {"eventSource": f"{service}.amazonaws.com", "eventName": things},
        "condition": "selection",
    }


def _bucket(rng: Random) -> tuple[dict[str, str], Detection]:
    return _TRAIL, {
        "selection": {"eventName": ["GetObject", "PutObject"], "requestParameters.key|contains": _words(rng)},
        "filter": {"sourceIPAddress|cidr": "10.0.0.0/8"},
        "condition": "selection and not filter",
    }


_KINDS: list[Callable[[Random], tuple[dict[str, str], Detection]]] = [
    _uri,
    _message,
    _action,
    _call,
    _page,
    _command,
    _object,
    _bucket,
]
