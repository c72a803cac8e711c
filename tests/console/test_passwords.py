"""What is stored of a secret is a hash, and codes survive being copied by hand."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breachwatch.console.passwords import (
    hash_password,
    new_token,
    one_time_code,
    same,
    token_hash,
    typed_code,
    verify_password,
    weakness,
)


def test_a_password_is_kept_as_argon2id_with_a_salt_of_its_own() -> None:
    first, second = hash_password("seven quiet herons"), hash_password("seven quiet herons")
    assert first.startswith("$argon2id$")
    assert first != second
    assert verify_password(first, "seven quiet herons")
    assert not verify_password(first, "seven quiet heron")


def test_nobody_has_no_password_and_a_spoilt_hash_opens_nothing() -> None:
    assert not verify_password(None, "a password that nobody has")
    assert not verify_password("not a hash", "anything")
    assert not verify_password("", "")


@pytest.mark.parametrize("draw", range(5))
def test_a_code_survives_capitals_blanks_and_missing_dashes(draw: int) -> None:
    code = one_time_code()
    assert re.fullmatch(r"[a-hjkmnp-tv-z2-9]{4}(-[a-hjkmnp-tv-z2-9]{4}){4}", code)
    for typed in (code.upper(), code.replace("-", ""), f"  {code.replace('-', ' ')}\n", code.replace("-", "–")):
        assert token_hash(typed_code(typed)) == token_hash(code)


def test_tokens_and_codes_are_never_the_same_twice() -> None:
    assert len({one_time_code() for _ in range(200)} | {new_token() for _ in range(200)}) == 400


def test_an_empty_secret_equals_nothing() -> None:
    assert not same("", "")
    assert not same("", "x")
    assert same("x", "x")


@given(st.text(min_size=12, max_size=256).filter(lambda text: len(set(text)) > 4))
def test_any_long_enough_and_varied_password_is_taken(password: str) -> None:
    assert weakness(password, "") == ""
