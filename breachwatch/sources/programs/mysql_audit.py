"""The audit logs of MySQL's family: MariaDB's server_audit (also of Amazon RDS and Aurora), and Percona's and Oracle's.

Every reader gives `(time, zone beside it or None, fields)`, the time as text or as microseconds since 1970; or None
when the record is of another kind.
"""

import re
from collections.abc import Mapping
from typing import Any

from breachwatch.sources.formats.endpoints import put_client, unmapped
from breachwatch.sources.formats.outcomes import Fields
from breachwatch.sources.programs.databases import put_command, put_login, put_statement

Audited = tuple[str | int, str | None, Fields]

_SERVER_AUDIT = re.compile(
    r"(?:(\d{8}) {1,2}(\d{1,2}:\d\d:\d\d)|(\d{16})),([^,]*),([^,]*),([^,]*),(\d{1,18}),(\d{1,18}),([A-Z_]{4,20}),"
    r"([^,]*),(?:'((?:[^'\\]|\\.|'(?!,\d+(?:,|$)))*)'|([^,]*)),(\d{1,10})?(?:,.*)?",
    re.ASCII | re.DOTALL,
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
_PERCONA_USER = re.compile(r"(.*?)\[(.*?)\] @ (.*?) \[(.*)\]", re.DOTALL)


def from_server_audit(text: str) -> Audited | None:
    """A line of server_audit: `20260327 13:06:56,db1,ana,192.0.2.7,12,34,QUERY,shop,'select 1',0`."""
    found = _SERVER_AUDIT.fullmatch(text)
    if found is None:
        return None
    date, clock, micros, server, user, host, connection, query, operation, database, quoted, bare, code = found.groups()
    fields: Fields = {"server": server, "connection_id": int(connection), "query_id": int(query)}
    fields["operation"], fields["retcode"] = operation, int(code or 0)
    put_client(fields, (unmapped(host), None))
    for name, value in (("user", user), ("dbname", database)):
        if value:
            fields[name] = value
    object_name = _ESCAPED.sub(lambda one: _ESCAPES.get(one[1], one[1]), quoted) if quoted is not None else bare
    _operation(operation, object_name or "", fields)
    if micros:
        return int(micros), None, fields
    clock = clock if clock[2] == ":" else f"0{clock}"
    return f"{date[:4]}-{date[4:6]}-{date[6:]} {clock}", None, fields


def _operation(operation: str, text: str, fields: Fields) -> None:
    failed = fields["retcode"] != 0
    if operation in {"CONNECT", "FAILED_CONNECT", "PROXY_CONNECT"}:
        put_login(fields, succeeded=operation != "FAILED_CONNECT" and not failed)
    elif operation == "DISCONNECT":
        fields["action"], fields["activity_id"] = "disconnected", 3
    elif operation.startswith("QUERY"):
        put_statement(text, fields)
        _status(fields, failed=failed)
    else:
        fields["action"] = "audit"
        if text:
            fields["object_name"] = text
        put_command(operation, fields)
        _status(fields, failed=failed)


def _status(fields: Fields, *, failed: bool) -> None:
    fields["status"], fields["status_id"] = ("Failure", 2) if failed else ("Success", 1)


def from_json(record: Mapping[str, Any]) -> Audited | None:
    """A JSON object of Percona's audit_log or of MySQL Enterprise Audit."""
    inner = record.get("audit_record")
    if isinstance(inner, Mapping):
        return _percona(inner)
    return _enterprise(record) if "class" in record and "event" in record else None


def _percona(record: Mapping[str, Any]) -> Audited:
    fields: Fields = {}
    name, status = _text(record.get("name")), record.get("status")
    found = _PERCONA_USER.fullmatch(_text(record.get("user")))
    user = found[1] if found else _text(record.get("user") or record.get("priv_user"))
    _put(fields, record, operation="name", command_class="command_class", dbname="db", server_version="mysql_version")
    _put(fields, record, record="record", connection_id="connection_id", os_user="os_user", object_name="table")
    if user:
        fields["user"] = user
    put_client(fields, (unmapped(_text(record.get("ip") or record.get("host"))), None))
    failed = str(status or 0) != "0"
    fields["retcode"] = status if isinstance(status, int) else 0
    if name in {"Connect", "Change user"}:
        put_login(fields, succeeded=not failed)
    elif name in {"Query", "Execute", "Prepare"}:
        put_statement(_text(record.get("sqltext")), fields)
        _status(fields, failed=failed)
    else:
        fields["action"] = {"Quit": "disconnected"}.get(name, "audit")
    return _text(record.get("timestamp")).removesuffix(" UTC").removesuffix("Z"), "UTC", fields


def _enterprise(record: Mapping[str, Any]) -> Audited:
    fields: Fields = {}
    _put(fields, record, operation="class", event="event", connection_id="connection_id")
    account, login = _object(record, "account"), _object(record, "login")
    connection, general, table = (_object(record, f"{kind}_data") for kind in ("connection", "general", "table_access"))
    user = _text(login.get("user") or account.get("user"))
    if user:
        fields["user"] = user
    host = _text(login.get("ip") or login.get("host") or account.get("host"))
    put_client(fields, (unmapped(host), None))
    _put(fields, connection | table, dbname="db", object_name="table")
    statement = _text(general.get("query") or table.get("query"))
    code = connection.get("status", general.get("status", 0))
    fields["retcode"] = code if isinstance(code, int) else 0
    failed = fields["retcode"] != 0
    if record["class"] == "connection" and record["event"] == "connect":
        put_login(fields, succeeded=not failed)
    elif statement:
        put_statement(statement, fields, "audit" if table else "statement")
        _status(fields, failed=failed)
    else:
        fields["action"] = "disconnected" if record["event"] == "disconnect" else "audit"
    return _text(record.get("timestamp")), "UTC", fields


def _put(fields: Fields, record: Mapping[str, Any], /, **names: str) -> None:
    for name, key in names.items():
        value = record.get(key)
        if isinstance(value, str | int) and value != "":
            fields[name] = value


def _object(record: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = record.get(key)
    return dict(value) if isinstance(value, Mapping) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
