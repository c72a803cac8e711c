"""What the logs of PostgreSQL and MySQL have in common: statements, and the OCSF words for what happened to data."""

import csv
import re

from breachwatch.sources.formats.outcomes import AUTHENTICATION, FAILURE, SUCCESS, Fields

_VERB = re.compile(r"(?:\s|/\*.*?\*/|--[^\n]*\n|\()*([A-Za-z]+)", re.DOTALL)
_OCSF = {"read": 1, "update": 2, "connect": 3, "query": 4, "write": 5, "create": 6, "delete": 7}
"""Activities of OCSF's Datastore Activity (6005)."""
_KINDS = {
    **dict.fromkeys(("SELECT", "SHOW", "TABLE", "VALUES", "FETCH", "DESCRIBE", "READ", "COPY"), "read"),
    **dict.fromkeys(("UPDATE", "ALTER", "RENAME", "MERGE", "GRANT", "REVOKE"), "update"),
    **dict.fromkeys(("INSERT", "REPLACE", "LOAD", "WRITE"), "write"),
    **dict.fromkeys(("DELETE", "TRUNCATE", "DROP"), "delete"),
    "CREATE": "create",
}
MAX_STATEMENT_CHARACTERS = 65_536


def row_of(text: str) -> list[str]:
    """The columns of a line of CSV; none when it is not one."""
    try:
        return next(csv.reader([text]), [])
    except csv.Error:
        return []


def put_statement(statement: str, fields: Fields, action: str = "statement") -> None:
    """Put an SQL statement into fields: `statement`, its first word as `command`, OCSF's `activity_id`, `action`."""
    fields["statement"], fields["action"] = statement[:MAX_STATEMENT_CHARACTERS], action
    if (found := _VERB.match(statement[:1024])) is not None:
        put_command(found[1].upper(), fields)


def put_command(command: str, fields: Fields) -> None:
    """Put the kind of a statement into fields: `SELECT` is OCSF's Read, and so on; others are its Query."""
    fields.setdefault("command", command)
    fields["activity_id"] = _OCSF[_KINDS.get(command, "query")]


def put_login(fields: Fields, *, succeeded: bool, detail: str = "") -> None:
    """Make an event one of OCSF's Authentication class."""
    fields |= AUTHENTICATION | (SUCCESS if succeeded else FAILURE)
    fields["action"] = "login" if succeeded else "login_failed"
    if detail:
        fields["detail"] = detail
