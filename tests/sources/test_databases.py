"""PostgreSQL and MySQL: the same guess, login and statement in every form that their logs have."""

from collections.abc import Callable
from typing import Any

import pytest

from breachwatch.sources.event import Dead, Ignored, Outcome
from breachwatch.sources.source import Source

Fields = Callable[..., dict[str, Any]]
SAYS = 'FATAL:  password authentication failed for user "ana"'


@pytest.mark.parametrize(
    "line",
    [
        f"2026-03-27 14:06:56.536 CET [147] ana@shop 192.0.2.7 {SAYS}",
        f"2026-03-27 13:06:56.536 UTC:192.0.2.7(5432):ana@shop:[147]:{SAYS}",
        f"192.0.2.7 2026-03-27 13:06:56.536 UTC [147] ana@shop {SAYS}",
        f"2026-03-27 15:06:56.536 +02 [147]: [3-1] user=ana,db=shop,app=psql,client=192.0.2.7 {SAYS}",
        '2026-03-27 13:06:56.536 UTC,"ana","shop",147,"192.0.2.7:4711",5f,1,"authentication",2026-03-27 13:06:56 UTC,'
        '3/4,0,FATAL,28P01,"password authentication failed for user ""ana""",,,,,,,,,"","client backend",,0',
        '{"timestamp":"2026-03-27 13:06:56.536 GMT","user":"ana","dbname":"shop","pid":147,"remote_host":"192.0.2.7",'
        '"error_severity":"FATAL","message":"password authentication failed for user \\"ana\\""}',
    ],
)
def test_postgresql_tells_a_failed_login_in_every_form(fields: Fields, at: Callable[..., str], line: str) -> None:
    found = fields("postgresql", line)
    assert (found["action"], found["status"], found["detail"]) == ("login_failed", "Failure", "rejected")
    assert (found["user"], found["dbname"], found["src_ip"], found["pid"]) == ("ana", "shop", "192.0.2.7", 147)
    assert at("postgresql", line) == "2026-03-27T13:06:56.536000Z"


PG = "2026-03-27 13:06:56.536 UTC [147] ana@shop "


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (
            'FATAL:  no pg_hba.conf entry for host "192.0.2.7", user "bob", database "x", no encryption',
            {"action": "login_failed", "user": "bob", "dbname": "x", "src_ip": "192.0.2.7"},
        ),
        ('FATAL:  role "bob" does not exist', {"action": "login_failed", "user": "bob", "detail": "unknown user"}),
        (
            "LOG:  connection authorized: user=ana database=shop application_name=psql SSL enabled (x)",
            {"action": "login", "status": "Success", "application_name": "psql"},
        ),
        ("LOG:  connection received: host=192.0.2.7 port=4711", {"action": "connected", "src_port": 4711}),
        (
            "LOG:  disconnection: session time: 0:00:01.2 user=ana database=shop host=192.0.2.7 port=4711",
            {"action": "disconnected", "activity_id": 2},
        ),
        (
            "LOG:  duration: 0.12 ms  statement: select * from people",
            {"action": "statement", "command": "SELECT", "duration_ms": 0.12, "activity_id": 1},
        ),
        ("LOG:  execute <unnamed>: /* x */ DELETE FROM a", {"command": "DELETE", "activity_id": 7}),
        ("ERROR:  permission denied for table people", {"action": "denied", "object_name": "people"}),
        ("ERROR:  syntax error at or near x", {"action": "error", "status": "Failure"}),
        ("STATEMENT:  select 1", {"action": "failed_statement", "statement": "select 1"}),
        (
            'LOG:  AUDIT: SESSION,1,1,READ,SELECT,TABLE,public.people,"select a, b",<not logged>,100',
            {
                "action": "audit",
                "audit_class": "READ",
                "object_name": "public.people",
                "statement": "select a, b",
                "rows": 100,
            },
        ),
        ("LOG:  checkpoint starting: time", {"action": "other"}),
    ],
)
def test_postgresql_messages_are_understood(fields: Fields, said: str, expected: dict[str, Any]) -> None:
    assert fields("postgresql", PG + said).items() >= expected.items()


def test_postgresql_continued_lines_are_no_events(parse: Callable[..., Outcome]) -> None:
    assert parse("postgresql", "\tFROM people") == Ignored("goes on from the line before")
    assert parse("postgresql", "nothing of it") == Dead("not a PostgreSQL log line")


