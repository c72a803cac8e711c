"""Records of the audit daemon: decoded, typed, and told apart where one failed guess is told twice."""

from collections.abc import Callable
from typing import Any

import pytest

from breachwatch.sources.event import Dead, Ignored, Outcome
from breachwatch.sources.source import Source

Fields = Callable[..., dict[str, Any]]
HEAD = "msg=audit(1774616816.039:3210): "


def test_a_system_call_has_numbers_texts_and_a_name(fields: Fields, at: Callable[..., str]) -> None:
    line = (
        f"type=SYSCALL {HEAD}arch=c000003e syscall=59 success=yes exit=0 a0=2697508 a1=26aa0 pid=7 auid=1000 "
        'comm="ls" exe="/usr/bin/ls" key=(null)'
    )
    found = fields("linux-auditd", line)
    assert (found["SYSCALL"], found["pid"], found["a0"], found["exe"]) == ("execve", 7, "2697508", "/usr/bin/ls")
    assert (found["serial"], "key" in found) == (3210, False)
    assert at("linux-auditd", line) == "2026-03-27T13:06:56.039000Z"


@pytest.mark.parametrize("separator", ["\x1d", ""])
def test_enriched_names_are_kept_even_where_the_separator_is_lost(fields: Fields, separator: str) -> None:
    found = fields("linux-auditd", f'type=PATH {HEAD}item=0 name="/x" mode=0100755 cap_frootid=0{separator}OUID="root"')
    assert (found["cap_frootid"], found["OUID"], found["mode"]) == (0, "root", "0100755")


@pytest.mark.parametrize(
    ("record", "field", "value"),
    [
        ('type=EXECVE {}argc=2 a0="cat" a1=2F6D792066696C65', "cmdline", "cat /my file"),
        ("type=PROCTITLE {}proctitle=636174002F657463", "proctitle", "cat /etc"),
        ("type=USER_CMD {}pid=1 msg='cwd=\"/\" cmd=6C73202D6C res=success'", "cmd", "ls -l"),
        ("type=SYSCALL {}a0=6C73 comm=6C73", "comm", "ls"),
        ("type=SYSCALL {}a0=6C73", "a0", "6C73"),  # an argument of a call is a number
        ("type=AVC {}avc:  denied  {{ read open }} for  pid=3", "permissions", "read open"),
    ],
)
def test_what_is_written_in_digits_is_decoded(fields: Fields, record: str, field: str, value: str) -> None:
    assert fields("linux-auditd", record.format(HEAD))[field] == value


@pytest.mark.parametrize(
    ("kind", "result", "status"),
    [
        ("USER_AUTH", "success", "Success"),
        ("USER_AUTH", "failed", "Failure"),
        ("USER_ERR", "failed", "Failure"),
        ("USER_LOGIN", "success", "Success"),
        ("USER_LOGIN", "failed", None),  # the same guess, told by USER_AUTH before
        ("ADD_USER", "success", "Success"),
    ],
)
def test_one_failed_guess_is_one_failure(fields: Fields, kind: str, result: str, status: str | None) -> None:
    said = f"type={kind} {HEAD}pid=1 uid=0 msg='op=x acct=\"ana\" hostname=? addr=192.0.2.7 terminal=ssh res={result}'"
    found = fields("linux-auditd", said)
    assert (found.get("status"), found["acct"]) == (status, "ana")
    assert found["src_ip"] == "192.0.2.7"


def test_syslog_and_the_kernel_may_bring_records(fields: Fields, parse: Callable[..., Outcome]) -> None:
    assert fields("linux-auditd", f"Mar 27 13:06:56 web audispd: node=web type=LOGIN {HEAD}pid=7")["type"] == "LOGIN"
    kernel = 'Mar 27 13:06:56 web kernel: [1.1] audit: type=1400 audit(1774616816.039:13): apparmor="DENIED"'
    assert fields("linux-auditd", kernel)["apparmor"] == "DENIED"
    assert parse("linux-auditd", "Mar 27 13:06:56 web cron[1]: x") == Ignored("not auditd")
    assert parse("linux-auditd", "nothing of it") == Dead("not an audit record")


def test_logins_are_authentication_and_calls_are_processes(source: Callable[..., Source], parse: Any) -> None:
    auditd = source("linux-auditd")
    login = auditd.to_ocsf(
        parse("linux-auditd", f"type=USER_AUTH {HEAD}pid=1 msg='acct=\"ana\" addr=192.0.2.7 res=failed'")
    )
    call = auditd.to_ocsf(parse("linux-auditd", f'type=SYSCALL {HEAD}pid=7 exe="/bin/x"'))
    assert (login["class_uid"], login["user"]["name"], login["src_endpoint"]["ip"]) == (3002, "ana", "192.0.2.7")
    assert (call["class_uid"], call["process"]["file"]["path"]) == (1007, "/bin/x")
