"""Every notice tells how to check it and where to complain, once."""

import pytest

from breachwatch.notices.closing import with_closing

VALUES = {
    "website": "https://shop.example/",
    "dpo_email": "dpo@example.org",
    "dpo_phone": "(not given)",
    "authority": "CNIL",
    "authority_url": "https://www.cnil.fr/",
}


@pytest.mark.parametrize(
    ("language", "verify", "complain"),
    [
        ("en", "is real", "right to complain"),
        ("fr", "authentique", "réclamation"),
        ("de", "is real", "right to complain"),
    ],
)
def test_a_text_that_says_neither_gets_both(language: str, verify: str, complain: str) -> None:
    text = with_closing("Hello.", language, VALUES)
    assert verify in text
    assert complain in text
    assert with_closing(text, language, VALUES) == text


def test_a_text_that_says_both_in_its_own_words_stays_as_it_is() -> None:
    own = "Type {website}, write to dpo@example.org, or complain to CNIL (https://www.cnil.fr/).\n"
    assert with_closing(own, "en", VALUES) == own


def test_only_what_is_lacking_is_added() -> None:
    text = with_closing("Complain to {authority}, {authority_url}.", "en", VALUES)
    assert "{#verify}" in text
    assert "{#complaint}" not in text
