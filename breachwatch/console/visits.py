"""A visit: one request of one person to one page, with everything its answer needs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

from jinja2 import Environment
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from breachwatch.console.parts import ConsoleParts
from breachwatch.console.sessions import Session, Sessions
from breachwatch.kernel.errors import BreachwatchError, RefusedError
from breachwatch.kernel.facts import Actor
from breachwatch.kernel.ids import IncidentId
from breachwatch.kernel.ports import Member


class ForbiddenError(BreachwatchError):
    """This person may not do this; the text says who may."""


class BadFormError(RefusedError):
    """A field of a form was left out or cannot be read; the text names it."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What all visits share."""

    parts: ConsoleParts
    sessions: Sessions
    templates: Environment
    assets: Mapping[str, tuple[bytes, str, str]]
    """File name to (content, media type, digest)."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One request. `path` holds the path's parameters, `form` each field's values as sent, `query` the query's."""

    desk: Desk
    now: datetime
    url_path: str
    path: Mapping[str, str]
    query: Mapping[str, str]
    form: Mapping[str, Sequence[str]] = field(default_factory=dict)
    session: Session | None = None
    client: str = ""
    door: str = ""
    """The token of the sign-in form's own cookie."""

    @property
    def parts(self) -> ConsoleParts:
        """The desk's parts."""
        return self.desk.parts

    @property
    def member(self) -> Member:
        """Who is here.

        Raises:
            ForbiddenError: nobody is; only public pages see such visits.
        """
        if self.session is None:
            raise ForbiddenError("sign in first")
        return self.session.member

    @property
    def actor(self) -> Actor:
        """Who speaks in the case file."""
        return Actor(self.member.name, "person", self.member.roles)

    @property
    def zone(self) -> ZoneInfo:
        """The organisation's time zone, in which people write and read local times."""
        return ZoneInfo(self.parts.flow.organisation.timezone)

    @property
    def incident_id(self) -> IncidentId:
        """The incident in the path."""
        return IncidentId(self.path["id"])

    # ------------------------------------------------------------------ what the form says

    def text(self, name: str, label: str = "") -> str:
        """A field's text, trimmed, line ends made plain.

        Raises:
            BadFormError: `label` is given, so the field is required, and it is empty.
        """
        value = self.form.get(name, [""])[0].replace("\r\n", "\n").replace("\x00", "").strip()
        if label and not value:
            raise BadFormError(f"Please fill in “{label}”.")
        return value

    def number(self, name: str, label: str) -> int | None:
        """A whole number of at least 0, or None where the field was left empty.

        Raises:
            BadFormError: something else was written.
        """
        value = self.text(name).replace(" ", "").replace("\N{NO-BREAK SPACE}", "")
        if not value:
            return None
        if not value.isascii() or not value.isdigit() or len(value) > 12:
            raise BadFormError(f"“{label}” takes a whole number, or nothing while it is unknown.")
        return int(value)

    def instant(self, name: str, label: str, *, required: bool = False) -> datetime | None:
        """A local time of the organisation's zone (`2026-03-27T18:05`), or any RFC 3339 instant, in UTC.

        Of the two instants that a clock set back makes of one local time, the earlier is meant.

        Raises:
            BadFormError: something else was written, or nothing where `required`.
        """
        value = self.text(name, label if required else "")
        if not value:
            return None
        try:
            read = datetime.fromisoformat(value)
            local = read if read.tzinfo else read.replace(tzinfo=self.zone)
            return local.astimezone(UTC)
        except (ValueError, OverflowError):
            raise BadFormError(f"“{label}” needs a date and a time, such as 2026-03-27 18:05.") from None

    def seq(self) -> int:
        """The number of the case's last fact when the page with this form was made.

        Raises:
            BadFormError: the form does not say.
        """
        value = self.text("seq")
        if not value.isascii() or not value.isdigit() or len(value) > 12:
            raise BadFormError("This form does not say which state of the case it was made for. Open the page again.")
        return int(value)

    # ------------------------------------------------------------------ answers

    def page(self, template: str, status: int = 200, **values: Any) -> Response:
        """An HTML page."""
        return HTMLResponse(render(self, template, **values), status)

    def data(self, value: Any, status: int = 200) -> Response:
        """A JSON document."""
        return JSONResponse(value, status)

    def go(self, path: str, *, done: str = "", anchor: str = "") -> Response:
        """See another page next (POST, redirect, GET); `done` names a sentence of `words.DONE` to show there."""
        query = f"?{urlencode({'done': done})}" if done else ""
        return RedirectResponse(quote(path, safe="/?=&-._~") + query + (f"#{anchor}" if anchor else ""), 303)


def render(visit: Visit, template: str, **values: Any) -> str:
    """A page's HTML, with what every page shows."""
    shared = {
        "visit": visit,
        "now": visit.now,
        "zone": visit.zone,
        "organisation": visit.parts.flow.organisation,
        "session": visit.session,
        "member": visit.session.member if visit.session else None,
        "roles": visit.session.member.roles if visit.session else frozenset(),
        "csrf": visit.session.csrf if visit.session else "",
        "mailbox_url": visit.parts.mailbox_url,
        "done": visit.query.get("done", ""),
    }
    return visit.desk.templates.get_template(template).render({**shared, **values})
