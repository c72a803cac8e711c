"""The desk as an ASGI application: pages for people, ingest for programs, JSON for both."""

from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import Response

from breachwatch.console.access import ANYBODY, Page, table
from breachwatch.console.headers import SecurityHeaders
from breachwatch.console.pages import api, filing, inbox, incident, ingest, notices, register, sign_in, status, team
from breachwatch.console.parts import ConsoleParts
from breachwatch.console.sessions import Sessions
from breachwatch.console.shell import oops, route
from breachwatch.console.templating import environment, read_assets
from breachwatch.console.visits import Desk

__all__ = ["ConsoleParts", "create_app"]


async def _static(desk: Desk, request: Request) -> Response:
    """A file of the desk's own; its address carries its digest, so it may be kept for good."""
    asset = desk.assets.get(request.path_params["name"])
    if asset is None:
        raise HTTPException(404)
    content, kind, digest = asset
    fresh = request.query_params.get("v") == digest
    age = "public, max-age=31536000, immutable" if fresh else "no-cache"
    return Response(content, media_type=kind, headers={"Cache-Control": age, "ETag": f'"{digest}"'})


PAGES: tuple[Page, ...] = (
    *status.PAGES,
    Page("GET", "/static/{name}", ANYBODY, _static, "raw"),
    *sign_in.PAGES,
    *inbox.PAGES,
    *incident.PAGES,
    *filing.PAGES,
    *notices.PAGES,
    *register.PAGES,
    *team.PAGES,
    *api.PAGES,
    *ingest.PAGES,
)
"""Every route of the desk: there is no other way in."""


def create_app(parts: ConsoleParts) -> Starlette:
    """The application over these parts. `app.state.access` maps (method, path template) to who may call it."""
    assets = read_assets()
    desk = Desk(parts, Sessions(parts.team, parts.now), environment(assets), assets)
    handle = _handler(desk)
    app = Starlette(
        routes=[route(page, desk) for page in PAGES],
        middleware=[
            Middleware(SecurityHeaders, tls=parts.secure_cookies),
            Middleware(TrustedHostMiddleware, allowed_hosts=list(parts.allowed_hosts), www_redirect=False),
        ],
        exception_handlers={HTTPException: handle, Exception: handle},
    )
    app.router.redirect_slashes = False
    app.state.access = table(PAGES)
    return app


def _handler(desk: Desk) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def handle(request: Request, error: Exception) -> Response:
        response: Response = oops(desk, request, error)
        return response

    return handle
