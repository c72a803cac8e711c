"""Recorded attacks on clouds: what the playbooks on accounts, mailboxes, logs and deletions make of each.

Every recording is replayed as it lies in `shared/data` beside the checkout. Then the same events are given again as
refusals, or with what only reads left in: of those nothing may come, whatever the recording.
"""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from bench.conformance import cloud_attacks as attacks
from bench.conformance.cloud_attacks import Row

OURS = ("account-takeover", "logging-off", "mailbox-forwarding", "mass-deletion")
"""The kinds that this file speaks of."""
PAGE = Path(__file__).parents[2] / "docs/reference/what-the-playbooks-catch.md"
INCIDENTS = {
    "t1098.002_ApplicationImpersonation.csv": "mailbox-forwarding: impersonation_given",
    "t1098.002_user-reset_mailbox_full_access.json": "mailbox-forwarding: password_set_then_opened",
    "t1110.003_msolspray-python.json": "account-takeover: entered_amid_spray",
    "t1114.003_Forward_Rule_Multi_Users_Same_Forward_dest.json": "mailbox-forwarding: mailbox_forwarded",
    "t1114.003_rule_mail_forward_same_dest.json": "mailbox-forwarding: mail_forwarded_by_rule",
    "t1114_Set-Mailbox-ForwardSMTPAddress.csv": "mailbox-forwarding: mailbox_forwarded",
    "t1562-Set-MailboxAuditBypassAssociation.json": "logging-off: m365_mailbox_log_off",
    "t1562-UnifiedAuditlogIngestion-Stopped.json": "logging-off: m365_log_off",
    "t1562.001_Set-Mailbox-AuditLogAgeLimitoZero.csv": "logging-off: m365_mailbox_log_off",
    "t1562.008_Advanced_Auditing_policy_removed_from_a_user.csv": "logging-off: m365_mailbox_log_off",
    "t1562.008_Set-MailboxAuditBypassAssociation.csv": "logging-off: m365_mailbox_log_off",
    "t1562_Set-Mailbox-AuditLogAgeLimitoZero.json": "logging-off: m365_mailbox_log_off",
    "t1564.008_Update_existing_mailbox_rule_using_Set-InboxRule.csv": "mailbox-forwarding: telling_mail_hidden",
    "t1564.008_markasread_delete_all_email.json": "mailbox-forwarding: all_mail_hidden",
    "one hour of an account": "logging-off: aws_trail_off_and_data_taken",
}
"""Recording to the incident that it must raise."""
ALERTS = {
    "t1098.002_Mail_Account_Delegation_full_access_permissions.json": "mailbox-forwarding: mailbox_opened",
    "t1110.003_o365spray_default.json": "account-takeover: password_spray",
    "t1564.008_New_inbox_rule_to_delete_email.csv": "mailbox-forwarding: topic_hidden",
    "aws.defense-evasion.cloudtrail-delete.json": "logging-off: aws_trail_off",
    "aws.defense-evasion.cloudtrail-stop.json": "logging-off: aws_trail_off",
    "aws.defense-evasion.vpc-remove-flow-logs.json": "logging-off: aws_other_log_off",
    "aws.persistence.iam-backdoor-user.json": "account-takeover: aws_way_added",
    "aws.persistence.iam-create-admin-user.json": "account-takeover: aws_way_added",
    "aws.persistence.rolesanywhere-create-trust-anchor.json": "account-takeover: aws_way_added",
}
"""Recording to the alert that it must lead to, and no incident of ours: no data was reached, or nobody got in."""
SILENT = {
    "t1098.002_Mail_Account_Delegation_full_access_permissions.csv",
    "t1482_azurehound_list.csv",
    "t1550.001_default_rclone_app_registration.json",
    "the same, without the attacker",
}
"""Recordings that are no attack of our kinds."""
each_set = pytest.mark.parametrize("folder", attacks.SETS)


@cache
def rows() -> dict[str, Row]:
    return {row.name: row for row in attacks.rows()}


def ours(alerts: tuple[str, ...]) -> list[str]:
    return [alert for alert in alerts if alert.startswith(OURS)]


def again(folder: str, change: Callable[[Any], Any]) -> list[str]:
    """What our kinds make of every recording of a set, each event changed, or left out where that gives None."""
    return [
        f"{name}: {alert.rule}"
        for name, records in attacks.recordings(folder)
        for alert in attacks.alerts_of(folder, [told for told in map(_plain, records) if told], change)
        if alert.playbook in OURS
    ]


def _plain(record: bytes) -> bytes:
    """The event itself, out of a row of an export."""
    told = json.loads(record)
    data = told.get("AuditData") if isinstance(told, dict) else None
    return data.encode() if isinstance(data, str) else json.dumps(data).encode() if isinstance(data, dict) else record


@pytest.mark.parametrize("name", INCIDENTS)
def test_what_lays_peoples_data_open_raises_an_incident(name: str) -> None:
    assert INCIDENTS[name] in rows()[name].incidents


@pytest.mark.parametrize("name", ALERTS)
def test_what_only_prepares_it_alerts_and_raises_nothing(name: str) -> None:
    assert ALERTS[name] in rows()[name].others
    assert ours(rows()[name].incidents) == []


@pytest.mark.parametrize("name", sorted(SILENT))
def test_what_is_none_of_our_kinds_leads_to_nothing(name: str) -> None:
    assert ours((*rows()[name].incidents, *rows()[name].others)) == []


def test_every_other_recording_raises_no_incident_of_ours() -> None:
    assert {name for name, row in rows().items() if ours(row.incidents)} <= INCIDENTS.keys()


@each_set
def test_only_what_succeeded_counts(folder: str) -> None:
    """The same events, each refused. Sign-ins that fail are tries, and may alert as such."""
    refusal = {"ResultStatus": "Failed"} if attacks.SETS[folder] == "m365-audit" else {"errorCode": "AccessDenied"}

    def refused(event: Any) -> Any:
        signing_in = event.get("Operation", event.get("eventName")) in {
            "UserLoginFailed",
            "UserLoggedIn",
            "ConsoleLogin",
        }
        return None if signing_in else {**event, **refusal}

    assert again(folder, refused) == []


@each_set
def test_who_only_looks_alerts_nobody(folder: str) -> None:
    """What the same accounts did around it: in CloudTrail what only reads, in Microsoft 365 what was set back."""
    back = {"ForwardTo": "", "ForwardingSmtpAddress": "", "AuditBypassEnabled": "False", "DeleteMessage": "False"}
    back |= {"UnifiedAuditLogIngestionEnabled": "True", "AuditLogAgeLimit": "90.00:00:00", "MoveToFolder": "Bills"}
    back |= {"AccessRights": "ReadPermission", "Roles": "View-Only Recipients"}

    def looking(event: Any) -> Any:
        if "eventName" in event:
            return event if event.get("readOnly") else None
        if event.get("Operation") == "UserLoginFailed" or "Parameters" not in event:
            return None
        parameters = [
            {**each, "Value": back.get(each["Name"], each["Value"])} for each in event.get("Parameters") or []
        ]
        return {**event, "Parameters": parameters}

    assert again(folder, looking) == []


def test_the_page_tells_what_the_command_prints() -> None:
    page = PAGE.read_text(encoding="utf-8").splitlines()
    lines = [line for line in attacks.table(rows().values()).splitlines() if line not in page]
    assert lines == [], "run `python -m bench.conformance.cloud_attacks` and put its table in the page"
