"""The shell around every page: who is it, may they, is the form theirs, and what is said when something is wrong."""

import asyncio
import logging
import traceback
from collections.abc import Mapping
from urllib.parse import parse_qsl, quote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from breachwatch.console.access import ANYBODY, Access, Page
from breachwatch.console.passwords import same
from breachwatch.console.sessions import Session, ThrottledError, csrf_fits
from breachwatch.console.visits import BadFormError, Desk, ForbiddenError, Visit
from breachwatch.console.words import OOPS, ROLE_NAMES
from breachwatch.kernel.errors import (
    BreachwatchError,
    ConflictError,
    NotFoundError,
    RefusedError,
    UnavailableError,
)
from breachwatch.kernel.posted import error_body

log = logging.getLogger(__name__)
MAX_FIELDS = 400
BODY_SECONDS = 120.0
"""How long a whole body may take to arrive: nobody holds a connection by sending one letter at a time."""


class TooLargeError(Exception):
    """The body is larger than the page takes."""


class TooSlowError(Exception):
    """The body did not arrive in time, or its sender has left."""


class WrongFormError(BreachwatchError):
    """A form without this session's token: too old, or made by somebody else's page."""


def cookie_name(desk: Desk, what: str = "breachwatch") -> str:
    """The cookie's name; over TLS with the prefix that ties it to this host and path."""
    return f"__Host-{what}" if desk.parts.secure_cookies else what


def route(page: Page, desk: Desk) -> Route:
    """A page as a Starlette route, in its shell."""

    async def endpoint(request: Request) -> Response:
        if page.kind == "raw":
            return await _raw(page, desk, request)
        return await _shelled(page, desk, request)

    return Route(page.path, endpoint, methods=[page.method], name=f"{page.method} {page.path}")


async def _raw(page: Page, desk: Desk, request: Request) -> Response:
    try:
        response: Response = await page.answer(desk, request)
    except Exception as error:
        return oops(desk, request, error, page)
    return response


async def _shelled(page: Page, desk: Desk, request: Request) -> Response:
    visit: Visit | None = None
    try:
        body = await read_body(request, page.limit) if page.method == "POST" else b""
        visit = await run_in_threadpool(_enter, desk, request, body)
        turned_away = _turned_away(page, visit, request)
        if turned_away is not None:
            return turned_away
        _check_form(page, visit, request)
        response: Response = await run_in_threadpool(page.answer, visit)
    except Exception as error:
        response = await run_in_threadpool(oops, desk, request, error, page, visit)
    return response


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body.

    Raises:
        TooLargeError: it says, or turns out, to be larger than `limit` bytes.
        TooSlowError: it did not arrive within `BODY_SECONDS`, or never will.
    """
    said = request.headers.get("content-length", "0")
    if not said.isascii() or not said.isdigit() or int(said) > limit:
        raise TooLargeError
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await _received(request, limit)
    except (TimeoutError, ClientDisconnect):
        raise TooSlowError from None


async def _received(request: Request, limit: int) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise TooLargeError
        parts.append(part)
    return b"".join(parts)


def _enter(desk: Desk, request: Request, body: bytes) -> Visit:
    token = request.cookies.get(cookie_name(desk), "")
    polling = request.headers.get("x-breachwatch-refresh") == "1"
    return Visit(
        desk=desk,
        now=desk.parts.now(),
        url_path=request.url.path,
        path=dict(request.path_params),
        query=dict(request.query_params),
        form=_form(request, body),
        session=desk.sessions.find(token, using=not polling) if token else None,
        client=request.client.host if request.client else "",
        door=request.cookies.get(cookie_name(desk, "breachwatch-door"), ""),
    )


def _form(request: Request, body: bytes) -> Mapping[str, list[str]]:
    if not body:
        return {}
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise HTTPException(415)
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="replace")
    except ValueError as error:
        raise HTTPException(400) from error
    form: dict[str, list[str]] = {}
    for name, value in pairs:
        form.setdefault(name, []).append(value)
    return form


def _turned_away(page: Page, visit: Visit, request: Request) -> Response | None:
    """The answer to somebody who may not see this page, or None."""
    if not isinstance(page.access, frozenset):
        return None
    if visit.session is None:
        if page.kind == "data":
            return JSONResponse({"error": {"code": "signed_out", "message": "Sign in first."}}, 401)
        if page.method == "GET" and request.headers.get("sec-fetch-site") in ("cross-site", "same-site"):
            return visit.page("arriving.html", target=_own_url(request))
        target = f"?next={quote(_own_url(request), safe='')}" if page.method == "GET" and page.path != "/" else ""
        return RedirectResponse(f"/sign-in{target}", 303)
    if not page.access & visit.session.member.roles:
        raise ForbiddenError(_who_may(page.access))
    return None


def _own_url(request: Request) -> str:
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def _who_may(access: Access) -> str:
    names = [ROLE_NAMES[role] for role in ("analyst", "dpo", "admin") if role in access]
    return f"This is for {' or '.join(names)}. Ask whoever administers the team if you need it."


def _check_form(page: Page, visit: Visit, request: Request) -> None:
    if page.method != "POST":
        return
    sent = (visit.form.get("csrf") or [""])[0]
    fits = csrf_fits(visit.session, sent) if visit.session and page.access != ANYBODY else same(visit.door, sent)
    if not fits or not _same_origin(request):
        raise WrongFormError("This form was not made by this desk for your session, or is too old.")


def _same_origin(request: Request) -> bool:
    """Browsers say where a form comes from. Our own forms say `null`, since our pages send no referrer at all."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = request.headers.get("origin", "null")
    return origin == "null" or urlsplit(origin).netloc == request.headers.get("host", "")


