"""One logon and one new process, as six shippers write them: the same event under the same names."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breachwatch.sources.registry import load_sources
from breachwatch.sources.services.windows import MADE, flat, unpacked
from breachwatch.sources.source import Source

Fields = dict[str, Any]
SECURITY = "Microsoft-Windows-Security-Auditing"
SYSMON = "Microsoft-Windows-Sysmon/Operational"
AT = "2026-03-27T13:06:56.123456Z"

EVTX_DUMP = {
    "Event": {
        "#attributes": {"xmlns": "http://schemas.microsoft.com/win/2004/08/events/event"},
        "System": {
            "Provider": {"#attributes": {"Name": SECURITY, "Guid": "54849625"}},
            "EventID": 4625,
            "Channel": "Security",
            "Computer": "dc.example.com",
            "TimeCreated": {"#attributes": {"SystemTime": AT}},
            "Correlation": None,
        },
        "EventData": {"TargetUserName": "ana", "IpAddress": "::ffff:192.0.2.7", "LogonType": 3},
    }
}
EVTX_DUMP_SEPARATE = {
    "Event": {
        "System": {
            "Provider_attributes": {"Name": SECURITY},
            "EventID": 4625,
            "EventID_attributes": {"Qualifiers": 0},
            "Channel": "Security",
            "Computer": "dc.example.com",
            "TimeCreated_attributes": {"SystemTime": AT},
        },
        "EventData": {"TargetUserName": "ana", "IpAddress": "192.0.2.7", "LogonType": 3},
    }
}
XMLTODICT = {
    "Event": {
        "@xmlns": "http://schemas.microsoft.com/win/2004/08/events/event",
        "System": {
            "Provider": {"@Name": SECURITY},
            "EventID": {"@Qualifiers": "0", "#text": "4625"},
            "Channel": "Security",
            "Computer": "dc.example.com",
            "TimeCreated": {"@SystemTime": AT},
        },
        "EventData": {
            "Data": [
                {"@Name": "TargetUserName", "#text": "ana"},
                {"@Name": "IpAddress", "#text": "192.0.2.7"},
                {"@Name": "LogonType", "#text": "3"},
                {"@Name": "SubjectUserName"},
            ]
        },
    }
}
VELOCIRAPTOR = {
    "System": {
        "Provider": {"Name": SECURITY},
        "EventID": {"Value": 4625},
        "Channel": "Security",
        "Computer": "dc.example.com",
        "TimeCreated": {"SystemTime": 1774616816.123456},
    },
    "EventData": {"TargetUserName": "ana", "IpAddress": "192.0.2.7", "LogonType": 3},
    "Message": "An account failed to log on.",
}
WINLOGBEAT = {
    "@timestamp": AT,
    "event": {"code": "4625", "provider": SECURITY, "outcome": "failure"},
    "host": {"name": "dc"},
    "winlog": {
        "channel": "Security",
        "provider_name": SECURITY,
        "computer_name": "dc.example.com",
        "event_id": "4625",
        "event_data": {"TargetUserName": "ana", "IpAddress": "192.0.2.7", "LogonType": "3"},
    },
}
NXLOG = {
    "EventTime": "2026-03-27 13:06:56.123456",
    "Hostname": "dc.example.com",
    "SourceName": SECURITY,
    "EventID": 4625,
    "Channel": "Security",
    "TargetUserName": "ana",
    "IpAddress": "192.0.2.7",
    "LogonType": "3",
}
SIGMA = {
    "TimeCreated_SystemTime": AT,
    "Computer": "dc.example.com",
    "Provider_Name": SECURITY,
    "EventID": "4625",
    "Channel": "Security",
    "TargetUserName": "ana",
    "IpAddress": "192.0.2.7",
    "LogonType": 3,
}
SHAPES = {
    "evtx_dump": EVTX_DUMP,
    "evtx_dump with separate attributes": EVTX_DUMP_SEPARATE,
    "xmltodict": XMLTODICT,
    "Velociraptor": VELOCIRAPTOR,
    "Winlogbeat": WINLOGBEAT,
    "NXLog": NXLOG,
    "Sigma's names": SIGMA,
}


@pytest.mark.parametrize("shape", list(SHAPES))
def test_a_failed_logon_is_the_same_event_in_every_shape(
    shape: str, fields: Callable[..., Fields], at: Callable[..., str], source: Callable[..., Source]
) -> None:
    line = json.dumps(SHAPES[shape])
    found = fields("windows-json", line)
    told = {key: found[key] for key in ("EventID", "Channel", "Provider_Name", "Computer", "TargetUserName")}
    assert told == {
        "EventID": 4625,
        "Channel": "Security",
        "Provider_Name": SECURITY,
        "Computer": "dc.example.com",
        "TargetUserName": "ana",
    }
    assert str(found["LogonType"]) == "3"
    assert (found["ocsf.class_uid"], found["ocsf.status"], found["ocsf.src_endpoint.ip"]) == (
        3002,
        "Failure",
        "192.0.2.7",
    )
    assert at("windows-json", line).startswith("2026-03-27T13:06:56.123456")


def test_ocsf_tells_who_from_where_and_how_it_ended(parse: Callable[..., Any], source: Callable[..., Source]) -> None:
    ocsf = source("windows-json").to_ocsf(parse("windows-json", json.dumps(EVTX_DUMP)))
    assert (ocsf["class_uid"], ocsf["status"]) == (3002, "Failure")
    assert ocsf["user"]["name"] == "ana"
    assert ocsf["src_endpoint"]["ip"] == "192.0.2.7"
    assert ocsf["device"]["hostname"] == "dc.example.com"


def test_a_new_process_of_the_security_log_has_sysmons_names_too(fields: Callable[..., Fields]) -> None:
    record = {
        "EventTime": "2026-03-27 13:06:56",
        "EventID": 4688,
        "Channel": "Security",
        "NewProcessName": "C:\\Windows\\whoami.exe",
        "ParentProcessName": "C:\\Windows\\cmd.exe",
        "CommandLine": "whoami /all",
        "MandatoryLabel": "S-1-16-12288",
        "SubjectUserName": "ana",
        "SubjectDomainName": "SHOP",
    }
    found = fields("windows-json", json.dumps(record))
    assert (found["Image"], found["ParentImage"]) == (record["NewProcessName"], record["ParentProcessName"])
    assert (found["User"], found["IntegrityLevel"]) == ("SHOP\\ana", "S-1-16-12288")


def test_values_that_winlogbeat_moved_to_ecs_are_found_under_sigmas_names(fields: Callable[..., Fields]) -> None:
    record = {
        "@timestamp": AT,
        "event": {"code": 1},
        "process": {
            "executable": "C:\\Windows\\whoami.exe",
            "command_line": "whoami /all",
            "parent": {"executable": "C:\\Windows\\cmd.exe"},
        },
        "user": {"name": "ana", "domain": "SHOP"},
        "winlog": {"channel": SYSMON, "event_data": {"IntegrityLevel": "High"}},
    }
    found = fields("windows-json", json.dumps(record))
    assert (found["EventID"], found["Image"], found["CommandLine"]) == (1, "C:\\Windows\\whoami.exe", "whoami /all")
    assert (found["ParentImage"], found["User"]) == ("C:\\Windows\\cmd.exe", "SHOP\\ana")
    assert found["process"]["command_line"] == "whoami /all", "rules in ECS names match as well"


@pytest.mark.parametrize(("number", "name"), [(11, "TargetFilename"), (7, "ImageLoaded"), (17, "PipeName")])
def test_a_file_of_ecs_is_what_sysmons_event_is_about(number: int, name: str, fields: Callable[..., Fields]) -> None:
    file = {"path": "C:\\a\\b.dll", "name": "\\b"}
    found = fields("windows-json", json.dumps({"@timestamp": AT, "winlog": {"event_id": number}, "file": file}))
    assert found[name] in file.values()


def test_texts_without_names_are_data(fields: Callable[..., Fields]) -> None:
    system = {"EventID": 400, "Channel": "Windows PowerShell", "TimeCreated": {"#attributes": {"SystemTime": AT}}}
    for data, expected in [
        (
            {"Data": {"#text": ["Available", "HostName=ConsoleHost"]}, "Binary": None},
            ["Available", "HostName=ConsoleHost"],
        ),
        ({"Data": ["Available", None, "x"]}, ["Available", "x"]),
        ({"Data": "HostName=ConsoleHost"}, "HostName=ConsoleHost"),
    ]:
        assert fields("windows-json", json.dumps({"Event": {"System": system, "EventData": data}}))["Data"] == expected
    shipped = {"@timestamp": AT, "winlog": {"event_id": 400, "event_data": {"param1": "Available", "param2": "x"}}}
    assert fields("windows-json", json.dumps(shipped))["Data"] == ["Available", "x"]


def test_a_finding_of_defender_has_the_names_of_antivirus_rules(fields: Callable[..., Fields]) -> None:
    system = {"EventID": 1116, "TimeCreated": {"#attributes": {"SystemTime": AT}}}
    data = {"Threat Name": "HackTool:Win32/Mimikatz", "Path": "file:_C:\\a.exe"}
    found = fields("windows-json", json.dumps({"Event": {"System": system, "EventData": data}}))
    assert (found["Signature"], found["Filename"]) == ("HackTool:Win32/Mimikatz", "file:_C:\\a.exe")


def test_a_channel_that_was_cleared_is_a_channel_beside_the_one_that_tells_so(fields: Callable[..., Fields]) -> None:
    system = {"EventID": 104, "Channel": "System", "TimeCreated": {"#attributes": {"SystemTime": AT}}}
    event = {"System": system, "UserData": {"LogFileCleared": {"Channel": "Security", "SubjectUserName": "ana"}}}
    assert fields("windows-json", json.dumps({"Event": event}))["Channel"] == ["System", "Security"]
    shipped = {
        "@timestamp": AT,
        "winlog": {"event_id": 104, "channel": "System", "user_data": {"Channel": "Security"}},
    }
    assert sorted(fields("windows-json", json.dumps(shipped))["Channel"]) == ["Security", "System"]


def test_no_data_of_an_event_moves_its_time(at: Callable[..., str]) -> None:
    hostile = {"TimeCreated_SystemTime": "2020-01-01T00:00:00Z", "@timestamp": "2020-01-01T00:00:00Z", "time": "2020"}
    system = {"EventID": 1, "TimeCreated": {"#attributes": {"SystemTime": AT}}}
    for record in (
        {"Event": {"System": system, "EventData": hostile}},
        {"@timestamp": AT, "winlog": {"event_id": 1, "event_data": hostile}},
    ):
        for name in ("windows-json", "generic-json"):
            assert at(name, json.dumps(record)) == "2026-03-27T13:06:56.123456Z"


def test_user_data_lies_one_object_deeper(fields: Callable[..., Fields]) -> None:
    event = {
        "System": {"EventID": 8004, "TimeCreated": {"#attributes": {"SystemTime": AT}}},
        "UserData": {"RuleAndFileData": {"#attributes": {"xmlns": "x"}, "FilePath": "%OSDRIVE%\\a.exe", "Fqbn": "-"}},
    }
    found = fields("windows-json", json.dumps({"Event": event}))
    assert (found["FilePath"], found["Fqbn"]) == ("%OSDRIVE%\\a.exe", "-")


def test_sysmons_utc_time_is_utc_wherever_the_reader_is(at: Callable[..., str]) -> None:
    line = json.dumps({"EventID": 1, "UtcTime": "2026-03-27 13:06:56.123", "Image": "a"})
    assert at("windows-json", line, timezone="Europe/Paris") == "2026-03-27T13:06:56.123000Z"


def test_an_event_that_tells_no_time_is_of_the_time_it_arrived(at: Callable[..., str]) -> None:
    assert at("windows-json", '{"EventID": 1, "Image": "a"}') == "2026-03-28T12:00:00Z"
    assert at("windows-json", '{"EventID": 1, "@timestamp": "yesterday"}') == "bad time"


def test_other_peoples_json_is_left_alone_by_the_generic_source(fields: Callable[..., Fields]) -> None:
    record = {"time": AT, "EventID": "007", "NewProcessName": "a", "SourceName": "b", "Event": {"kind": "login"}}
    assert fields("generic-json", json.dumps(record)) == record
    assert fields("generic-json", json.dumps(EVTX_DUMP))["TargetUserName"] == "ana"


def test_every_sysmon_category_and_every_channel_is_answered_with_a_guard(source: Callable[..., Source]) -> None:
    answers = source("windows-json").answers
    assert len({tuple(sorted(each.logsource.items())) for each in answers}) == len(answers)
    assert all(each.logsource["product"] == "windows" and each.when for each in answers)
    categories = {each.logsource["category"] for each in answers if "category" in each.logsource}
    assert {"process_creation", "network_connection", "registry_set", "dns_query", "ps_script"} <= categories


SCALARS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=6)
NAMES = st.sampled_from(
    [
        *("Event", "System", "EventData", "UserData", "Data", "winlog", "event", "event_data", "#attributes", "#text"),
        *("@Name", "Name", "EventID", "code", "event_id", "UtcTime", "NewProcessName", "SubjectUserName", "SourceName"),
        *("IpAddress", "process", "user", "param1", "TimeCreated", "Message", "Value", "Provider_attributes"),
    ]
)
TREES = st.recursive(
    SCALARS | st.sampled_from([1, 3, 4624, 4625, 4688, "4625", "١"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=20,
)


@given(st.dictionaries(NAMES, TREES, max_size=6))
def test_any_object_is_borne(record: Fields) -> None:
    assert isinstance(flat(json.loads(json.dumps(record))), dict)
    assert isinstance(unpacked(json.loads(json.dumps(record))), dict)


def leaves(value: Any) -> set[str]:
    if isinstance(value, dict):
        return {leaf for inner in value.values() for leaf in leaves(inner)}
    if isinstance(value, list):
        return {leaf for inner in value for leaf in leaves(inner)}
    return set() if value is None else {str(value)}


@given(st.dictionaries(NAMES, TREES, max_size=6))
def test_all_that_a_flat_name_holds_stands_in_the_record_unless_it_is_said_to_be_made(record: Fields) -> None:
    # Whoever looks for a value in the raw record, before reading it, relies on this.
    written = leaves(record)
    for normalise in (flat, unpacked):
        found = normalise(json.loads(json.dumps(record)))
        kept = {key: value for key, value in found.items() if key not in MADE}
        for leaf in leaves(kept) - written:
            assert leaf.isdecimal(), "only an event id may be written otherwise: 4625 for 04625"


def test_the_sources_say_what_they_make() -> None:
    for name in ("windows-json", "generic-json"):
        raw = load_sources()[name].raw
        assert raw is not None
        assert raw.derived >= MADE
