"""fail2ban's bans come in as findings of another guard."""

from collections.abc import Callable
from typing import Any

import pytest

from breachwatch.sources.event import Dead, Outcome
from breachwatch.sources.source import Source

Fields = Callable[..., dict[str, Any]]


@pytest.mark.parametrize(
    ("line", "action"),
    [
        ("2026-03-27 13:06:56,123 fail2ban.actions        [71]: NOTICE  [sshd] Ban 192.0.2.7", "ban"),
        ("2026-03-27 13:06:56,123 fail2ban.filter [71]: INFO    [sshd] Found 192.0.2.7 - 2026-03-27 13:06:55", "found"),
        ("2026-03-27 13:06:56,123 fail2ban.actions: WARNING [sshd] Unban 192.0.2.7", "unban"),
        ("2026-03-27 13:06:56,123 fail2ban.actions [71]: NOTICE [sshd] Restore Ban 192.0.2.7", "ban"),
        ("2026-03-27 13:06:56,123 fail2ban.actions [71]: NOTICE [sshd] 192.0.2.7 already banned", "already_banned"),
        ("Mar 27 13:06:56 web fail2ban.actions[71]: NOTICE [sshd] Ban 192.0.2.7", "ban"),
    ],
)
def test_each_deed_names_jail_and_address(fields: Fields, line: str, action: str) -> None:
    found = fields("fail2ban", line)
    assert (found["action"], found["jail"], found["src_ip"]) == (action, "sshd", "192.0.2.7")


def test_what_names_nobody_is_an_event_without_an_address(fields: Fields, parse: Callable[..., Outcome]) -> None:
    assert (
        fields("fail2ban", "2026-03-27 13:06:56,123 fail2ban.jail [71]: INFO Jail 'sshd' started")["action"] == "other"
    )
    assert parse("fail2ban", "Mar 27 13:06:56 web cron[71]: x") == Dead("not a fail2ban line")


def test_a_ban_is_a_detection_finding(source: Callable[..., Source], parse: Any) -> None:
    line = "2026-03-27 13:06:56,123 fail2ban.actions [71]: NOTICE [sshd] Ban 192.0.2.7"
    ocsf = source("fail2ban").to_ocsf(parse("fail2ban", line))
    assert (ocsf["class_uid"], ocsf["rule"]["name"], ocsf["src_endpoint"]["ip"]) == (2004, "sshd", "192.0.2.7")
