"""Kinds of breach for the stories."""

import pytest

from breachwatch.detection.playbooks.playbook import Playbook


@pytest.fixture(scope="session")
def playbook() -> Playbook:
    """Behavioural data read by unknown attackers: 2 x 1 + 0.5 + 0.5 = 3."""
    return Playbook.model_validate(
        {
            "id": "credential-stuffing",
            "title": "Accounts entered with stolen passwords",
            "summary": "Passwords leaked elsewhere were tried here.",
            "breach_types": ["confidentiality"],
            "severity": {
                "data_classes": ["simple", "behavioural"],
                "identification": "maximum",
                "confidentiality": "unknown_recipients",
                "malicious": True,
                "why": {
                    "data_classes": "An account shows addresses and orders.",
                    "malicious": "Nobody stuffs by chance.",
                },
            },
            "filing": {
                "origin": "hacking",
                "cause": "outside, malice",
                "data_categories": ["identity"],
                "people_categories": ["customers"],
                "prior_measures": "logins are limited",
                "consequences": "fraud",
            },
            "checklist": [{"id": "reset", "phase": "contain", "text": "Reset the passwords."}],
        }
    )
