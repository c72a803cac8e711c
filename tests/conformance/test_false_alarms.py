"""Ordinary logs raise no incident, and an intrusion that another system saw becomes few incidents, none invented.

The logs lie in `shared/data` beside the checkout and are read in place.
"""

from collections import Counter
from pathlib import Path

import pytest

from bench.conformance import alarms
from bench.conformance.alarms import FALSE, Intrusion


@pytest.fixture(scope="module")
def intrusions() -> list[Intrusion]:
    found = [alarms.intrusion(path) for path in alarms.testbeds()]
    assert found
    return found


def test_visitors_of_a_public_site_are_no_incident() -> None:
    assert alarms.web_incidents() == []


def test_ordinary_clients_of_a_host_on_the_internet_are_no_incident() -> None:
    assert alarms.ssh_incidents(ordinary=True) == []


def test_the_only_incident_on_that_host_is_a_login_after_many_guesses() -> None:
    for alert, records in alarms.ssh_incidents(ordinary=False):
        assert alert.playbook == "ssh-brute-force"
        assert len(records) > 100


def test_an_intrusion_becomes_at_most_five_incidents(intrusions: list[Intrusion]) -> None:
    assert all(1 <= len(each.incidents) <= 5 for each in intrusions)


def test_one_incident_tells_of_the_theft(intrusions: list[Intrusion]) -> None:
    assert all(each.tells_of("dnsteal") for each in intrusions)


def test_no_incident_is_made_of_false_alerts_alone(intrusions: list[Intrusion]) -> None:
    assert [each.invented for each in intrusions] == [[] for _ in intrusions]


def test_of_what_is_in_incidents_nearly_nothing_is_false(intrusions: list[Intrusion]) -> None:
    for each in intrusions:
        assert each.covered[FALSE] <= 0.1 * sum(each.covered.values())


def test_labels_are_never_shown_to_a_rule() -> None:
    row = {"time": "1642718417", "name": "A", "ip": "192.0.2.1", "host": "h", "short": "a", "time_label": "dnsteal"}
    assert alarms.row_of(row) == b"1642718417,A,192.0.2.1,h,a"


def test_no_rule_knows_a_host_or_an_address() -> None:
    rules = Path(__file__).parents[2].joinpath("playbooks", "foreign-alerts", "detection.yml").read_text("utf-8")
    for path in alarms.testbeds():
        assert path.name.partition("_")[0] not in rules
    for name in ("intranet", "inet", "cloud_share", "192.168", "10."):
        assert name not in rules


def test_an_incident_is_invented_only_if_nothing_in_it_is_labelled() -> None:
    half = (("a", Counter({FALSE: 9, "dirb": 1})), ("b", Counter({FALSE: 3})))
    found = Intrusion("x", Counter(), Counter(), half)
    assert found.invented == ["b"]
    assert found.tells_of("dirb") == ["a"]
