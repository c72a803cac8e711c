"""Passwords, one-time codes and tokens: what is stored of each is a hash, and never the thing itself."""

import hmac
import secrets
from hashlib import sha256

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

MIN_LENGTH = 12
MAX_LENGTH = 256
"""Longer passwords only cost memory; nobody types them."""

_HASHER = PasswordHasher()
_LETTERS = "abcdefghjkmnpqrstvwxyz23456789"
"""No i, l, o, u, 0 or 1: nothing that is misread when a code is copied by hand."""
_GROUPS, _GROUP = 5, 4
_NOBODY = _HASHER.hash("a password that nobody has")


def hash_password(password: str) -> str:
    """The argon2id hash to store, with its salt and costs in it. Source: RFC 9106."""
    return _HASHER.hash(password)


def verify_password(stored: str | None, password: str) -> bool:
    """Whether this is the password; for an unknown member (None) it takes the same time to say no."""
    try:
        good = _HASHER.verify(stored or _NOBODY, password)
    except (Argon2Error, InvalidHashError):
        return False
    return good and stored is not None


def weakness(password: str, name: str) -> str:
    """What is wrong with a new password, in words for the person who chose it; empty when nothing is."""
    if len(password) < MIN_LENGTH:
        return f"The password needs at least {MIN_LENGTH} characters; a few words in a row are easy to remember."
    if len(password) > MAX_LENGTH:
        return f"The password may have at most {MAX_LENGTH} characters."
    if len(set(password)) < 5:
        return "The password repeats too few characters; a few words in a row are better."
    if name and name.casefold() in password.casefold():
        return "The password must not contain your sign-in name."
    return ""


def one_time_code() -> str:
    """A code for one sign-in: five groups of four letters and digits, about 98 bits."""
    groups = ("".join(secrets.choice(_LETTERS) for _ in range(_GROUP)) for _ in range(_GROUPS))
    return "-".join(groups)


def typed_code(text: str) -> str:
    """A code as a person typed it, back in the form it was printed in: case, blanks, dashes do not matter."""
    kept = "".join(char for char in text.casefold() if char.isalnum())
    return "-".join(kept[at : at + _GROUP] for at in range(0, len(kept), _GROUP))


def new_token() -> str:
    """256 bits for a session, a form or an ingest client, URL-safe."""
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> str:
    """What is stored of a token or one-time code: SHA-256 in hex. They are random, so they need no salt or cost."""
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def same(left: str, right: str) -> bool:
    """Compare two secrets in constant time; an empty one equals nothing."""
    return bool(left) and hmac.compare_digest(left.encode("utf-8", "replace"), right.encode("utf-8", "replace"))
