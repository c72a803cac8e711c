"""Access logs of Caddy and Traefik in JSON, under the names that other web servers' logs have (`c-ip`, `cs-uri`, ...).

Traefik also writes the common format with fields of its own behind; both may come in one stream. What the two servers
say in the same JSON about themselves is no access, and is ignored.
"""

from collections.abc import Mapping
from datetime import tzinfo
from typing import Any

from breachwatch.sources.event import BAD_TIME, BLANK, NO_TIME, Dead, Event, Ignored, Outcome, Parse, placed
from breachwatch.sources.formats import combined
from breachwatch.sources.formats.combined import put_uri
from breachwatch.sources.formats.endpoints import endpoint
from breachwatch.sources.formats.outcomes import Fields, guarded, json_object
from breachwatch.sources.formats.times import SECOND_US, read_instant

NOT_JSON = Dead("not JSON")
NO_ACCESS = Ignored("not an access log line")


def caddy(zone: tzinfo) -> Parse:
    """A parser of Caddy's log; times without an offset are of `zone`."""

    def read(text: str, received_us: int) -> Outcome:
        at = text.find("{")
        record = json_object(text[at:]) if at >= 0 else None
        if record is None:
            return NOT_JSON if text.strip() else BLANK
        request = record.get("request")
        if not isinstance(request, Mapping) or "method" not in request:
            return NO_ACCESS
        at_us = _time(record.get("ts"), zone, received_us)
        if at_us is None:
            return NO_TIME if record.get("ts") is None else BAD_TIME
        return placed(at_us, received_us, _of_caddy(record, request))

    return guarded(read)


def traefik(zone: tzinfo) -> Parse:
    """A parser of Traefik's access log; times without an offset are of `zone`."""
    access = combined.reader(zone)

    def read(text: str, received_us: int) -> Outcome:
        if text[:1] != "{":
            outcome = access(text, received_us)
            if isinstance(outcome, Event):
                _of_common(outcome.fields)
            return outcome
        record = json_object(text)
        if record is None:
            return NOT_JSON
        if "RequestMethod" not in record and "ClientAddr" not in record and "DownstreamStatus" not in record:
            return NO_ACCESS
        stamp = record.get("StartUTC") or record.get("time") or record.get("StartLocal")
        at_us = _time(stamp, zone, received_us)
        if at_us is None:
            return NO_TIME if stamp is None else BAD_TIME
        return placed(at_us, received_us, _of_traefik(record))

    return guarded(read)


def _time(stamp: object, zone: tzinfo, received_us: int) -> int | None:
    if isinstance(stamp, str):
        return read_instant(stamp.replace("/", "-"), zone, received_us)
    if isinstance(stamp, bool) or not isinstance(stamp, int | float) or not 0 <= stamp < 1e15:
        return None
    return round(stamp * (SECOND_US if stamp < 1e11 else 1000))


def _of_caddy(record: Mapping[str, Any], request: Mapping[str, Any]) -> Fields:
    fields: Fields = {}
    headers = request.get("headers")
    headers = {str(name).lower(): value for name, value in headers.items()} if isinstance(headers, Mapping) else {}
    address, port = endpoint(_text(request.get("remote_addr")))
    _put(fields, "c-ip", _text(request.get("client_ip")) or _text(request.get("remote_ip")) or address)
    _put(fields, "peer_ip", _text(request.get("remote_ip")) or address)
    _put_number(fields, "src_port", request.get("remote_port") if port is None else port)
    _request(fields, request.get("method"), request.get("uri"), request.get("proto"))
    _put(fields, "cs-host", _text(request.get("host")))
    _put(fields, "cs-user-agent", _first(headers.get("user-agent")))
    _put(fields, "cs-referer", _first(headers.get("referer")))
    _put(fields, "cs-username", _text(record.get("user_id")))
    _put_number(fields, "sc-status", record.get("status"))
    _put_number(fields, "sc-bytes", record.get("size"))
    _put_number(fields, "cs-bytes", record.get("bytes_read"))
    _put(fields, "level", _text(record.get("level")))
    _put(fields, "logger", _text(record.get("logger")))
    if isinstance(record.get("duration"), float | int):
        fields["duration"] = record["duration"]
    return fields


def _of_traefik(record: Mapping[str, Any]) -> Fields:
    fields: Fields = {}
    address, port = endpoint(_text(record.get("ClientAddr")))
    _put(fields, "c-ip", _text(record.get("ClientHost")) or address)
    _put_number(fields, "src_port", record.get("ClientPort") if port is None else port)
    _request(fields, record.get("RequestMethod"), record.get("RequestPath"), record.get("RequestProtocol"))
    _put(fields, "cs-host", _text(record.get("RequestHost")) or _text(record.get("RequestAddr")))
    _put(fields, "cs-username", _text(record.get("ClientUsername")))
    _put(fields, "cs-user-agent", _text(record.get("request_User-Agent")))
    _put(fields, "cs-referer", _text(record.get("request_Referer")))
    status = record.get("DownstreamStatus")
    _put_number(fields, "sc-status", record.get("OriginStatus") if status is None else status)
    size = record.get("DownstreamContentSize")
    _put_number(fields, "sc-bytes", record.get("OriginContentSize") if size is None else size)
    _put_number(fields, "cs-bytes", record.get("RequestContentSize"))
    _put(fields, "router", _text(record.get("RouterName")))
    _put(fields, "service", _text(record.get("ServiceName")))
    _put(fields, "level", _text(record.get("level")))
    if isinstance(record.get("Duration"), int):
        fields["duration"] = record["Duration"] / 1e9
    return fields


def _of_common(fields: Fields) -> None:
    """What Traefik writes behind the common format: `72 "router" "server's URL" 4ms`."""
    count, _, rest = str(fields.pop("rest", "")).partition(" ")
    router, server, *_ = [*rest.split('"')[1::2], "", ""]
    _put_number(fields, "request_count", count)
    _put(fields, "router", router)
    _put(fields, "service", server)


def _request(fields: Fields, method: object, uri: object, protocol: object) -> None:
    _put(fields, "cs-method", _text(method))
    if text := _text(uri):
        put_uri(text, fields)
        fields["request"] = f"{_text(method)} {text} {_text(protocol)}".strip()
    _put(fields, "cs-version", _text(protocol).removeprefix("HTTP/"))


def _put(fields: Fields, name: str, value: str) -> None:
    if value and value != "-":
        fields[name] = value


def _put_number(fields: Fields, name: str, value: object) -> None:
    if isinstance(value, bool):
        return
    if isinstance(value, int):
        fields[name] = value
    elif isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 15:
        fields[name] = int(value)


def _first(value: object) -> str:
    return _text(value[0]) if isinstance(value, list) and value else _text(value)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