# ---------------------------------------------------------------------------------------------- what went wrong


def oops(
    desk: Desk, request: Request, error: Exception, page: Page | None = None, visit: Visit | None = None
) -> Response:
    """The answer to an error: plain words and what to do, never what the program was holding."""
    status, detail = _told(error)
    if status == 500:
        log.error("%s: %s at %s", page.path if page else "no page", type(error).__name__, _place(error))
    headers = {503: {"Retry-After": "5"}, 429: {"Retry-After": "900"}, 408: {"Connection": "close"}}.get(status, {})
    if status == 405 and isinstance(error, HTTPException):
        headers = dict(error.headers or {})
    title, advice = OOPS[status]
    if (page is not None and page.kind != "page") or request.url.path.startswith(("/api/", "/ingest/")):
        return JSONResponse(error_body(status, detail or title), status, headers=headers)
    try:
        response = _oops_page(desk, request, status, detail, page, visit)
    except Exception as second:
        log.error("the error page itself: %s at %s", type(second).__name__, _place(second))
        response = PlainTextResponse(f"{title}. {advice}\n", status)
    response.headers.update(headers)
    return response


def _oops_page(
    desk: Desk, request: Request, status: int, detail: str, page: Page | None, visit: Visit | None
) -> Response:
    title, advice = OOPS[status]
    seen = visit or Visit(desk, desk.parts.now(), request.url.path, {}, {})
    return seen.page(
        "oops.html", status, code=status, title=title, detail=detail, advice=advice,
        written=_written(seen), back=_back(request, page),
    )  # fmt: skip


def _told(error: Exception) -> tuple[int, str]:
    match error:
        case HTTPException(status_code=status):
            return (status if status in OOPS else 500), ""
        case TooLargeError():
            return 413, ""
        case TooSlowError():
            return 408, ""
        case ThrottledError():
            return 429, ""
        case ForbiddenError() | WrongFormError():
            return 403, str(error)
        case NotFoundError():
            return 404, str(error)
        case ConflictError():
            return 409, str(error)
        case BadFormError() | RefusedError():
            return 422, str(error)
        case UnavailableError():
            return 503, str(error)
        case _:
            return 500, ""


def _place(error: Exception) -> str:
    """The file and line that raised it, without any value."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else "nowhere"


_SECRET_FIELDS = frozenset({"csrf", "password", "password_again", "current_password", "code", "seq", "digest"})


def _written(visit: Visit) -> list[tuple[str, str]]:
    """The longer texts of a form that could not be taken, so that nobody has to write them again."""
    if visit.session is None:
        return []
    texts = [(name, value) for name, values in visit.form.items() for value in values]
    return [(name, text) for name, text in texts if name not in _SECRET_FIELDS and len(text) > 15][:40]


def _back(request: Request, page: Page | None) -> str:
    """The page that the form was on."""
    identity = request.path_params.get("id", "")
    if page is None or not identity:
        return "/"
    if page.path.startswith("/alerts/"):
        return f"/alerts/{identity}"
    room = next((room for room in ("filing", "notices") if f"/{room}" in page.path), "")
    return f"/incidents/{identity}" + (f"/{room}" if room else "")


def signed_in(desk: Desk, response: Response, token: str) -> Response:
    """Give the browser its session cookie, and take the sign-in form's away."""
    secure = desk.parts.secure_cookies
    response.set_cookie(cookie_name(desk), token, path="/", httponly=True, samesite="strict", secure=secure)
    response.delete_cookie(cookie_name(desk, "breachwatch-door"), path="/", httponly=True, secure=secure)
    return response


def signed_out(desk: Desk, response: Response) -> Response:
    """Take the session cookie away."""
    response.delete_cookie(
        cookie_name(desk), path="/", httponly=True, samesite="strict", secure=desk.parts.secure_cookies
    )
    return response


def with_door(desk: Desk, response: Response, door: str) -> Response:
    """Give the browser the cookie that its sign-in form must match, so that nobody else can sign it in."""
    response.set_cookie(
        cookie_name(desk, "breachwatch-door"), door, path="/", httponly=True, samesite="strict",
        secure=desk.parts.secure_cookies,
    )  # fmt: skip
    return response


def session_of(visit: Visit) -> Session:
    """The session of a page that only members see."""
    if visit.session is None:
        raise ForbiddenError("sign in first")
    return visit.session
