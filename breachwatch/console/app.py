"""The desk as an ASGI application: pages for people, ingest for programs, JSON for both."""

from starlette.applications import Starlette

from breachwatch.console.parts import ConsoleParts

__all__ = ["ConsoleParts", "create_app"]


def create_app(parts: ConsoleParts) -> Starlette:
    """The application over these parts. `app.state.access` maps (method, path template) to who may call it."""
    app = Starlette()
    app.state.parts = parts
    app.state.access = {}
    return app
