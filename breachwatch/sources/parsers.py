"""The parsers of text logs by the name that definitions use; a new one is one line here."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import tzinfo

from breachwatch.sources import (
    apache,
    auditd,
    authlog,
    fail2ban,
    haproxy,
    iis,
    json_access,
    keycloak,
    mail,
    mysql,
    nginx,
    postgresql,
    s3_access,
    sshd,
)
from breachwatch.sources.event import Parse
from breachwatch.sources.source import Raw


@dataclass(frozen=True, slots=True)
class TextParser:
    """How the lines of one kind of text log are read.

    `make`: a parser for lines whose times without an offset are of the zone. `glance`: as `make`, but its events may
    have no fields. `raw`: how the values of events stand in their lines; None when nothing can be said of it.
    """

    make: Callable[[tzinfo], Parse]
    glance: Callable[[tzinfo], Parse] | None = None
    raw: Raw | None = None


PARSERS: dict[str, TextParser] = {
    "apache": TextParser(apache.parser),
    "auditd": TextParser(auditd.parser),
    "authlog": TextParser(authlog.parser),
    "caddy": TextParser(json_access.caddy),
    "fail2ban": TextParser(fail2ban.parser),
    "haproxy": TextParser(haproxy.parser),
    "iis": TextParser(iis.parser),
    "keycloak": TextParser(keycloak.parser),
    "mail": TextParser(mail.parser),
    "mysql": TextParser(mysql.parser),
    "nginx": TextParser(nginx.parser),
    "postgresql": TextParser(postgresql.parser),
    "s3-access": TextParser(s3_access.parser),
    "sshd": TextParser(sshd.parser),
    "traefik": TextParser(json_access.traefik),
}
