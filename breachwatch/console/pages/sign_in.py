"""Signing in, with a password or once with a code; signing out; setting a password."""

from starlette.responses import RedirectResponse, Response

from breachwatch.console.access import ANYBODY, MEMBERS, Page
from breachwatch.console.passwords import MIN_LENGTH, hash_password, new_token, verify_password, weakness
from breachwatch.console.shell import session_of, signed_in, signed_out, with_door
from breachwatch.console.visits import Visit

WRONG = "That name and password do not fit together."
WRONG_CODE = "That code is not known, was used before, or is too old. Ask for a new one."


def show_sign_in(visit: Visit) -> Response:
    """The sign-in form."""
    if visit.session is not None:
        return visit.go("/")
    return _door(visit, "sign_in.html", wrong="", next=_inside(visit.query.get("next", "")))


def sign_in(visit: Visit) -> Response:
    """Name and password for a session under a new token, whatever the browser carried before."""
    target = _inside(visit.text("next"))
    name, password = visit.text("name"), (visit.form.get("password") or [""])[0]
    token = visit.desk.sessions.sign_in(name, password, visit.client)
    if token is None:
        return _door(visit, "sign_in.html", status=403, wrong=WRONG, next=target)
    return _welcome(visit, token, target)


def show_sign_in_once(visit: Visit) -> Response:
    """The form for a one-time code; the code never stands in a URL, where logs and histories would keep it."""
    return _door(visit, "sign_in_once.html", wrong="")


def sign_in_once(visit: Visit) -> Response:
    """A one-time code for a session, in which a password can be set."""
    token = visit.desk.sessions.sign_in_once(visit.text("code"), visit.client)
    if token is None:
        return _door(visit, "sign_in_once.html", status=403, wrong=WRONG_CODE)
    return _welcome(visit, token, "/password")


def sign_out(visit: Visit) -> Response:
    """End the session."""
    visit.desk.sessions.end(session_of(visit).token)
    return signed_out(visit.desk, visit.go("/sign-in", done="signed-out"))


def show_password(visit: Visit) -> Response:
    """The form for a new password."""
    return visit.page("password.html", wrong="", needs_current=_needs_current(visit), min_length=MIN_LENGTH)


def set_password(visit: Visit) -> Response:
    """Set one's own password; every other session of this member ends."""
    new, again = (visit.form.get(name, [""])[0] for name in ("password", "password_again"))
    wrong = weakness(new, visit.member.name)
    if new != again:
        wrong = "The two new passwords differ."
    if _needs_current(visit) and not _is_current(visit):
        wrong = "The current password is not right."
    if wrong:
        values = {"wrong": wrong, "needs_current": _needs_current(visit), "min_length": MIN_LENGTH}
        return visit.page("password.html", 422, **values)
    visit.parts.team.put(visit.member, hash_password(new))
    token = visit.desk.sessions.renew(session_of(visit))
    return signed_in(visit.desk, visit.go("/", done="password"), token)


def _is_current(visit: Visit) -> bool:
    """Guessing here is throttled like guessing at the door."""
    typed = (visit.form.get("current_password") or [""])[0]
    stored = visit.parts.team.password_hash(visit.member.name)
    if verify_password(stored, typed):
        return True
    visit.desk.sessions.note_wrong_password(visit.member.name, visit.client)
    return False


def _needs_current(visit: Visit) -> bool:
    return session_of(visit).how == "p"


def _door(visit: Visit, template: str, status: int = 200, **values: str) -> Response:
    door = visit.door or new_token()
    return with_door(visit.desk, visit.page(template, status, door=door, **values), door)


def _welcome(visit: Visit, token: str, target: str) -> Response:
    if visit.session is not None:
        visit.desk.sessions.end(visit.session.token)
    return signed_in(visit.desk, RedirectResponse(target or "/", 303), token)


def _inside(target: str) -> str:
    """A path of this desk, or nothing: never another site, whatever the form says."""
    plain = target.isascii() and target.isprintable() and "\\" not in target
    return target if plain and target.startswith("/") and not target.startswith("//") else ""


PAGES = (
    Page("GET", "/sign-in", ANYBODY, show_sign_in),
    Page("POST", "/sign-in", ANYBODY, sign_in, limit=8 * 1024),
    Page("GET", "/sign-in/once", ANYBODY, show_sign_in_once),
    Page("POST", "/sign-in/once", ANYBODY, sign_in_once, limit=8 * 1024),
    Page("POST", "/sign-out", MEMBERS, sign_out, limit=8 * 1024),
    Page("GET", "/password", MEMBERS, show_password),
    Page("POST", "/password", MEMBERS, set_password, limit=8 * 1024),
)
