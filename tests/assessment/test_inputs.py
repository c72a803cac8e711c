"""The inputs, as the desk shows them and as the case file keeps them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breachwatch.assessment.inputs import INPUTS, Inputs, band_of, spec_of, why_of
from breachwatch.detection.playbooks.playbook import Playbook, SeverityDefaults
from breachwatch.kernel.errors import RefusedError


def test_every_input_has_words_and_a_choice_for_every_value() -> None:
    assert [spec.name for spec in INPUTS] == list(Inputs().to_text())
    for spec in INPUTS:
        assert spec.label
        assert spec.help.endswith(".")
        assert len(set(spec.values)) == len(spec.values) >= 2
        assert Inputs().to_text()[spec.name] in spec.values


def test_choices_run_from_mild_to_grave_and_the_points_are_enisas() -> None:
    points = {spec.name: [choice.points for choice in spec.choices] for spec in INPUTS}
    assert points["data_class"] == [1, 2, 3, 4]
    assert points["identification"] == [0.25, 0.5, 0.75, 1]
    assert points["confidentiality"] == points["integrity"] == points["availability"] == [0, 0.25, 0.5]
    assert points["malicious"] == [0, 0.5]
    assert points["restorable"] == points["people"][:2] == [None, None]


@given(st.fixed_dictionaries({spec.name: st.sampled_from(spec.values) for spec in INPUTS}))
def test_what_the_file_keeps_is_read_back_unchanged(text: dict[str, str]) -> None:
    assert Inputs.of_text(text).to_text() == text


def test_a_file_from_another_version_is_still_read() -> None:
    assert Inputs.of_text({"data_class": "financial", "moon_phase": "full"}) == Inputs(data_class="financial")


def test_a_playbook_gives_the_first_values_and_its_reasons(playbook: Playbook) -> None:
    inputs = Inputs.of_playbook(playbook.severity, 250)
    assert (inputs.data_class, inputs.confidentiality, inputs.malicious) == ("behavioural", "unknown_recipients", True)
    assert (inputs.exfiltrated, inputs.people) == (True, "more_than_100")
    assert why_of(playbook.severity) == {
        "data_class": "An account shows addresses and orders.",
        "malicious": "Nobody stuffs by chance.",
    }


@pytest.mark.parametrize(("said", "carried_away"), [(None, True), (True, True), (False, False)])
def test_what_the_playbook_says_of_exfiltration_holds(said: bool | None, carried_away: bool) -> None:
    defaults = SeverityDefaults(
        data_classes=("simple",),
        identification="maximum",
        confidentiality="unknown_recipients",
        malicious=True,
        exfiltrated=said,
    )
    assert Inputs.of_playbook(defaults, None).exfiltrated is carried_away


@pytest.mark.parametrize(
    ("people", "band"),
    [(None, "unknown"), (0, "unknown"), (-3, "unknown"), (1, "up_to_100"), (100, "up_to_100"), (101, "more_than_100")],
)
def test_the_number_of_people_counts_as_far_as_it_matters(people: int | None, band: str) -> None:
    assert band_of(people) == band


def test_an_unknown_input_or_value_is_refused_with_the_nearest() -> None:
    with pytest.raises(RefusedError, match='no input "malicous"; did you mean "malicious"'):
        spec_of("malicous")
    with pytest.raises(RefusedError, match=r'Disclosure: "unknown_recipient" .* did you mean "unknown_recipients"'):
        Inputs().but("confidentiality", "unknown_recipient")
