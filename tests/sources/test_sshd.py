"""What sshd says, as stories: one line heard, the fields a rule can use."""

from collections.abc import Callable
from typing import Any

import pytest

from breachwatch.sources.event import Event, Ignored, Outcome

Fields = Callable[..., dict[str, Any]]
HEAD = "Mar 27 13:06:56 shop sshd[71]: "


def told(fields: Fields, message: str) -> dict[str, Any]:
    """Fields beyond those that every line of HEAD has."""
    found = fields("linux-sshd", HEAD + message)
    assert (found["host"], found["program"], found["pid"]) == ("shop", "sshd", 71)
    return {key: value for key, value in found.items() if key not in {"host", "program", "pid", "message"}}


CLIENT = {"src_ip": "192.0.2.7", "src_port": 4711}
FAILED = {"action": "failed", "activity_id": 1, "status": "Failure", "status_id": 2}
ACCEPTED = {"action": "accepted", "activity_id": 1, "status": "Success", "status_id": 1}


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            "Accepted password for ana from 192.0.2.7 port 4711 ssh2",
            ACCEPTED | CLIENT | {"auth_method": "password", "user": "ana", "invalid_user": False},
        ),
        (
            "Accepted publickey for ana from 192.0.2.7 port 4711 ssh2: ED25519 SHA256:abc",
            ACCEPTED | CLIENT | {"auth_method": "publickey", "user": "ana", "invalid_user": False},
        ),
        (
            "Failed password for ana from 192.0.2.7 port 4711 ssh2",
            FAILED
            | CLIENT
            | {"auth_method": "password", "user": "ana", "invalid_user": False, "detail": "password rejected"},
        ),
        (
            "Failed password for invalid user bob from 192.0.2.7 port 4711 ssh2",
            FAILED
            | CLIENT
            | {"auth_method": "password", "user": "bob", "invalid_user": True, "detail": "unknown user"},
        ),
        (
            "Failed none for invalid user bob from 192.0.2.7 port 4711 ssh2",  # asks what is offered: no guess yet
            CLIENT | {"action": "probed", "auth_method": "none", "user": "bob", "invalid_user": True},
        ),
        (
            "Postponed publickey for ana from 192.0.2.7 port 4711 ssh2 [preauth]",
            CLIENT
            | {
                "action": "postponed",
                "auth_method": "publickey",
                "user": "ana",
                "invalid_user": False,
                "preauth": True,
            },
        ),
        (
            "Invalid user bob from 192.0.2.7 port 4711",
            CLIENT | {"action": "invalid_user", "user": "bob", "invalid_user": True},
        ),
        (
            "Invalid user bob from 192.0.2.7",
            {"action": "invalid_user", "user": "bob", "invalid_user": True, "src_ip": "192.0.2.7"},
        ),
        ("Connection closed by 192.0.2.7 port 4711 [preauth]", CLIENT | {"action": "closed", "preauth": True}),
        (
            "Connection closed by invalid user bob 192.0.2.7 port 4711 [preauth]",
            CLIENT | {"action": "closed", "user": "bob", "invalid_user": True, "preauth": True},
        ),
        (
            "Connection reset by authenticating user ana 192.0.2.7 port 4711 [preauth]",
            CLIENT | {"action": "reset", "user": "ana", "invalid_user": False, "preauth": True},
        ),
        (
            "Disconnected from user ana 192.0.2.7 port 4711",
            CLIENT | {"action": "disconnected", "user": "ana", "invalid_user": False},
        ),
        (
            "Disconnecting authenticating user ana 192.0.2.7 port 4711: Too many authentication failures [preauth]",
            CLIENT
            | {
                "action": "too_many_attempts",
                "user": "ana",
                "invalid_user": False,
                "preauth": True,
                "detail": "Too many authentication failures",
            },
        ),
        (
            "error: maximum authentication attempts exceeded for invalid user bob "
            "from 192.0.2.7 port 4711 ssh2 [preauth]",
            CLIENT | {"action": "too_many_attempts", "user": "bob", "invalid_user": True, "preauth": True},
        ),
        (
            "Received disconnect from 192.0.2.7 port 4711:11: disconnected by user",
            CLIENT | {"action": "disconnect_received", "detail": "disconnected by user"},
        ),
        (
            "Received disconnect from 2001:db8::11: 11: Bye Bye [preauth]",
            {"action": "disconnect_received", "src_ip": "2001:db8::11", "detail": "Bye Bye", "preauth": True},
        ),
        (
            "pam_unix(sshd:auth): authentication failure; "
            "logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7  user=ana",
            {"action": "pam_failure", "user": "ana", "src_ip": "192.0.2.7"},
        ),
        (
            "PAM 2 more authentication failures; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7  user=ana",
            {"action": "pam_failure", "user": "ana", "src_ip": "192.0.2.7", "repeated": 2},
        ),
        (
            "error: PAM: Authentication failure for ana from host.example.com via 198.51.100.1",
            {
                "action": "pam_error",
                "user": "ana",
                "invalid_user": False,
                "src_ip": "host.example.com",
                "detail": "Authentication failure",
            },
        ),
        (
            "pam_unix(sshd:session): session opened for user ana(uid=1000) by (uid=0)",
            {"action": "session_opened", "user": "ana"},
        ),
        (
            "pam_unix(sshd:session): session closed for user ana",
            {"action": "session_closed", "user": "ana", "activity_id": 2},
        ),
        ("Did not receive identification string from 192.0.2.7 port 4711", CLIENT | {"action": "no_identification"}),
        (
            "Bad protocol version identification 'x from 203.0.113.9' from 192.0.2.7 port 4711",
            CLIENT | {"action": "no_identification"},
        ),
        (
            "banner exchange: Connection from 192.0.2.7 port 4711: invalid format",
            CLIENT | {"action": "no_identification", "detail": "invalid format"},
        ),
        (
            "Unable to negotiate with 192.0.2.7 port 4711: no matching cipher found. Their offer: none [preauth]",
            CLIENT
            | {
                "action": "negotiation_failed",
                "detail": "no matching cipher found. Their offer: none",
                "preauth": True,
            },
        ),
        ("fatal: Timeout before authentication for 192.0.2.7 port 4711", CLIENT | {"action": "timeout"}),
        (
            "Address 192.0.2.7 maps to a.example.com, but this does not map back to the address - "
            "POSSIBLE BREAK-IN ATTEMPT!",
            {"action": "reverse_mapping", "src_ip": "192.0.2.7"},
        ),
        (
            "reverse mapping checking getaddrinfo for a.example.com [192.0.2.7] failed - POSSIBLE BREAK-IN ATTEMPT!",
            {"action": "reverse_mapping", "src_ip": "192.0.2.7"},
        ),
        (
            "User root from 192.0.2.7 not allowed because not listed in AllowUsers",
            {"action": "not_allowed", "user": "root", "src_ip": "192.0.2.7", "detail": "not listed in AllowUsers"},
        ),
        ("ROOT LOGIN REFUSED FROM 192.0.2.7 port 4711 [preauth]", CLIENT | {"action": "root_refused", "preauth": True}),
        (
            "drop connection #0 from [192.0.2.7]:4711 on [198.51.100.1]:22 penalty: failed authentication",
            CLIENT | {"action": "dropped", "detail": "penalty: failed authentication"},
        ),
        ("Connection from 192.0.2.7 port 4711 on 198.51.100.1 port 22", CLIENT | {"action": "connected"}),
        ("Server listening on 0.0.0.0 port 22.", {"action": "other"}),
        ("", {"action": "other"}),
    ],
)
def test_each_kind_of_line_tells_its_fields(fields: Fields, message: str, expected: dict[str, Any]) -> None:
    assert told(fields, message) == expected