@pytest.mark.parametrize(
    "line",
    [
        "2026-03-27T13:06:56.000000Z 344 [Note] [MY-010926] [Server] Access denied for user 'ana'@'192.0.2.7' (using"
        " password: YES)",
        "2026-03-27 13:06:56 140 [Warning] Access denied for user 'ana'@'192.0.2.7' (using password: YES)",
        "260327 13:06:56 [Warning] Access denied for user 'ana'@'192.0.2.7' (using password: YES)",
        "Mar 27 13:06:56 db mysqld[7]: 2026-03-27T13:06:56.0Z 3 [Note] Access denied for user 'ana'@'192.0.2.7' (using"
        " password: YES)",
        "2026-03-27T13:06:56.000000Z\t   12 Connect\tAccess denied for user 'ana'@'192.0.2.7' (using password: YES)",
        "20260327 13:06:56,db1,ana,192.0.2.7,12,0,FAILED_CONNECT,,,1045",
        "1774616816000000,db1,ana,192.0.2.7,12,0,FAILED_CONNECT,,,1045",
        '{"timestamp":"2026-03-27 13:06:56","class":"connection","event":"connect","login":{"user":"ana","ip":'
        '"192.0.2.7"},"connection_data":{"status":1045}}',
        '{"audit_record":{"name":"Connect","timestamp":"2026-03-27T13:06:56Z","status":1045,"user":"ana",'
        '"ip":"192.0.2.7"}}',
    ],
)
def test_mysql_tells_a_failed_login_in_every_form(fields: Fields, at: Callable[..., str], line: str) -> None:
    found = fields("mysql", line)
    assert (found["action"], found["status"]) == ("login_failed", "Failure")
    assert (found["user"], found["src_ip"]) == ("ana", "192.0.2.7")
    assert at("mysql", line) == "2026-03-27T13:06:56Z"


def test_a_name_written_like_mysqls_words_moves_no_address(fields: Fields) -> None:
    said = "Access denied for user 'x'@'198.51.100.9' (y'@'192.0.2.7' (using password: NO)"
    found = fields("mysql", f"2026-03-27 13:06:56 140 [Warning] {said}")
    assert (found["user"], found["src_ip"]) == ("x'@'198.51.100.9' (y", "192.0.2.7")


@pytest.mark.parametrize(
    ("line", "statement"),
    [
        (
            "20260327 13:06:56,db1,ana,192.0.2.7,12,34,QUERY,shop,'select \\'a, b\\', 1 from people',0",
            "select 'a, b', 1 from people",
        ),
        ("2026-03-27T13:06:56.0Z\t   12 Query\tselect * from people", "select * from people"),
        (
            '{"audit_record":{"name":"Query","timestamp":"2026-03-27T13:06:56 UTC","status":0,"sqltext":"select 1",'
            '"user":"ana[ana] @ web [192.0.2.7]","ip":"192.0.2.7","db":"shop"}}',
            "select 1",
        ),
    ],
)
def test_mysql_statements_are_datastore_activity(
    source: Callable[..., Source], parse: Any, line: str, statement: str
) -> None:
    ocsf = source("mysql").to_ocsf(parse("mysql", line))
    assert (ocsf["class_uid"], ocsf["activity_id"], ocsf["query_info"]) == (
        6005,
        1,
        {"query_string": statement, "name": "SELECT"},
    )


@pytest.mark.parametrize(
    ("said", "user", "detail"),
    [
        (
            "Login failed for user 'ana'. Reason: Password did not match. [CLIENT: 192.0.2.7]",
            "ana",
            "Password did not match.",
        ),
        ("Login failed for user 'O'Leary'. [CLIENT: 192.0.2.7]", "O'Leary", None),
    ],
)
def test_sql_server_tells_whose_login_failed(fields: Fields, said: str, user: str, detail: str | None) -> None:
    found = fields("mssql", f"2026-03-27 13:06:56.17 Logon       {said}")
    assert (found["user"], found["src_ip"], found["status"]) == (user, "192.0.2.7", "Failure")
    assert found.get("detail") == detail


def test_what_an_sql_server_line_holds_is_no_line_of_its_own(fields: Fields, parse: Callable[..., Outcome]) -> None:
    inner = "Logon       Login failed for user 'x'. [CLIENT: 198.51.100.9]"
    wrong = parse("mssql", f"2026-03-27 13:06:56.17 Wrong data received: {inner}")
    assert wrong == Dead("not an SQL Server line")
    assert fields("mssql", "2026-03-27 13:06:56.17 spid51      Starting up database 'shop'.")["action"] == "other"


@pytest.mark.parametrize(
    "line",
    [
        '{"t":{"$date":"2026-03-27T14:06:56.903+01:00"},"s":"I","c":"ACCESS","ctx":"conn1",'
        '"msg":"Authentication failed","attr":{"principalName":"ana","authenticationDatabase":"admin",'
        '"remote":"192.0.2.7:4071","error":"x"}}',
        "2026-03-27T14:06:56.903+0100 I  ACCESS   [conn5] SASL SCRAM-SHA-1 authentication failed for ana on admin from "
        "client 192.0.2.7:4071 ; x",
    ],
)
def test_mongodb_tells_a_failed_login_in_both_forms(fields: Fields, at: Callable[..., str], line: str) -> None:
    found = fields("mongodb", line)
    assert (found["user"], found["dbname"], found["src_ip"], found["src_port"]) == ("ana", "admin", "192.0.2.7", 4071)
    assert (found["status"], found["detail"], at("mongodb", line)) == ("Failure", "x", "2026-03-27T13:06:56.903000Z")
