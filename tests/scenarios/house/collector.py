"""A collector of OpenTelemetry that keeps what it is sent, and a scraper of metrics."""

import gzip
import threading
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.request import Request, urlopen

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client.parser import text_string_to_metric_families

CHAIN = ("collect", "match", "correlate", "take alert", "incident", "mail")
"""The steps of a trace, each under the one before."""


class Collector:
    """Takes OTLP over HTTP, as a collector of OpenTelemetry does."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        bodies = self.bodies

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                bodies.append(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def spans(self) -> list[Any]:
        return [
            span
            for body in self.bodies
            for each in ExportTraceServiceRequest.FromString(body).resource_spans
            for scope in each.scope_spans
            for span in scope.spans
        ]

    def whole(self) -> list[list[Any]]:
        """The traces that lead from a record to a mail."""
        traces: dict[bytes, list[Any]] = defaultdict(list)
        for span in self.spans():
            traces[span.trace_id].append(span)
        return [spans for spans in traces.values() if set(CHAIN) <= {span.name for span in spans}]

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def attributes(span: Any) -> dict[str, str]:
    """The texts that a span tells."""
    return {each.key: each.value.string_value for each in span.attributes}


def asked(url: str) -> str:
    """What a process answers at its address for operators."""
    with urlopen(Request(url), timeout=10) as answer:  # noqa: S310 - this machine's own
        return str(answer.read().decode())


def samples(url: str) -> dict[tuple[str, ...], float]:
    """Every sample of `/metrics`: its name and the values of its labels in the order of their names, to its value."""
    return {
        (one.name, *(value for _, value in sorted(one.labels.items()))): one.value
        for family in text_string_to_metric_families(asked(f"{url}/metrics"))
        for one in family.samples
    }
