"""The authentication log, whole: who became root, who failed, whose account it is; one line heard, one thing said."""

from collections.abc import Callable
from typing import Any

import pytest

from breachwatch.sources.source import Source

Fields = Callable[..., dict[str, Any]]
HEAD = "Mar 27 13:06:56 shop "
FAILED = {"status": "Failure", "activity_id": 1}
PAM = "logname= uid=0 euid=0 tty=/dev/pts/0 ruser="


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "sudo:      ana : TTY=pts/0 ; PWD=/home/ana ; USER=root ; COMMAND=/bin/sh -c a ; b",
            {
                "action": "sudo",
                "user": "ana",
                "target_user": "root",
                "command": "/bin/sh -c a ; b",
                "status": "Success",
            },
        ),
        (
            "sudo[7]: ana : 3 incorrect password attempts ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/ls",
            FAILED | {"action": "sudo_failed", "failures": 3, "user": "ana"},
        ),
        (
            "sudo: ana : user NOT in sudoers ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/ls",
            FAILED | {"action": "sudo_refused", "detail": "not in sudoers"},
        ),
        ("su[3]: FAILED SU (to root) ana on pts/1", FAILED | {"action": "su_failed", "target_user": "root"}),
        ("su[3]: (to root) ana on pts/1", {"action": "su", "user": "ana", "target_user": "root", "status": "Success"}),
        ("su: BAD SU ana to root on /dev/ttyp0", FAILED | {"action": "su_failed", "user": "ana"}),
        ("login[3]: FAILED LOGIN 1 FROM 192.0.2.7 FOR ana, x", FAILED | {"user": "ana", "src_ip": "192.0.2.7"}),
        ("login[3]: ROOT LOGIN  on '/dev/tty1'", {"action": "login", "user": "root", "tty": "/dev/tty1"}),
        (
            "pkexec[3]: ana: Executing command [USER=root] [TTY=unknown] [CWD=/] [COMMAND=/bin/x]",
            {"action": "pkexec", "user": "ana", "target_user": "root", "command": "/bin/x"},
        ),
        ("useradd[3]: new user: name=bob, UID=1001, GID=1, home=/x", {"action": "user_added", "target_user": "bob"}),
        ("usermod[3]: add 'bob' to group 'sudo'", {"action": "member_added", "target_group": "sudo"}),
        ("passwd[3]: pam_unix(passwd:chauthtok): password changed for root", {"action": "password_changed"}),
        ("systemd-logind[3]: New session 5 of user ana.", {"action": "session_opened", "session": "5"}),
        (
            "CRON[3]: pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)",
            {"action": "session_opened", "user": "root", "pam_service": "cron"},
        ),
        (
            f"sudo: pam_unix(sudo:auth): authentication failure; {PAM}ana rhost=  user=ana",
            FAILED | {"action": "pam_failure", "user": "ana", "pam_module": "pam_unix"},
        ),
        ("sudo: pam_tally2(sudo:auth): user ana (1001) tally 6, deny 5", {"action": "locked", "user": "ana"}),
        ("pvedaemon[3]: authentication failure; rhost=192.0.2.7 user=ana@pam msg=x y", FAILED | {"user": "ana@pam"}),
        ("dropbear[3]: Bad password attempt for 'a from b' from 192.0.2.7:49", FAILED | {"user": "a from b"}),
        ("dropbear[3]: Login attempt for nonexistent user from 192.0.2.7:49", FAILED | {"src_ip": "192.0.2.7"}),
        ("dropbear[3]: Password auth succeeded for 'ana' from 2001:db8::7:49", {"status": "Success", "src_port": 49}),
        ("sshd[3]: Failed password for ana from 192.0.2.7 port 49 ssh2", FAILED | {"action": "failed"}),
        ("cupsd[3]: something else", {"action": "other", "program": "cupsd"}),
    ],
)
def test_each_program_is_understood(fields: Fields, line: str, expected: dict[str, Any]) -> None:
    assert fields("linux-auth", HEAD + line).items() >= expected.items()


@pytest.mark.parametrize(
    ("told", "user", "address"),
    [
        ("x rhost=198.51.100.9 rhost=192.0.2.7", "x rhost=198.51.100.9", "192.0.2.7"),
        (" rhost=192.0.2.7 user=x rhost=198.51.100.9", "x rhost=198.51.100.9", "192.0.2.7"),
        (" rhost=host.example.com  user=ana", "ana", "host.example.com"),
    ],
)
def test_a_name_written_like_pams_words_moves_no_address(fields: Fields, told: str, user: str, address: str) -> None:
    found = fields("linux-auth", f"{HEAD}vsftpd: pam_unix(vsftpd:auth): authentication failure; {PAM}{told}")
    assert (found["user"], found["src_ip"]) == (user, address)


@pytest.mark.parametrize(
    "head", ["su(pam_unix)[3]: ", "su[3]: (pam_unix) ", "su[3]: pam_unix(su:auth): ", "su: pam_unix: "]
)
def test_pam_of_every_age_says_the_same(fields: Fields, head: str) -> None:
    found = fields("linux-auth", f"{HEAD}{head}authentication failure; {PAM}ana rhost=  user=root")
    assert (found["action"], found["program"], found["user"]) == ("pam_failure", "su", "root")


def test_a_repeated_message_is_one_event_that_counts(fields: Fields) -> None:
    said = f"message repeated 4 times: [ pam_unix(x:auth): authentication failure; {PAM} rhost=192.0.2.7]"
    assert fields("linux-auth", f"{HEAD}x: {said}").items() >= {"repeated": 4, "src_ip": "192.0.2.7"}.items()


def test_sudo_rules_find_sudo_by_their_own_names(source: Callable[..., Source]) -> None:
    auth = source("linux-auth")
    assert auth.native("USER") == ("target_user",)
    assert any(answer.logsource == {"product": "linux", "service": "sudo"} for answer in auth.answers)
