"""Mail servers: guesses and logins of Dovecot, Postfix, Exim and Sendmail, whoever writes the line's head."""

from collections.abc import Callable
from typing import Any

import pytest

Fields = Callable[..., dict[str, Any]]
HEAD = "Mar 27 13:06:56 mx "
FAILED = {"action": "auth_failed", "status": "Failure", "src_ip": "192.0.2.7"}
WHO = "user=<ana>, method=PLAIN, rip=192.0.2.7, lip=198.51.100.1, TLS, session=<x>"


@pytest.mark.parametrize(
    "line",
    [
        f"{HEAD}dovecot: imap-login: Disconnected (auth failed, 1 attempts in 2 secs): {WHO}",
        f"{HEAD}dovecot[7]: pop3-login: Info: Login aborted: x: (y) (auth failed, 3 attempts) (auth_failed): {WHO}",
        f"Mar 27 13:06:56 imap-login: Info: Aborted login (auth failed, 1 attempts): {WHO}",
        f"{HEAD}dovecot: auth-worker(3): conn unix:auth-worker (pid=2,uid=9): auth-worker<5>: pam(ana,192.0.2.7): "
        "unknown user",
        f"{HEAD}dovecot: auth: ldap(ana,192.0.2.7,<x>): Password mismatch (for LDAP bind) (given password: y)",
        "Mar 27 13:06:56 auth(ana,192.0.2.7,sasl:login)<a+/b>: Info: sql: Password mismatch",
        "2026-03-27 13:06:56 auth-worker(default): Info: pam(ana,192.0.2.7): pam_authenticate() failed: x",
        f"{HEAD}postfix/smtpd[3]: warning: unknown[192.0.2.7]: SASL LOGIN authentication failed: x, sasl_username=ana",
        "2026-03-27 13:06:56 plain authenticator failed for (x) [192.0.2.7]:55: 535 Incorrect authentication data "
        "(set_id=ana)",
        f"{HEAD}sm-mta[3]: r2A: AUTH failure (LOGIN): x, user=ana, relay=h [192.0.2.7]",
    ],
)
def test_a_failed_guess_is_one_whichever_server_tells_it(fields: Fields, at: Callable[..., str], line: str) -> None:
    assert fields("mail-server", line).items() >= (FAILED | {"user": "ana"}).items()
    assert at("mail-server", line) == "2026-03-27T13:06:56Z"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (f"dovecot: imap-login: Login: {WHO}", {"action": "login", "status": "Success", "user": "ana"}),
        (f"dovecot: imap-login: Disconnected (no auth attempts): {WHO}", {"action": "no_attempt"}),
        (
            "dovecot: imap(ana)<12><a/b>: Disconnected: Logged out in=10 out=20000",
            {"action": "session_closed", "user": "ana", "bytes_out": 20000},
        ),
        (
            "postfix/smtpd[3]: 3F1: client=h.example.com[192.0.2.7], sasl_method=PLAIN, sasl_username=ana",
            {"action": "login", "status": "Success", "user": "ana", "src_host": "h.example.com"},
        ),
        (
            "postfix/smtpd[3]: NOQUEUE: reject: RCPT from unknown[192.0.2.7]: 554 5.7.1 no; from=<a@example.com> "
            "to=<b@example.com> proto=ESMTP helo=<h>",
            {"action": "rejected", "stage": "RCPT", "to": "b@example.com", "helo": "h"},
        ),
        ("postfix/smtpd[3]: lost connection after AUTH from unknown[192.0.2.7]", {"action": "lost"}),
        ("postfix/qmgr[3]: 3F1: removed", {"action": "other", "program": "qmgr"}),
    ],
)
def test_what_servers_say_is_told_apart(fields: Fields, line: str, expected: dict[str, Any]) -> None:
    found = fields("mail-server", HEAD + line)
    assert found.items() >= expected.items()
    assert ("status" in found) == ("status" in expected)


@pytest.mark.parametrize(
    ("said", "action", "user"),
    [
        ("<= ana@example.com H=h [192.0.2.7] P=esmtpsa A=plain:ana S=12", "login", "ana"),
        ("H=h.example.com [192.0.2.7]:35 F=<a@example.com> rejected RCPT <b@example.com>: no", "rejected", None),
        ("Completed", "other", None),
    ],
)
def test_exims_own_log_is_read(fields: Fields, said: str, action: str, user: str | None) -> None:
    found = fields("mail-server", f"2026-03-27 13:06:56 1VxPit-000MMd-U4 {said}")
    assert (found["action"], found.get("user"), found["program"]) == (action, user, "exim")


def test_multilogs_labels_are_ten_seconds_ahead_of_utc(at: Callable[..., str]) -> None:
    line = f"@400000004c91b044077a9e94 imap-login: Info: Aborted login (auth failed, 1 attempts): {WHO}"
    assert at("mail-server", line) == "2010-09-16T05:50:50.125476Z"
