"""The team: who may sign in, with which roles, and one-time codes for those who cannot."""

import re
from datetime import timedelta
from typing import cast

from starlette.responses import Response

from breachwatch.console.access import ADMIN, Page
from breachwatch.console.passwords import one_time_code, token_hash
from breachwatch.console.visits import BadFormError, Visit
from breachwatch.console.words import ROLES
from breachwatch.kernel.errors import NotFoundError, RefusedError
from breachwatch.kernel.facts import Role
from breachwatch.kernel.ports import Member

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
CODE_LIFE = timedelta(hours=1)


def show_team(visit: Visit) -> Response:
    """Everybody, and the forms to change them."""
    return visit.page("team.html", members=visit.parts.team.members(), all_roles=ROLES, code="", code_for="")


def save(visit: Visit) -> Response:
    """Add a member, or change one's name, roles or activity."""
    name = visit.text("name", "Sign-in name").lower()
    if not NAME.fullmatch(name):
        raise BadFormError("A sign-in name is made of a-z, 0-9, dot, dash and underscore, at most 64 of them.")
    roles = frozenset(cast("Role", role) for role in visit.form.get("roles", []) if role in ROLES)
    if not roles:
        raise BadFormError("Choose at least one role.")
    active = visit.text("active") != "0"
    _keep_an_admin(visit, name, roles, active=active)
    visit.parts.team.put(Member(name, visit.text("display_name") or name, roles, active), None)
    return visit.go("/team", done="member")


def _keep_an_admin(visit: Visit, name: str, roles: frozenset[Role], *, active: bool) -> None:
    """Nobody can lock the team out of its own administration by a slip."""
    if active and "admin" in roles:
        return
    others = [one for one in visit.parts.team.members() if one.active and "admin" in one.roles and one.name != name]
    if not others:
        raise RefusedError("At least one active member has to stay an administrator.")


def offer_sign_in(visit: Visit) -> Response:
    """A one-time code, shown this once; only its hash is kept."""
    name = visit.text("name", "Sign-in name")
    members = visit.parts.team.members()
    if not any(member.name == name and member.active for member in members):
        raise NotFoundError("No active member has this name.")
    code = one_time_code()
    visit.parts.team.offer_sign_in(name, token_hash(code), visit.now + CODE_LIFE)
    return visit.page("team.html", members=members, all_roles=ROLES, code=code, code_for=name)


PAGES = (
    Page("GET", "/team", ADMIN, show_team),
    Page("POST", "/team", ADMIN, save),
    Page("POST", "/team/sign-in", ADMIN, offer_sign_in),
)
