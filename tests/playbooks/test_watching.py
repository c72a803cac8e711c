"""The playbooks at work: every case holds and is worth having, and ordinary days raise nothing and name nobody."""

import re
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from breachwatch.detection.correlating.correlator import Correlator
from breachwatch.detection.detector import Detector
from breachwatch.detection.playbooks.check import check
from breachwatch.detection.playbooks.content import Content, load_content, read_tree
from breachwatch.engines.replay import replay
from breachwatch.kernel.pseudonyms import pseudonymiser
from breachwatch.kernel.streams import Alert, Chunk, Tally
from breachwatch.kernel.yaml import read
from breachwatch.notices.placeholders import PLACEHOLDERS
from breachwatch.sources.registry import load_sources

ROOT = Path(__file__).parents[2]
PLAYBOOKS = ROOT / "playbooks"
DATA = ROOT.parent / "shared/data"
CASES = sorted(PLAYBOOKS.glob("*/cases/*.yml"))
WATCHING = sorted(path.parent.name for path in PLAYBOOKS.glob("*/detection.yml"))
SOURCES = load_sources()
PSEUDONYMISE = pseudonymiser(b"a key that only this test knows")


@pytest.fixture(scope="module")
def tree() -> dict[str, bytes]:
    return read_tree(PLAYBOOKS)


@pytest.fixture(scope="module")
def content(tree: dict[str, bytes]) -> Content:
    return load_content(tree, SOURCES, PLACEHOLDERS)


def test_nothing_is_wrong_with_the_playbooks_that_ship(tree: dict[str, bytes]) -> None:
    problems, summary = check(tree, SOURCES, PLACEHOLDERS)
    assert problems == []
    assert summary.endswith(": all good")


@pytest.mark.parametrize("kind", WATCHING)
def test_each_has_cases_that_must_and_that_must_not_alert(kind: str) -> None:
    expectations = [read(path.read_bytes(), str(path)).data["expect"] for path in CASES if path.parts[-3] == kind]
    assert sum(any(alert.get("raises_incident") for alert in expected) for expected in expectations) >= 2
    assert sum(expected == [] for expected in expectations) >= 3


@pytest.mark.parametrize("kind", WATCHING)
def test_an_office_behind_one_address_is_not_an_attack(kind: str) -> None:
    path = PLAYBOOKS / kind / "cases/an-office-behind-one-address.yml"
    assert read(path.read_bytes(), str(path)).data["expect"] == []


def test_no_case_holds_an_address_or_a_domain_of_somebody() -> None:
    """RFC 5737, RFC 3849, RFC 2606."""
    for path in CASES:
        text = path.read_text(encoding="utf-8")
        for address in re.findall(r"\b\d{1,3}(?:\.\d{1,3}){3}\b", text):
            assert address.startswith(("192.0.2.", "198.51.100.", "203.0.113.")), path
        for domain in re.findall(r"@([a-z0-9.-]+)", text):
            assert domain.endswith(("example.com", "example.org", ".test")), path


