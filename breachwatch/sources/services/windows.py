"""Windows events as JSON, of whichever shape, under the flat names that Sigma gives them: `EventID`, `CommandLine`, ...

Three families are read: the event log's own XML put into JSON (`Event.System`, `Event.EventData`, as evtx_dump,
xmltodict or Velociraptor write it), Winlogbeat (`winlog.event_data`, ECS beside it), and flat records (NXLog, or
Sigma's names already). Names follow Sigma's taxonomy; attributes of system values are joined by `_`, as in
`Provider_Name`. A flat record with Sigma's names costs four look-ups.

Fields of a Winlogbeat record stay where they are, and the flat names are added, so that rules in ECS names match too.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from breachwatch.sources.formats.json_glance import Glanced, Shell
from breachwatch.sources.services.windows_names import (
    ANTIVIRUS,
    ECS_BY_TOP,
    ECS_OF_EVENT,
    FOUND,
    MEANT,
    NXLOG,
    SECURITY_4688,
    WINLOG,
)

Fields = dict[str, Any]

MADE = frozenset({"User", "TimeCreated_SystemTime", "ocsf.class_uid", "ocsf.status", "ocsf.src_endpoint.ip"})
"""Native paths whose text need not stand in the record."""

NETWORK_CONNECTION = 3
_ZEROES = ("0x0", "0x00000000", "0", 0)
_ONE = frozenset({"EventID", "TimeCreated_SystemTime"})
_PARAM = re.compile(r"param[0-9]{1,3}")
_TEXT = ("#text", "@text", "_text")


GLANCED = Glanced(
    kept=("UtcTime",),
    elsewhere={"System": "", "winlog": "@timestamp"},
    shells={"Event": Shell(("System", "TimeCreated", "#attributes", "SystemTime"), "TimeCreated_SystemTime")},
    whole=("EventID",),
    apart=("NewProcessName", "SourceName"),
    changed=frozenset({"TimeCreated_SystemTime", *(name for name, _ in ANTIVIRUS)}),
)
GLANCED_UNPACKED = replace(GLANCED, whole=(), apart=(), changed=frozenset())


def flat(fields: Fields) -> Fields:
    """The fields of a Windows event under flat names; what is flat already stays as it is.

    Any other object comes back unchanged: whether it is an event at all is told by its time and its `EventID`.
    """
    if "Event" in fields or "winlog" in fields or "System" in fields:
        return unpacked(fields)
    if "NewProcessName" in fields:
        _created(fields)
    if "SourceName" in fields:
        _named(fields)
    number = fields.get("EventID")
    if type(number) is not int:
        number = _number(fields.get("event_id") if number is None else number)
        if number is not None:
            fields["EventID"] = number
    if type(number) is int and number in MEANT:
        _meant(fields, number)
    if "UtcTime" in fields and not ("TimeCreated_SystemTime" in fields or "@timestamp" in fields):
        _timed(fields)
    return fields


def unpacked(fields: Fields) -> Fields:
    """As `flat`, but what is flat already is left alone, whatever it is."""
    event = fields.get("Event")
    if isinstance(event, dict) and isinstance(event.get("System"), dict):
        return _logged(event, fields)
    winlog = fields.get("winlog")
    if isinstance(winlog, dict):
        return _shipped(winlog, fields)
    system = fields.get("System")
    if isinstance(system, dict) and "EventID" in system:
        return _logged(fields, {})
    return fields


def _timed(fields: Fields) -> None:
    """Sysmon's `UtcTime` is the time where the record tells no other with its offset; it never has one itself."""
    utc = fields["UtcTime"]
    if isinstance(utc, str) and len(utc) > len("2026-03-27 13:06") and utc[-1].isdecimal():
        fields["TimeCreated_SystemTime"] = f"{utc}Z"


def _logged(event: Fields, around: Fields) -> Fields:
    """The event log's XML as JSON: values of `System`, then those of `EventData` or `UserData`."""
    flattened = {key: value for key, value in around.items() if key != "Event"} if len(around) > 1 else {}
    system = event.get("System")
    if isinstance(system, dict):
        for key, value in system.items():
            if isinstance(value, dict):
                _attributes(flattened, key, value)
            elif value is not None:
                flattened[key] = value
    for part in ("RenderingInfo", "ProcessingErrorData", "UserData", "EventData"):
        inner = event.get(part)
        if inner is not None:
            _data(flattened, inner)
    if isinstance(event.get("Message"), str):
        flattened.setdefault("Message", event["Message"])
    number = flattened.get("EventID")
    if type(number) is not int and number is not None:
        flattened["EventID"] = number = _number(number)
    if "NewProcessName" in flattened:
        _created(flattened)
    if type(number) is int and number in MEANT:
        _meant(flattened, number)
    return flattened


def _attributes(flattened: Fields, key: str, value: Fields) -> None:
    # {"#attributes": {"Name": x}}, {"@Name": x}, {"Name": x}, or evtx_dump's {"Provider_attributes": {"Name": x}}.
    stem = key.removesuffix("_attributes")
    for name, inner in value.items():
        if name == "#attributes" and isinstance(inner, dict):
            flattened.update((f"{stem}_{each}", text) for each, text in inner.items() if text is not None)
        elif name in _TEXT or name == "Value":
            flattened[stem] = inner
        elif inner is not None and not isinstance(inner, dict | list):
            flattened[f"{stem}_{name.lstrip('@')}"] = inner