def test_one_guess_is_one_failure_however_many_lines_sshd_and_pam_write(fields: Fields) -> None:
    lines = [
        "Invalid user bob from 192.0.2.7 port 4711",
        "Failed none for invalid user bob from 192.0.2.7 port 4711 ssh2",
        "pam_unix(sshd:auth): check pass; user unknown",
        "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7",
        "error: PAM: User not known to the underlying authentication module for illegal user bob from 192.0.2.7",
        "Failed password for invalid user bob from 192.0.2.7 port 4711 ssh2",
        "error: maximum authentication attempts exceeded for invalid user bob from 192.0.2.7 port 4711 ssh2 [preauth]",
        "Disconnecting invalid user bob 192.0.2.7 port 4711: Too many authentication failures [preauth]",
        "Connection closed by invalid user bob 192.0.2.7 port 4711 [preauth]",
    ]
    assert [told(fields, line).get("status") for line in lines].count("Failure") == 1


def test_a_repeated_line_is_one_event_that_says_how_often(fields: Fields) -> None:
    found = told(fields, "message repeated 3 times: [ Failed password for ana from 192.0.2.7 port 4711 ssh2]")
    assert (found["action"], found["repeated"], found["src_ip"]) == ("failed", 3, "192.0.2.7")


@pytest.mark.parametrize(
    "user",
    [
        "from 203.0.113.9",
        "a from 203.0.113.9 port 22 ssh2",
        "a from 203.0.113.9 port 22 ssh2: RSA SHA256:x",
        "a from 203.0.113.9 port 22 ssh2:",
        "invalid user b from 203.0.113.9 port 22",
        "a 203.0.113.9 port 22",
        "a 203.0.113.9 port 22: Too many authentication failures",
        " ",
        "",
    ],
)
@pytest.mark.parametrize(
    "message",
    [
        "Failed password for invalid user {} from 192.0.2.7 port 4711 ssh2",
        "Failed publickey for invalid user {} from 192.0.2.7 port 4711 ssh2: RSA SHA256:key",
        "Invalid user {} from 192.0.2.7 port 4711",
        "Connection closed by invalid user {} 192.0.2.7 port 4711 [preauth]",
        "Disconnected from invalid user {} 192.0.2.7 port 4711 [preauth]",
        "Disconnecting invalid user {} 192.0.2.7 port 4711: Too many authentication failures [preauth]",
        "error: maximum authentication attempts exceeded for invalid user {} from 192.0.2.7 port 4711 ssh2 [preauth]",
    ],
)
def test_a_hostile_user_name_cannot_blame_another_address(fields: Fields, message: str, user: str) -> None:
    found = told(fields, message.format(user))
    assert (found["src_ip"], found["src_port"], found["user"]) == ("192.0.2.7", 4711, user)