@pytest.mark.parametrize(
    ("kind", "rule", "written", "loosened", "guard"),
    [
        ("credential-stuffing", "credential_stuffing", "gte: 10", "gte: 9", "nine-names-are-not-ten"),
        (
            "credential-stuffing",
            "credential_stuffing",
            "timespan: 10m",
            "timespan: 11m",
            "ten-names-spread-over-too-long",
        ),
        (
            "credential-stuffing",
            "credential_stuffing",
            "field: user.name",
            "field: http_request.user_agent",
            "stuffing-that-enters",
        ),
        ("credential-stuffing", "login_after_stuffing", "temporal_ordered", "temporal", "who-came-before-the-wave"),
        ("ssh-brute-force", "ssh_brute_force", "gte: 8", "gte: 7", "seven-are-not-eight"),
        ("ssh-brute-force", "ssh_brute_force", "timespan: 5m", "timespan: 6m", "spread-over-too-long"),
        (
            "ssh-brute-force",
            "ssh_login_after_brute_force",
            "temporal_ordered",
            "temporal",
            "who-came-before-the-guessing",
        ),
        ("ssh-brute-force", "ssh_login_after_brute_force", "timespan: 1h", "timespan: 1d", "a-login-the-next-day"),
        ("ssh-brute-force", "ssh_login_failed", "selection and not key", "selection", "an-office-behind-one-address"),
        ("mass-export", "mass_export", "gte: 100", "gte: 99", "ninety-nine-are-not-a-hundred"),
        ("mass-export", "very_large_export", "records|gte: 1000", "records|gte: 999", "ninety-nine-are-not-a-hundred"),
        ("mass-export", "mass_export", "timespan: 10m", "timespan: 1d", "spread-over-the-day"),
        (
            "mass-export",
            "records_taken_out",
            "outcome: success",
            "outcome: [success, failure]",
            "a-backup-and-a-refusal",
        ),
        ("off-hours-bulk-access", "off_hours_bulk_access", "gte: 30", "gte: 29", "twenty-nine-are-not-thirty"),
        ("off-hours-bulk-access", "off_hours_bulk_access", "timespan: 2h", "timespan: 8h", "spread-over-the-night"),
        ("off-hours-bulk-access", "staff_read_at_night", "selection and night", "selection", "the-same-by-day"),
        ("record-enumeration", "web_record_enumeration", "gte: 60", "gte: 59", "fifty-nine-are-not-sixty"),
        ("record-enumeration", "web_record_enumeration", "timespan: 10m", "timespan: 1h", "spread-over-too-long"),
        ("record-enumeration", "strangers_record_read", " and not own", "", "an-office-behind-one-address"),
        ("record-enumeration", "inside_record_read", "action: read", "action: [read, list]", "support-at-work"),
        ("account-takeover", "password_spray", "gte: 6", "gte: 5", "five-names-are-not-six"),
        ("account-takeover", "password_spray", "timespan: 5m", "timespan: 6m", "a-spray-spread-over-too-long"),
        ("account-takeover", "factor_fatigue", "timespan: 10m", "timespan: 2h", "a-telephone-without-a-signal"),
        ("account-takeover", "okta_unlike_owner", " and place", "", "new-telephones-and-journeys"),
        ("account-takeover", "customer_ways_changed", " and not staff", "", "customers-with-new-telephones"),
        ("mailbox-forwarding", "many_mailboxes_opened", "gte: 3", "gte: 2", "two-mailboxes-are-not-three"),
        ("mailbox-forwarding", "many_mailboxes_opened", "timespan: 1h", "timespan: 2h", "spread-over-too-long"),
        ("mailbox-forwarding", "mailbox_forwarded", " and not failed", "", "what-was-refused"),
        ("mailbox-forwarding", "topic_hidden", "and words and not sender ", "", "an-office-behind-one-address"),
        ("logging-off", "aws_everything_off", "gte: 3", "gte: 2", "two-kinds-are-not-three"),
        ("logging-off", "aws_everything_off", "timespan: 1h", "timespan: 2h", "spread-over-too-long"),
        ("logging-off", "aws_data_taken", " and not state", "", "spread-over-too-long"),
        ("logging-off", "windows_entered_and_cleared", "temporal_ordered", "temporal", "cleared-before-it-was-entered"),
        ("mass-deletion", "records_deleted_in_mass", "gte: 100", "gte: 99", "ninety-nine-are-not-a-hundred"),
        ("mass-deletion", "records_deleted_in_mass", "timespan: 10m", "timespan: 1d", "spread-over-too-long"),
        ("mass-deletion", "accounts_deleted_in_mass", "gte: 5", "gte: 4", "four-accounts-are-not-five"),
        ("mass-deletion", "record_deleted", " and not system", "", "an-office-behind-one-address"),
        ("mass-deletion", "s3_encrypted", "gte: 10", "gte: 9", "programs-at-work-in-the-cloud"),
        ("mass-deletion", "aws_destroyed_with_backups", "timespan: 1h", "timespan: 3h", "housekeeping-in-the-cloud"),
        ("public-share", "link_went_round", "gte: 10", "gte: 9", "nine-places-are-not-ten"),
        ("public-share", "link_went_round", "timespan: 1d", "timespan: 2d", "spread-over-too-long"),
        ("public-share", "bucket_looked_through", "gte: 3", "gte: 2", "two-listings-are-not-three"),
        ("public-share", "bucket_made_public", " and not limited", "", "policies-that-keep-strangers-out"),
        ("public-share", "bucket_made_public", "        errorCode: null\n", "", "what-is-refused"),
        ("public-share", "objects_read_after_listing", "temporal_ordered", "temporal", "a-file-and-then-the-list"),
        ("snapshot-shared", "disks_downloaded", "gte: 3", "gte: 2", "two-disks-are-not-three"),
        ("snapshot-shared", "disks_downloaded", "timespan: 1h", "timespan: 90m", "spread-over-too-long"),
        ("snapshot-shared", "disks_downloaded", "type: value_count", "type: event_count", "two-disks-are-not-three"),
        ("snapshot-shared", "disk_shared", "account and not ourselves", "account", "what-shares-nothing"),
        ("snapshot-shared", "disk_shared", "        errorCode: null\n", "", "what-shares-nothing"),
        ("database-dump", "tables_dumped", "gte: 5", "gte: 4", "four-tables-are-not-five"),
        ("database-dump", "tables_dumped", "timespan: 10m", "timespan: 12m", "spread-over-too-long"),
        ("database-dump", "pg_table_copied_out", " and not backup", "", "our-own-backups"),
        ("database-dump", "pg_table_copied_out", " and not at_home", "", "our-own-backups"),
        ("database-dump", "secrets_read_in_bulk", "gte: 10", "gte: 9", "workloads-fetch-their-secrets"),
        ("database-dump", "secret_read", " and (not workload or person)", "", "workloads-fetch-their-secrets"),
        (
            "database-dump",
            "backup_fetched",
            "bytes_out|gte: 100000",
            "bytes_out|gte: 5000",
            "backups-that-are-not-given-out",
        ),
        ("database-dump", "backups_sought", "gte: 10", "gte: 9", "backups-that-are-not-given-out"),
        ("database-dump", "dump_carried_off", "timespan: 1h", "timespan: 1d", "a-timer-dumps-and-copies"),
        ("misdirected-mail", "many_recipients_outside", "gte: 30", "gte: 29", "twenty-nine-are-not-thirty"),
        ("misdirected-mail", "list_mailed_out", "gte: 100", "gte: 99", "ninety-nine-records-are-not-a-hundred"),
        ("misdirected-mail", "list_mailed_out", "timespan: 1h", "timespan: 2h", "spread-over-too-long"),
        ("misdirected-mail", "mail_to_wrong_address", " and not held", "", "what-was-held-back"),
        ("misdirected-mail", "mail_to_wrong_address", " and people", "", "what-was-held-back"),
        ("misdirected-mail", "m365_content_mailed_out", " and not held", "", "policies-that-held-or-were-tried"),
        ("misdirected-mail", "m365_content_mailed_out", " and not tried_out", "", "policies-that-held-or-were-tried"),
    ],
)
def test_every_line_that_was_drawn_is_kept_by_a_case(
    tree: Mapping[str, bytes], kind: str, rule: str, written: str, loosened: str, guard: str
) -> None:
    """Loosen one line of a playbook, and the case that guards it says so."""
    path = (PLAYBOOKS / kind / "detection.yml").as_posix()
    documents = tree[path].decode().split("\n---\n")
    place = next(index for index, text in enumerate(documents) if f"name: {rule}\n" in text)
    assert written in documents[place]
    documents[place] = documents[place].replace(written, loosened)
    folder = {name: body for name, body in tree.items() if f"/{kind}/" in name}
    problems, _ = check({**folder, path: "\n---\n".join(documents).encode()}, SOURCES, PLACEHOLDERS)
    assert guard in {Path(problem.path).stem for problem in problems}


