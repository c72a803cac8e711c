"""Where a process of this machine says how it is doing, and what it says there."""

import http.client
import json
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from breachwatch.kernel.errors import UnavailableError
from breachwatch.settings import ObserveSection, Role, Settings, read_secret

PATIENCE_SECONDS = 8.0
"""Longer than any check of a part may take."""


@dataclass(frozen=True, slots=True)
class Health:
    """What `/readyz` told. `parts`: each with `ready`, or why it is not."""

    ready: bool
    role: str
    parts: dict[str, str]


def ask_health(settings: Settings, role: Role) -> Health:
    """Ask the process of this role, on this machine, whether it can work.

    Raises:
        UnavailableError: nobody answers there, or somebody else does.
        ContentError: the token or the certificate cannot be read.
    """
    url = urlsplit(address_of(settings, role))
    section = settings.observe
    headers = {}
    if section.metrics_token_file:
        headers["Authorization"] = f"Bearer {read_secret(section.metrics_token_file)}"
    connection: http.client.HTTPConnection
    host, port = url.hostname or "", url.port or 0
    if section.certificate_file:
        read_secret(section.certificate_file)
        connection = http.client.HTTPSConnection(host, port, timeout=PATIENCE_SECONDS, context=_own(section))
    else:
        connection = http.client.HTTPConnection(host, port, timeout=PATIENCE_SECONDS)
    try:
        connection.request("GET", "/readyz", headers=headers)
        told: Any = json.loads(connection.getresponse().read(1 << 20))
        found = Health(bool(told["ready"]), str(told["role"]), dict(told.get("parts", {})))
    except (OSError, http.client.HTTPException) as error:
        raise UnavailableError(f"nobody answers at {url.geturl()}: {type(error).__name__}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UnavailableError(f"what answers at {url.geturl()} is not breachwatch") from error
    finally:
        connection.close()
    if found.role != role:
        raise UnavailableError(f"what answers at {url.geturl()} is a {found.role}, not a {role}")
    return found


def _own(section: ObserveSection) -> ssl.SSLContext:
    """Trust this process's own certificate, whatever name is in it: it is asked on this machine."""
    context = ssl.create_default_context(cafile=str(section.certificate_file))
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def address_of(settings: Settings, role: Role) -> str:
    """Where a process of this role on this machine is asked: as it noted itself, else where it should be."""
    try:
        noted = note_of(settings, role).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        noted = ""
    return noted or url_of(settings.observe, settings.observe.port_of(role))


def url_of(section: ObserveSection, port: int) -> str:
    """The address on this machine of who listens at this port."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(section.host, section.host)  # noqa: S104 - asked, not bound
    return f"{'https' if section.certificate_file else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"


def note_of(settings: Settings, role: Role) -> Path:
    """The file in which a process notes its address."""
    number = settings.observe.number
    return settings.state_dir / "observe" / f"{role}{f'-{number}' if number else ''}.url"
