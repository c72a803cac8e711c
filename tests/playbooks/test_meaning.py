"""What each playbook says a breach means: whole, coherent, and true before anybody has looked."""

import re
from collections import Counter
from pathlib import Path

import pytest

from breachwatch.assessment.inputs import INPUTS, Inputs
from breachwatch.assessment.severity import assess
from breachwatch.detection.playbooks.playbook import Playbook
from breachwatch.filings.forms import package_forms
from breachwatch.kernel.yaml import read

KINDS = sorted(path.parent.name for path in (Path(__file__).parents[2] / "playbooks").glob("*/playbook.yml"))
FIRST_SIX = {
    "credential-stuffing",
    "lost-device",
    "mass-export",
    "off-hours-bulk-access",
    "record-enumeration",
    "ssh-brute-force",
}
REPORTED_BY_PEOPLE = {"lost-device", "processor-notice"}
"""Kinds that no log tells of."""
LIKELY = {
    "account-takeover",
    "database-dump",
    "foreign-alerts",
    "logging-off",
    "mailbox-forwarding",
    "mass-deletion",
    "privileged-misuse",
    "public-share",
    "snapshot-shared",
    "sql-injection",
    "web-shell",
}
"""Kinds whose alerts make a breach likely and no more."""
AFFECTED: dict[str, dict[str, tuple[str, ...] | None]] = {
    "credential-stuffing": {"user.uid": ("customer_login_accepted",), "user.name": ()},
    "ssh-brute-force": {"user.name": ("ssh_password_accepted",)},
    "mass-export": {"user.uid": None},
    "record-enumeration": {"user.uid": None},
    "off-hours-bulk-access": {"user.uid": None},
    "privileged-misuse": {"user.uid": ("staff_read_unassigned",)},
    "misdirected-mail": {
        "user.uid": ("mail_to_wrong_address", "data_mailed_out"),
        "email.to": (),
        "email.cc": (),
        "unmapped.recipients": (),
    },
    "account-takeover": {
        "user.name": (
            "m365_signed_in",
            "entra_signed_in",
            "okta_signed_in",
            "google_signed_in",
            "keycloak_signed_in",
            "aws_signed_in",
            "okta_push_accepted",
            "okta_unlike_owner",
            "entra_unlike_owner",
            "google_unlike_owner",
        ),
        "actor.user.name": (),
        "userIdentity.userName": ("aws_entered_without_factor",),
        "user.uid": ("customer_signed_in", "customer_new_device"),
    },
    "mass-deletion": {"user.uid": ("record_deleted", "very_large_deletion")},
    "mailbox-forwarding": {
        "actor.user.name": (
            "mail_forwarded_by_rule",
            "mail_forwarded_by_outlook",
            "mail_forwarded_out_of_domain",
            "all_mail_hidden",
            "telling_mail_hidden",
        ),
        "ParametersByName.Identity": (),
    },
}
"""Who counts as affected: field to the rules whose events say so, None for every rule."""
each_kind = pytest.mark.parametrize("kind", KINDS)


def test_each_kind_is_called_as_its_folder(playbooks: dict[str, Playbook]) -> None:
    assert set(playbooks) >= FIRST_SIX
    assert all(playbook.id == folder for folder, playbook in playbooks.items())


@each_kind
def test_only_what_people_report_comes_without_a_log(playbooks: dict[str, Playbook], kind: str) -> None:
    raises = playbooks[kind].detection.raises_incident
    assert (raises == ()) == (kind in REPORTED_BY_PEOPLE)


@each_kind
def test_art_33_1_the_clock_starts_with_the_incident_unless_a_person_says_otherwise(
    playbooks: dict[str, Playbook], kind: str
) -> None:
    """Where a log makes a breach likely only, the controller is aware when a person confirms it (EDPB 9/2022)."""
    assert playbooks[kind].awareness == ("on_confirm" if kind in LIKELY else "on_raise")
    assert playbooks[kind].regimes == ("gdpr",)


@pytest.mark.parametrize(
    ("kind", "level", "duty"),
    [
        ("credential-stuffing", "high", "notify_authority_and_people"),  # as EDPB 01/2021 decides for entered accounts
        ("mass-export", "high", "notify_authority_and_people"),
        ("lost-device", "high", "notify_authority_and_people"),  # not encrypted, as long as nobody has shown that it is
        ("ssh-brute-force", "medium", "notify_authority"),  # what the server holds is for a person to say
        ("record-enumeration", "medium", "notify_authority"),
        ("off-hours-bulk-access", "medium", "notify_authority"),
        ("sql-injection", "high", "notify_authority_and_people"),
        ("web-shell", "high", "notify_authority_and_people"),
        ("foreign-alerts", "high", "notify_authority_and_people"),
        ("privileged-misuse", "medium", "notify_authority"),
        ("mailbox-forwarding", "high", "notify_authority_and_people"),
        ("logging-off", "medium", "notify_authority"),
        ("mass-deletion", "medium", "notify_authority"),
        ("account-takeover", "high", "notify_authority_and_people"),
        ("public-share", "medium", "notify_authority"),
        ("snapshot-shared", "high", "notify_authority_and_people"),
        ("database-dump", "high", "notify_authority_and_people"),
        ("misdirected-mail", "medium", "notify_authority"),
        ("processor-notice", "high", "notify_authority_and_people"),
    ],
)
def test_the_severity_that_a_kind_of_breach_starts_from(
    playbooks: dict[str, Playbook], kind: str, level: str, duty: str
) -> None:
    found = assess(Inputs.of_playbook(playbooks[kind].severity, people=None))
    assert (found.level, found.duty) == (level, duty)