def _data(flattened: Fields, data: Any) -> None:
    """Values by name, whether as an object, as a list of named `Data`, or as texts without names (`Data`)."""
    if isinstance(data, list):
        for each in data:
            _data(flattened, each)
        return
    if not isinstance(data, dict):
        return
    for key, value in data.items():
        if key == "Data":
            _unnamed(flattened, value)
        elif isinstance(value, dict):
            # UserData holds one object named after the event's schema, and that one the values.
            text = _text(value)
            if text is not None:
                _put(flattened, key, text)
            else:
                _data(flattened, value)
        elif value is not None and key[:1] not in "#@" and not key.endswith("_attributes"):
            if key in flattened:
                _put(flattened, key, value)
            else:
                flattened[key] = value


def _put(fields: Fields, name: str, value: Any) -> None:
    """Under a name that the system's part uses as well, both values stand: a channel that is cleared is a `Channel`."""
    other = fields.get(name)
    if other is None:
        if name != "TimeCreated_SystemTime":
            fields[name] = value
    elif name not in _ONE and other != value:
        fields[name] = [*(other if isinstance(other, list) else [other]), value]


def _unnamed(flattened: Fields, data: Any) -> None:
    texts: list[Any] = []
    for each in data if isinstance(data, list) else [data]:
        if not isinstance(each, dict):
            texts.append(each)
            continue
        attributes = each.get("#attributes")
        name = each.get("@Name") or (attributes.get("Name") if isinstance(attributes, dict) else None)
        text = _text(each)
        if isinstance(name, str):
            if text is not None:
                _put(flattened, name, text)
        elif isinstance(text, list):
            texts += text
        elif text is not None:
            texts.append(text)
    texts = [text for text in texts if text is not None]
    if texts:
        flattened["Data"] = texts if len(texts) > 1 else texts[0]


def _text(value: Fields) -> Any:
    return next((value[key] for key in _TEXT if value.get(key) is not None), None)


def _shipped(winlog: Fields, fields: Fields) -> Fields:
    """A record of Winlogbeat: its own fields, and the flat names added."""
    at = fields.get("@timestamp")
    if at is not None:
        fields["TimeCreated_SystemTime"] = at
    for part in ("user_data", "event_data"):
        values = winlog.get(part)
        if isinstance(values, dict):
            for name, value in values.items():
                if name not in fields and name != "TimeCreated_SystemTime":
                    fields[name] = value
    params = _params(winlog) if "param1" in fields else []
    if params:
        fields.setdefault("Data", params if len(params) > 1 else params[0])
    for name, path in WINLOG:
        value = winlog.get(path[0]) if len(path) == 1 else _at(winlog, path)
        if value is not None:
            _put(fields, name, value)
    _from_ecs(fields)
    if "NewProcessName" in fields:
        _created(fields)
    return fields


def _params(winlog: Fields) -> list[Any]:
    """`param1`, `param2`, ... are how Winlogbeat calls texts without names."""
    values = winlog.get("event_data")
    if not isinstance(values, dict):
        return []
    numbered = {int(key[5:]): value for key, value in values.items() if _PARAM.fullmatch(key) and value is not None}
    return [numbered[number] for number in sorted(numbered)]


def _from_ecs(fields: Fields) -> None:
    number = fields.get("EventID")
    if number is None:
        number = _at(fields, ("event", "code"))
    number = _number(number)
    if number is not None:
        fields["EventID"] = number
    whole = number if type(number) is int else 0
    # Winlogbeat's modules move some values to ECS, and leave them out of event_data.
    for top, named in ECS_BY_TOP.items():
        if top in fields:
            _moved(fields, fields[top], named)
    for name, path in ECS_OF_EVENT.get(whole, ()):
        if name not in fields:
            _moved(fields, fields.get(path[0]), ((name, path[1:]),))
    if "User" not in fields:
        _join_user(fields, _at(fields, ("user", "domain")), _at(fields, ("user", "name")))
    if whole in MEANT:
        _meant(fields, whole)


def _moved(fields: Fields, inner: Any, named: Iterable[tuple[str, tuple[str, ...]]]) -> None:
    for name, path in named:
        if name not in fields:
            value = _at(inner, path)
            if value is not None and not isinstance(value, dict):
                fields[name] = value


def _at(value: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def _named(fields: Fields) -> None:
    """NXLog's names of system values; the record's own stay beside Sigma's."""
    for name, native in NXLOG:
        if name not in fields:
            value = fields.get(native)
            if value is not None:
                fields[name] = value


def _created(fields: Fields) -> None:
    """Security 4688 tells of a new process in words of its own; rules for process creation use Sysmon's."""
    for name, native in SECURITY_4688:
        if name not in fields:
            value = fields.get(native)
            if value is not None:
                fields[name] = value
    if "User" not in fields:
        _join_user(fields, fields.get("SubjectDomainName"), fields.get("SubjectUserName"))


def _meant(fields: Fields, number: int) -> None:
    """What OCSF calls the event: its class, how it ended, and where it came from."""
    class_uid, status = MEANT[number]
    fields["ocsf.class_uid"] = class_uid
    if class_uid == FOUND:
        for name, native in ANTIVIRUS:
            if fields.get(native) is not None:
                _put(fields, name, fields[native])
    if status == "":
        return
    if status == "told":
        code = fields.get("Status")
        status = "Success" if code in _ZEROES else "Failure"
    if status != "none":
        fields["ocsf.status"] = status
    address = fields.get("SourceIp") if number == NETWORK_CONNECTION else fields.get("IpAddress")
    if isinstance(address, str) and address not in {"-", "", "LOCAL"}:
        fields["ocsf.src_endpoint.ip"] = address.removeprefix("::ffff:")


def _join_user(fields: Fields, domain: Any, name: Any) -> None:
    if isinstance(name, str) and name:
        fields["User"] = f"{domain}\\{name}" if isinstance(domain, str) and domain else name


def _number(value: Any) -> Any:
    """An event id as a whole number where it is written as text."""
    return int(value) if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 10 else value
