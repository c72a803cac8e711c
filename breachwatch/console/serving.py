"""An ASGI application on a socket, for as long as the service runs."""

import asyncio
import logging
import socket
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import uvicorn

from breachwatch.kernel.errors import UnavailableError

log = logging.getLogger(__name__)
GRACE_SECONDS = 3


class WebServer:
    """Serves one application.

    Args:
        app: any ASGI application.
        listener: where; see `listen`.
        certificate_file: with `key_file`, TLS (PEM).
    """

    def __init__(
        self, app: Any, listener: socket.socket, certificate_file: Path | None = None, key_file: Path | None = None
    ) -> None:
        self._socket = listener
        self._config = uvicorn.Config(
            app,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=True,
            ssl_certfile=certificate_file,
            ssl_keyfile=key_file,
            timeout_graceful_shutdown=GRACE_SECONDS,
            h11_max_incomplete_event_size=64 * 1024,
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set; requests under way get three seconds to end."""
        server = _Quiet(self._config)
        serving = asyncio.create_task(server.serve(sockets=[self._socket]))
        waiting = asyncio.create_task(stop.wait())
        await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        waiting.cancel()
        await serving


class _Quiet(uvicorn.Server):
    """Signals belong to the service, not to one of its servers."""

    def capture_signals(self) -> Any:
        return nullcontext()


def listen(host: str, port: int) -> socket.socket:
    """A listening TCP socket, taken before anything starts, so that a port in use is told at once.

    Args:
        host: address to listen on.
        port: 0 picks a free one.

    Raises:
        UnavailableError: the address cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host.strip("[]"), port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise UnavailableError(f"cannot listen on {host} port {port}: {error.strerror}") from error
    listener.setblocking(False)
    return listener