def test_an_ordinary_sites_traffic_alerts_nobody(content: Content) -> None:
    alerts, tally = run(content, DATA / "access-apache/access.log", "web-access", datetime(2015, 6, 1, tzinfo=UTC))
    assert alerts == []
    assert tally.records == tally.events == 5188


def test_a_real_servers_guessers_alert_and_its_users_are_not_named(content: Content) -> None:
    log = DATA / "auth-sshd-elastic/auth.log"
    alerts, tally = run(content, log, "linux-sshd", datetime(2017, 6, 1, tzinfo=UTC))
    assert tally.records == tally.events + sum(tally.ignored.values()) + sum(tally.dead.values())
    text = log.read_text(encoding="utf-8", errors="replace")
    failures = Counter(re.findall(r"Failed password for .* from (\S+) port", text))
    guessers = {alert.group["src_endpoint.ip"] for alert in alerts}
    assert {address for address, count in failures.items() if count >= 27} <= guessers
    assert all(failures[address] >= 6 for address in guessers)
    users = Counter(re.findall(r"Accepted \S+ for \S+ from (\S+) port", text))
    at_home = users.most_common(1)[0][0]
    assert users[at_home] > 100
    assert at_home not in guessers


def test_only_the_account_that_was_guessed_is_affected(content: Content) -> None:
    """Other users of the same address signed in within the hour before; they were not let in by the guessing."""
    log = DATA / "auth-sshd-elastic/auth.log"
    alerts, _ = run(content, log, "linux-sshd", datetime(2017, 6, 1, tzinfo=UTC))
    raising = [alert for alert in alerts if alert.raises_incident]
    assert len(raising) == 1
    guessed = Counter(
        re.findall(
            rf"Failed password for (\S+) from {re.escape(raising[0].group['src_endpoint.ip'])} port",
            log.read_text(encoding="utf-8", errors="replace"),
        )
    )
    assert raising[0].subjects == (PSEUDONYMISE("login", guessed.most_common(1)[0][0]),)
    assert not [alert for alert in alerts if alert.subjects and not alert.raises_incident]


def run(content: Content, log: Path, source: str, received_at: datetime) -> tuple[list[Alert], Tally]:
    assert log.exists(), f"this test reads {log}, which is given beside the checkout"
    lines = log.read_bytes().splitlines()
    chunks = [
        Chunk(source, "file:test", first, received_at, tuple(lines[first : first + 500]))
        for first in range(0, len(lines), 500)
    ]
    return replay(chunks, Detector(content, SOURCES, PSEUDONYMISE), Correlator(content))