def test_art_34_3_a_an_encrypted_device_of_which_a_copy_exists_is_recorded_only(playbooks: dict[str, Playbook]) -> None:
    shown = playbooks["lost-device"].severity.model_copy(update={"unintelligible": True})
    assert assess(Inputs.of_playbook(shown, people=5_000)).duty == "record_only"


def test_an_encrypted_device_that_held_the_only_copy_is_still_notified(playbooks: dict[str, Playbook]) -> None:
    update = {"unintelligible": True, "availability": "permanent", "restorable": False}
    shown = playbooks["lost-device"].severity.model_copy(update=update)
    assert assess(Inputs.of_playbook(shown, people=50)).duty != "record_only"


@each_kind
def test_every_input_that_is_not_at_rest_gives_its_reason(playbooks: dict[str, Playbook], kind: str) -> None:
    severity = playbooks[kind].severity
    reasons = {"data_class" if name == "data_classes" else name for name in severity.why}
    assert reasons <= {spec.name for spec in INPUTS}
    asked = {"data_classes", "identification", "confidentiality", "integrity", "availability", "malicious"}
    assert asked | {"unintelligible"} <= set(severity.why)
    stated = {name for name in ("identity_data", "exfiltrated", "vulnerable_people") if getattr(severity, name)}
    assert stated <= set(severity.why)
    assert all(reason.endswith(".") and len(reason) < 260 for reason in severity.why.values())


@each_kind
def test_the_nature_of_the_breach_fits_its_severity(playbooks: dict[str, Playbook], kind: str) -> None:
    playbook = playbooks[kind]
    touched = {
        name for name in ("confidentiality", "integrity", "availability") if getattr(playbook.severity, name) != "none"
    }
    assert touched == set(playbook.breach_types)


@each_kind
def test_art_33_3_the_filing_starts_with_the_words_of_the_authoritys_form(
    playbooks: dict[str, Playbook], kind: str
) -> None:
    filing = playbooks[kind].filing
    fields = {field.key: field for section in package_forms()["cnil"].sections for field in section.fields}

    def choices(key: str) -> set[str]:
        return {choice.value for choice in fields[key].choices}

    assert filing.origin in choices("origin")
    assert filing.cause in choices("cause")
    assert set(filing.data_categories) <= choices("data_categories")
    assert set(filing.people_categories) <= choices("people_categories")
    assert filing.consequences.strip()


@each_kind
def test_the_filing_claims_nothing_of_a_house_it_does_not_know(playbooks: dict[str, Playbook], kind: str) -> None:
    """Measures in place before: only what is certainly there, which is the watching that found the breach."""
    claims = playbooks[kind].filing.prior_measures
    assert not re.search(r"encrypt|hash|second factor|backup|firewall|trained", claims)
    assert ("was found" in re.sub(r"\s+", " ", claims)) == (kind not in REPORTED_BY_PEOPLE)


@each_kind
def test_the_checklist_leads_from_containing_to_recovering(playbooks: dict[str, Playbook], kind: str) -> None:
    items = playbooks[kind].checklist
    assert 6 <= len(items) <= 11
    assert max(Counter(item.id for item in items).values()) == 1
    assert {item.phase for item in items} == {"contain", "assess", "notify", "recover"}
    assert all(len(item.text.split()) >= 6 and item.text.endswith((".", "?")) for item in items)


@each_kind
def test_a_done_measure_reads_as_a_sentence_of_the_filing(playbooks: dict[str, Playbook], kind: str) -> None:
    measures = [item.measure for item in playbooks[kind].checklist if item.measure]
    assert len(measures) >= 4
    assert len(set(measures)) == len(measures)
    assert all(measure[0].isupper() and measure.endswith(".") for measure in measures)


@each_kind
def test_art_4_5_who_merely_was_tried_is_a_pseudonym_and_not_affected(
    playbooks: dict[str, Playbook], kind: str
) -> None:
    affected = {field.field: field.rules for field in playbooks[kind].detection.subjects}
    assert affected == AFFECTED.get(kind, {})


@each_kind
def test_art_5_1_c_evidence_names_no_person_in_clear(playbooks: dict[str, Playbook], kind: str) -> None:
    evidence = set(playbooks[kind].detection.evidence)
    assert not evidence & {"user.uid", "user.name", "actor.user.name", "message", "http_request.referrer"}
    assert not any("url" in path for path in evidence)  # an address may hold a name or a number of a person


NAMES_PEOPLE = {
    "user.uid",
    "user.name",
    "user.email_addr",
    "email.to",
    "email.cc",
    "email.from",
    "unmapped.recipients",
    "ParametersByName.Identity",
    "cs-username",
}
"""Fields that name somebody who did nothing, or need not have: actors stay readable, for they must be stopped."""


@each_kind
def test_art_4_5_whoever_is_grouped_or_counted_is_a_pseudonym(playbooks: dict[str, Playbook], kind: str) -> None:
    path = Path(__file__).parents[2] / "playbooks" / kind / "detection.yml"
    if not path.is_file():
        return
    used: set[str] = set()
    for document in path.read_text("utf-8").split("\n---\n"):
        terms = (read(document.encode(), str(path)).data or {}).get("correlation", {})
        used.update(terms.get("group-by", ()))
        condition = terms.get("condition")
        counted = condition.get("field", ()) if isinstance(condition, dict) else ()
        used.update([counted] if isinstance(counted, str) else counted)
    assert used & NAMES_PEOPLE <= {subject.field for subject in playbooks[kind].detection.subjects}
