"""A kind of breach for the stories: a mass export by one actor."""

import pytest

from breachwatch.detection.playbooks.playbook import Playbook


@pytest.fixture(scope="session")
def playbook() -> Playbook:
    return Playbook.model_validate(
        {
            "id": "mass-export",
            "title": "Mass export of customer records",
            "summary": "Somebody exported more than their work asks for.",
            "breach_types": ["confidentiality"],
            "detection": {"raises_incident": ["mass-export"], "merge_by": ["actor.user.uid", "src_endpoint.ip"]},
            "severity": {"data_classes": ["simple"], "identification": "maximum"},
            "filing": {
                "origin": "hacking",
                "cause": "outside, malice",
                "data_categories": ["identity"],
                "people_categories": ["customers"],
                "prior_measures": "keys are rotated",
                "consequences": "spam",
            },
            "checklist": [
                {"id": "revoke-key", "phase": "contain", "text": "Revoke the key.", "measure": "The key was revoked."},
                {"id": "call-owner", "phase": "assess", "text": "Call the owner of the key."},
            ],
        }
    )
