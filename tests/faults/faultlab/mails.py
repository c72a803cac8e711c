"""A relay that takes every mail and remembers which."""

import socket
from collections import Counter
from email import message_from_bytes
from typing import Any

from aiosmtpd.controller import Controller


class Mails:
    """`taken`: how often each Message-ID came."""

    def __init__(self) -> None:
        self.taken: Counter[str] = Counter()
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)
        self._controller.start()

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.taken[str(message_from_bytes(envelope.content)["Message-ID"])] += 1
        return "250 taken"

    def close(self) -> None:
        self._controller.stop()
