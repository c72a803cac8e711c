"""The parsers of text logs by the name that definitions use; a new one is one line here."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import tzinfo

from breachwatch.sources.event import Parse
from breachwatch.sources.formats import combined, json_access
from breachwatch.sources.programs import (
    apache,
    auditd,
    authlog,
    fail2ban,
    haproxy,
    iis,
    mail,
    mongodb,
    mssql,
    mysql,
    nginx,
    postgresql,
    sshd,
)
from breachwatch.sources.services import keycloak, s3_access
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


_CLASS = frozenset({"class_name", "class_uid", "category_name", "category_uid"})
_WORKED_OUT = _CLASS | {"action", "activity_id", "detail", "log", "status", "status_id"}
_MODSECURITY = frozenset({"modsec_tags", "modsec_message"})


def _text(*derived: str, pieced: frozenset[str] = frozenset()) -> Raw:
    return Raw("none", derived=frozenset(derived) | pieced, pieced=pieced)


PARSERS: dict[str, TextParser] = {
    "apache": TextParser(apache.parser, raw=_text(*_WORKED_OUT, *_MODSECURITY, pieced=frozenset({"message"}))),
    "auditd": TextParser(auditd.parser),
    "authlog": TextParser(authlog.parser, authlog.glance, _text(*authlog.DERIVED)),
    "caddy": TextParser(json_access.caddy, raw=Raw("json", derived=frozenset({"duration", "request"}))),
    "combined": TextParser(combined.parser, combined.glance, _text()),
    "fail2ban": TextParser(fail2ban.parser, raw=_text("action", "component", "message", "restored")),
    "haproxy": TextParser(haproxy.parser, raw=_text("log", "action", "tls", "time_taken_ms", "sc-status")),
    "iis": TextParser(iis.parser),
    "keycloak": TextParser(keycloak.parser),
    "mail": TextParser(mail.parser, raw=_text(*_WORKED_OUT, "program")),
    "mongodb": TextParser(mongodb.parser),
    "mssql": TextParser(mssql.parser),
    "mysql": TextParser(mysql.parser),
    "nginx": TextParser(nginx.parser, raw=_text(*_WORKED_OUT, *_MODSECURITY)),
    "postgresql": TextParser(postgresql.parser),
    "s3-access": TextParser(s3_access.parser),
    "sshd": TextParser(sshd.parser, sshd.glance, _text(*sshd.DERIVED)),
    "traefik": TextParser(json_access.traefik),
}
