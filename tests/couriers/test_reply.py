"""What a server's answer may cost a person: nothing that is not about the person."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breachwatch.couriers.reply import Accepted, PersonDeferred, PersonRefused, ServerTrouble, judge, without_addresses


@pytest.mark.parametrize(
    ("step", "code", "text", "verdict"),
    [
        ("data", 250, "2.0.0 queued as 4ABC", Accepted),
        ("rcpt", 550, "5.1.1 no such user", PersonRefused),
        ("rcpt", 552, "5.2.2 mailbox full for good", PersonRefused),
        ("data", 554, "5.6.0 content not wanted", PersonRefused),
        ("rcpt", 450, "4.2.0 greylisted", PersonDeferred),
        ("rcpt", 452, "4.2.2 mailbox full", PersonDeferred),
        ("rcpt", 421, "4.3.2 shutting down", ServerTrouble),
        ("data", 421, "4.3.2 shutting down", ServerTrouble),
        ("mail", 550, "5.1.8 sender refused", ServerTrouble),
        ("rcpt", 554, "5.7.1 relay access denied", ServerTrouble),
        ("data", 550, "5.7.26 not authenticated", ServerTrouble),
        ("rcpt", 550, "relaying denied", ServerTrouble),
        ("rcpt", 550, "5.1.1 we do not relay", ServerTrouble),
        ("rcpt", 553, "sorry, unable to relay for <ada@shop.example>", ServerTrouble),
        ("rcpt", 550, "5.1.1 relay.example knows no such user", PersonRefused),
        ("rcpt", 530, "authentication required", ServerTrouble),
    ],
)
def test_rfc_5321_4_2_an_answer_counts_against_whom_it_is_about(
    step: str, code: int, text: str, verdict: type[object]
) -> None:
    assert type(judge(step, code, text)) is verdict


@pytest.mark.parametrize(
    "text", ["<ada@shop.example> unknown", "5.1.1 ada@shop.example: no", "to=<ada+x@shop.example>, blocked"]
)
def test_an_answer_is_kept_without_the_address_it_repeats(text: str) -> None:
    kept = without_addresses(text)
    assert "shop.example" not in kept
    assert "ada" not in kept


@given(st.text(), st.integers(200, 599), st.sampled_from(["mail", "rcpt", "data"]))
def test_any_answer_gets_a_verdict_on_one_short_line(text: str, code: int, step: str) -> None:
    reply = judge(step, code, text).reply
    assert len(reply) <= 300
    assert "\n" not in reply
