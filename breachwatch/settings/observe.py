"""`[observe]`: where a process tells how it is doing, and to whom."""

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from breachwatch.settings.shapes import LOOPBACK, Port, Section

Role = Literal["up", "collect", "worker", "clock", "courier", "console"]
ROLES: tuple[Role, ...] = ("up", "collect", "worker", "clock", "courier", "console")
"""What a process may be; `up` is everything in one, or the head of a tree of the others."""

MOST_OF_A_ROLE = 100
"""Processes of one role on one machine that each have a port of their own."""


def _collector(url: str) -> str:
    if not url:
        return url
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("where traces go is a URL such as http://127.0.0.1:4318")
    if parts.username or parts.password:
        raise ValueError("a URL is no place for a secret; the variable OTEL_EXPORTER_OTLP_HEADERS may hold one")
    return url


class ObserveSection(Section):
    """Metrics, health and traces of each process; see `docs/how-to/watch-it-run.md`.

    `port` is the first of a row: each role has its place in it, and `number` tells processes of one role on one machine
    apart. `metrics_token_file` holds a token of one's own, which scrapers then have to show. `traces`: where spans go
    by OTLP over HTTP; empty: nowhere.
    """

    host: str = "127.0.0.1"
    port: Port = 9464
    number: Annotated[int, Field(ge=0, lt=MOST_OF_A_ROLE)] = 0
    metrics_token_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    traces: Annotated[str, AfterValidator(_collector)] = ""
    log_format: Literal["text", "json"] = "text"

    @model_validator(mode="after")
    def _not_open_to_everybody(self) -> "ObserveSection":
        if bool(self.certificate_file) != bool(self.key_file):
            raise ValueError("certificate_file and key_file go together")
        if self.port_of(ROLES[-1]) > 65535:
            raise ValueError("no port is left for the roles and numbers after this one; choose a lower one")
        if self.host not in LOOPBACK and not (self.certificate_file or self.metrics_token_file):
            raise ValueError(
                "beyond loopback metrics need certificate_file and key_file, or metrics_token_file; "
                "or keep host = 127.0.0.1"
            )
        return self

    def port_of(self, role: Role) -> int:
        """Where a process of this role listens; 0: any free port."""
        return self.port and self.port + ROLES.index(role) + len(ROLES) * self.number

    @property
    def chosen(self) -> bool:
        """Whether it is a port that the operator chose, so that another would not do."""
        return bool(self.port != type(self).model_fields["port"].default)
