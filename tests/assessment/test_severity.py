"""ENISA's score, and the duty it leads to in the kinds of cases that the EDPB worked through."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breachwatch.assessment.inputs import INPUTS, Inputs
from breachwatch.assessment.rules import RULES
from breachwatch.assessment.severity import assess, level_of

INPUT = st.builds(Inputs.of_text, st.fixed_dictionaries({s.name: st.sampled_from(s.values) for s in INPUTS}))
DUTIES = ["record_only", "notify_authority", "notify_authority_and_people"]


@pytest.mark.parametrize(
    ("inputs", "score", "level"),
    [
        (Inputs(identification="negligible"), 0.25, "low"),
        (Inputs(data_class="behavioural", identification="limited"), 1, "low"),
        (Inputs(data_class="behavioural"), 2, "medium"),
        (
            Inputs(data_class="financial", identification="significant", confidentiality="known_recipients"),
            2.5,
            "medium",
        ),
        (Inputs(data_class="financial", availability="temporary"), 3.25, "high"),
        (Inputs(data_class="sensitive"), 4, "very_high"),
        (Inputs(data_class="sensitive", dpc_adjustment=3), 4, "very_high"),  # the context ends at 4
        (Inputs(data_class="simple", dpc_adjustment=-3), 1, "low"),  # and at 1
        (Inputs(data_class="sensitive", dpc_adjustment=-2, integrity="recoverable"), 2.25, "medium"),
        (
            Inputs(
                data_class="sensitive",
                confidentiality="unknown_recipients",
                integrity="unrecoverable",
                availability="permanent",
                malicious=True,
            ),
            6,
            "very_high",
        ),
    ],
)
def test_enisa_context_times_identification_plus_circumstances(inputs: Inputs, score: float, level: str) -> None:
    severity = assess(inputs)
    assert (severity.score, severity.level) == (score, level)


@pytest.mark.parametrize(
    ("score", "level"), [(1.99, "low"), (2, "medium"), (3, "high"), (3.99, "high"), (4, "very_high")]
)
def test_enisa_each_level_begins_with_its_bound(score: float, level: str) -> None:
    assert level_of(score) == level


MALICE = Inputs(malicious=True)
EXFILTRATED = replace(MALICE, confidentiality="unknown_recipients", exfiltrated=True)
MISDIRECTED = Inputs(confidentiality="known_recipients")

EDPB_01_2021 = {
    "ransomware, data encrypted at rest, restored from backup, nothing carried away": (
        replace(MALICE, availability="temporary", unintelligible=True, people="up_to_100"),
        "record_only",
    ),
    "ransomware, no backup, rebuilt from paper in days, nothing carried away": (
        replace(MALICE, availability="temporary", restorable=False, people="up_to_100"),
        "notify_authority",
    ),
    "ransomware in a hospital, backup, operations put off": (
        replace(
            MALICE, data_class="sensitive", special_categories=True, vulnerable_people=True, availability="temporary"
        ),
        "notify_authority_and_people",
    ),
    "ransomware, no backup, identity and card data carried away": (
        replace(EXFILTRATED, data_class="financial", identity_data=True, availability="permanent", restorable=False),
        "notify_authority_and_people",
    ),
    "job applications carried away through a web site": (
        replace(EXFILTRATED, dpc_adjustment=1, people="more_than_100"),
        "notify_authority_and_people",
    ),
    "passwords carried away, salted and soundly hashed": (
        replace(EXFILTRATED, identity_data=True, unintelligible=True, people="more_than_100"),
        "record_only",
    ),
    "credential stuffing at a bank": (
        replace(EXFILTRATED, data_class="financial", people="more_than_100"),
        "notify_authority_and_people",
    ),
    "business contacts copied by somebody who left": (
        replace(EXFILTRATED, confidentiality="known_recipients", people="up_to_100"),
        "notify_authority",
    ),
    "a list sent to a trusted agent who confirmed deletion": (
        replace(MISDIRECTED, recipient_trusted=True, people="up_to_100"),
        "record_only",
    ),
    "encrypted tablets stolen, data in a backup": (
        replace(EXFILTRATED, unintelligible=True, availability="temporary", people="more_than_100"),
        "record_only",
    ),
    "the same with invoices on them": (
        replace(EXFILTRATED, data_class="financial", unintelligible=True, availability="temporary"),
        "record_only",
    ),
    "a readable notebook stolen, many customers": (
        replace(EXFILTRATED, dpc_adjustment=1, people="more_than_100"),
        "notify_authority_and_people",
    ),
    "paper files of a clinic stolen, no copy": (
        replace(
            EXFILTRATED,
            data_class="sensitive",
            special_categories=True,
            vulnerable_people=True,
            availability="permanent",
            restorable=False,
        ),
        "notify_authority_and_people",
    ),
    "two parcels with each other's bills, returned": (
        replace(MISDIRECTED, recipient_trusted=True, people="up_to_100"),
        "record_only",
    ),
    "social security numbers of job seekers mailed to the wrong people": (
        replace(MISDIRECTED, identity_data=True, people="more_than_100"),
        "notify_authority_and_people",
    ),
    "a list with two food intolerances mailed to course members, deletion asked": (
        replace(MISDIRECTED, data_class="sensitive", dpc_adjustment=-2, recipient_trusted=True, people="up_to_100"),
        "record_only",
    ),
    "one insurance letter in the wrong envelope": (replace(MISDIRECTED, people="up_to_100"), "notify_authority"),
    "somebody passes for a customer on the telephone": (
        replace(EXFILTRATED, identity_data=True, people="up_to_100"),
        "notify_authority_and_people",
    ),
    "a mailbox forwarded, with salaries and bank data": (
        replace(EXFILTRATED, data_class="financial", people="up_to_100"),
        "notify_authority_and_people",
    ),
}


@pytest.mark.parametrize("case", EDPB_01_2021)
def test_edpb_01_2021_the_proposal_agrees_with_the_worked_cases(case: str) -> None:
    inputs, duty = EDPB_01_2021[case]
    assert assess(inputs).duty == duty


DECIDED_ELSEWHERE = {
    "art-34-1-vulnerable-people": Inputs(
        special_categories=True, identification="limited", vulnerable_people=True, availability="temporary"
    ),
    "art-33-1-interrupted": Inputs(data_class="sensitive", availability="temporary"),
    "art-33-1-trusted-but-grave": replace(MISDIRECTED, data_class="sensitive", recipient_trusted=True),
    "art-33-1-restored": Inputs(availability="temporary"),
    "art-33-1-harmless": replace(MISDIRECTED, identification="negligible"),
    "art-33-5-nothing-shown": Inputs(),
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_rule_decides_some_case(rule: Any) -> None:
    cases = [*(inputs for inputs, _ in EDPB_01_2021.values()), *DECIDED_ELSEWHERE.values()]
    assert rule in [assess(inputs).rule for inputs in cases]


@pytest.mark.parametrize(("name", "inputs"), DECIDED_ELSEWHERE.items())
def test_the_rule_is_named(name: str, inputs: Inputs) -> None:
    assert assess(inputs).rule.name == name


def test_reasons_are_sentences_the_deciding_one_first_and_no_factor_left_out() -> None:
    severity = assess(replace(EXFILTRATED, data_class="financial", people="more_than_100"))
    assert severity.reasons[0] == severity.rule.reason
    assert severity.reasons[1] == "Severity 4, very high: context 3 x identification 1 + circumstances 1."
    assert severity.reasons[2:] == (
        "Somebody else can read the data.",
        "It is financial data.",
        "No vulnerable people are known to be concerned.",
        "The data was carried away.",
        "All data is intact and at hand.",
        "No recipient is known to be trusted.",
        "More than 100 people are concerned.",
    )


@given(INPUT)
def test_every_proposal_has_a_rule_a_law_and_whole_sentences(inputs: Inputs) -> None:
    severity = assess(inputs)
    assert "GDPR Art." in severity.reasons[0]
    assert all(reason[0].isupper() and reason.endswith(".") for reason in severity.reasons)
    assert severity.score == severity.context * severity.identification + severity.circumstances
    assert 0.25 <= severity.score <= 6


@given(INPUT, st.sampled_from(INPUTS), st.data())
def test_a_graver_input_never_lowers_the_score_or_the_duty(inputs: Inputs, spec: Any, data: st.DataObject) -> None:
    mild, grave = sorted(data.draw(st.tuples(*[st.sampled_from(range(len(spec.values)))] * 2)))
    better, worse = (assess(inputs.but(spec.name, spec.values[place])) for place in (mild, grave))
    assert better.score <= worse.score
    assert DUTIES.index(better.duty) <= DUTIES.index(worse.duty)