def test_the_user_that_sshd_hides_is_no_name(fields: Fields) -> None:
    found = told(fields, "Failed keyboard-interactive for <invalid username> from 192.0.2.7 port 4711 ssh2")
    assert "user" not in found
    assert found["invalid_user"] is True


@pytest.mark.parametrize(
    ("written", "address"),
    [("2001:db8::7", "2001:db8::7"), ("::ffff:192.0.2.7", "192.0.2.7"), ("host.example.com", "host.example.com")],
)
def test_addresses_of_every_kind(fields: Fields, written: str, address: str) -> None:
    assert told(fields, f"Failed password for ana from {written} port 4711 ssh2")["src_ip"] == address


@pytest.mark.parametrize("program", ["sshd", "sshd-session", "sshd-auth", "/usr/sbin/sshd"])
def test_every_program_of_openssh_is_heard(fields: Fields, program: str) -> None:
    line = f"Mar 27 13:06:56 shop {program}[71]: Failed password for ana from 192.0.2.7 port 4711 ssh2"
    assert fields("linux-sshd", line)["action"] == "failed"


@pytest.mark.parametrize(
    ("message", "action", "user"),
    [
        ("authentication failure; logname= uid=0 euid=0 tty=NODEVssh ruser= rhost=192.0.2.7  user=root",
         "pam_failure", "root"),
        ("session opened for user ana by (uid=509)", "session_opened", "ana"),
        ("check pass; user unknown", "other", None),
    ],
)  # fmt: skip
def test_the_way_in_which_old_pam_signed_its_lines(fields: Fields, message: str, action: str, user: str | None) -> None:
    found = fields("linux-sshd", f"Jun 14 15:16:01 combo sshd(pam_unix)[19939]: {message}")
    assert (found["action"], found.get("user"), found["pid"]) == (action, user, 19939)


@pytest.mark.parametrize(
    "line",
    [
        "Mar 27 13:06:56 shop CRON[1]: pam_unix(cron:session): session opened for user root by (uid=0)",
        "Mar 27 13:06:56 shop sudo: ana : TTY=pts/0 ; COMMAND=sshd Failed password for x from 192.0.2.7 port 1",
        "<38>1 2026-03-27T13:06:56Z shop not-sshd 71 - - Failed password for ana from 192.0.2.7 port 4711 ssh2",
    ],
)
def test_other_programs_are_ignored_whatever_they_say(parse: Callable[..., Outcome], line: str) -> None:
    assert parse("linux-sshd", line) == Ignored("not sshd")


def test_a_message_longer_than_sshd_writes_is_not_looked_into(parse: Callable[..., Outcome]) -> None:
    outcome = parse("linux-sshd", HEAD + "Failed password for " + "x from 192.0.2.7 port 1 ssh2 " * 1000)
    assert isinstance(outcome, Event)
    assert outcome.fields["action"] == "other"


def test_bytes_that_are_no_text_do_not_hide_an_attempt(fields: Fields) -> None:
    line = HEAD.encode() + b"Failed password for invalid user b\xff\x00b from 192.0.2.7 port 4711 ssh2"
    found = fields("linux-sshd", line)
    assert (found["action"], found["user"]) == ("failed", "b\\xff\\x00b")
