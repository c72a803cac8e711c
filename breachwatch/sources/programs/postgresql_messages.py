"""What PostgreSQL's messages mean: logins, refusals, statements, and pgaudit's entries."""

import re

from breachwatch.sources.formats.endpoints import put_client
from breachwatch.sources.formats.outcomes import AUTHENTICATION, Fields
from breachwatch.sources.programs.databases import put_command, put_login, put_statement, row_of

_REJECTED = re.compile(r'(\S+) authentication failed for user "(.*)"', re.DOTALL)
_HBA = re.compile(
    r"(?:no pg_hba\.conf entry for|pg_hba\.conf rejects) (?:replication connection |connection )?(?:for |from )?"
    r'host "([^"]*)", user "(.*?)"(?:, database "(.*?)")?(?:, .*)?',
    re.DOTALL,
)
_ABSENT = re.compile(r'(role|database) "(.*)" does not exist', re.DOTALL)
_NO_LOGIN = re.compile(r'role "(.*)" is not permitted to log in', re.DOTALL)
_RECEIVED = re.compile(r"connection received: host=(\S+)(?: port=(\d{1,5}))?")
_AUTHENTICATED = re.compile(r'connection authenticated: (?:identity|user)="(.*)" method=(\S+).*')
_AUTHORISED = re.compile(
    r"(?:replication )?connection authorized: user=(.*?)(?: database=(.*?))?(?: application_name=(.*?))?"
    r"(?: (?:SSL|GSS) .*)?"
)
_ENDED = re.compile(
    r"disconnection: session time: (\S+) user=(.*) database=(.*) host=(\S+)(?: port=(\d{1,5}))?", re.DOTALL
)
_DURATION = re.compile(r"duration: (\d+(?:\.\d+)?) ms(?:  (.*))?", re.DOTALL)
_STATEMENT = re.compile(r"(?:statement|(?:execute|parse|bind|execute fetch from) [^:]*): (.*)", re.DOTALL)
_DENIED = re.compile(r"permission denied for (\w+(?: \w+)?) (\S+)")
_AUDIT = (
    "audit_type",
    "statement_id",
    "substatement_id",
    "audit_class",
    "command",
    "object_type",
    "object_name",
    "statement",
    "parameter",
    "rows",
)


def understand(fields: Fields) -> None:
    """Put into fields what `message` says: `action`, and user, database, client, statement where it names them."""
    message = fields.get("message")
    severity = fields.get("error_severity")
    if type(message) is not str:
        fields["action"] = "other"
        return
    if severity in {"FATAL", "ERROR"}:
        if not _refused(message, fields):
            _failed(fields)
    elif severity == "STATEMENT":
        put_statement(message, fields, "failed_statement")
    elif message.startswith("AUDIT: "):
        _audit(message[7:], fields)
    elif not _logged(message, fields):
        fields["action"] = "other"


def _failed(fields: Fields) -> None:
    fields["action"], fields["status"], fields["status_id"] = "error", "Failure", 2


def _refused(message: str, fields: Fields) -> bool:
    if found := _REJECTED.fullmatch(message):
        fields["auth_method"], fields["user"] = found[1], found[2]
        put_login(fields, succeeded=False, detail="rejected")
    elif found := _HBA.fullmatch(message):
        put_client(fields, (found[1], None))
        fields["user"] = found[2]
        if found[3]:
            fields["dbname"] = found[3]
        put_login(fields, succeeded=False, detail="not allowed by pg_hba.conf")
    elif (found := _ABSENT.fullmatch(message)) and fields["error_severity"] == "FATAL":
        fields["user" if found[1] == "role" else "dbname"] = found[2]
        put_login(fields, succeeded=False, detail=f"unknown {'user' if found[1] == 'role' else 'database'}")
    elif found := _NO_LOGIN.fullmatch(message):
        fields["user"] = found[1]
        put_login(fields, succeeded=False, detail="not permitted to log in")
    elif found := _DENIED.match(message):
        _failed(fields)
        fields["action"], fields["object_type"], fields["object_name"] = "denied", found[1], found[2]
    else:
        return False
    return True


def _logged(message: str, fields: Fields) -> bool:
    if found := _DURATION.fullmatch(message):
        fields["duration_ms"], message = float(found[1]), found[2] or ""
        fields["action"] = "duration"
    if found := _STATEMENT.fullmatch(message):
        put_statement(found[1], fields)
    elif found := _AUTHORISED.fullmatch(message):
        for name, value in (("user", found[1]), ("dbname", found[2]), ("application_name", found[3])):
            if value:
                fields[name] = value
        put_login(fields, succeeded=True)
    elif found := _RECEIVED.fullmatch(message):
        fields["action"], fields["activity_id"] = "connected", 3
        put_client(fields, (found[1], int(found[2]) if found[2] else None))
    elif found := _AUTHENTICATED.fullmatch(message):
        fields["action"], fields["identity"], fields["auth_method"] = "authenticated", found[1], found[2]
    elif found := _ENDED.fullmatch(message):
        fields |= AUTHENTICATION
        fields["action"], fields["activity_id"], fields["session_time"] = "disconnected", 2, found[1]
        fields["user"], fields["dbname"] = found[2], found[3]
        put_client(fields, (found[4], int(found[5]) if found[5] else None))
    return "action" in fields


def _audit(text: str, fields: Fields) -> None:
    row = row_of(text)
    for name, value in zip(_AUDIT, row, strict=False):
        if value and value not in {"<none>", "<not logged>", "<previously logged>"}:
            number = value.isdecimal() and len(value) <= 18 and name in {"statement_id", "substatement_id", "rows"}
            fields[name] = int(value) if number else value
    fields["action"] = "audit"
    put_command(str(fields.get("command", "")).partition(" ")[0], fields)
