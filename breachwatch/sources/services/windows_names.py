"""How shippers call what Sigma calls `Computer`, `Image` or `CommandLine`: (Sigma's name, theirs)."""

from breachwatch.sources.source import Path

NXLOG = (
    ("Provider_Name", "SourceName"),
    ("Computer", "Hostname"),
    ("EventRecordID", "RecordNumber"),
)

SECURITY_4688 = (
    ("Image", "NewProcessName"),
    ("ParentImage", "ParentProcessName"),
    ("IntegrityLevel", "MandatoryLabel"),
)
"""Security event 4688; `IntegrityLevel` stays the label's SID (`S-1-16-12288`), which Sigma's rules know too."""

ANTIVIRUS = (
    ("Signature", "Threat Name"),
    ("Filename", "Path"),
)
"""Windows Defender's names of what rules for antivirus products ask."""

WINLOG: tuple[tuple[str, Path], ...] = (
    ("EventID", ("event_id",)),
    ("Channel", ("channel",)),
    ("Provider_Name", ("provider_name",)),
    ("Provider_Guid", ("provider_guid",)),
    ("Computer", ("computer_name",)),
    ("EventRecordID", ("record_id",)),
    ("Task", ("task",)),
    ("Opcode", ("opcode",)),
    ("Keywords", ("keywords",)),
    ("Version", ("version",)),
    ("Execution_ProcessID", ("process", "pid")),
    ("Execution_ThreadID", ("process", "thread", "id")),
    ("Security_UserID", ("user", "identifier")),
)

ECS: tuple[tuple[str, Path], ...] = (
    ("Provider_Name", ("event", "provider")),
    ("Channel", ("log", "name")),
    ("Computer", ("host", "name")),
    ("Message", ("message",)),
    ("Image", ("process", "executable")),
    ("CommandLine", ("process", "command_line")),
    ("CurrentDirectory", ("process", "working_directory")),
    ("ProcessId", ("process", "pid")),
    ("ProcessGuid", ("process", "entity_id")),
    ("OriginalFileName", ("process", "pe", "original_file_name")),
    ("Company", ("process", "pe", "company")),
    ("Product", ("process", "pe", "product")),
    ("Description", ("process", "pe", "description")),
    ("FileVersion", ("process", "pe", "file_version")),
    ("ParentImage", ("process", "parent", "executable")),
    ("ParentCommandLine", ("process", "parent", "command_line")),
    ("ParentProcessId", ("process", "parent", "pid")),
    ("ParentProcessGuid", ("process", "parent", "entity_id")),
    ("TargetObject", ("registry", "path")),
    ("QueryName", ("dns", "question", "name")),
    ("SourceIp", ("source", "ip")),
    ("SourcePort", ("source", "port")),
    ("SourceHostname", ("source", "domain")),
    ("DestinationIp", ("destination", "ip")),
    ("DestinationPort", ("destination", "port")),
    ("DestinationHostname", ("destination", "domain")),
    ("Protocol", ("network", "transport")),
    ("IpAddress", ("source", "ip")),
)

ECS_BY_TOP: dict[str, tuple[tuple[str, Path], ...]] = {
    top: tuple((name, path[1:]) for name, path in ECS if path[0] == top)
    for top in dict.fromkeys(path[0] for _, path in ECS)
}
"""The same by top-level name, each path being what is left of it within."""

_FILE: tuple[tuple[str, Path], ...] = (("TargetFilename", ("file", "path")),)
_LOADED: tuple[tuple[str, Path], ...] = (("ImageLoaded", ("file", "path")),)
_PIPE: tuple[tuple[str, Path], ...] = (("PipeName", ("file", "name")),)

ECS_OF_EVENT: dict[int, tuple[tuple[str, Path], ...]] = {
    2: _FILE,
    6: _LOADED,
    7: _LOADED,
    11: _FILE,
    15: _FILE,
    17: _PIPE,
    18: _PIPE,
    23: _FILE,
    26: _FILE,
    27: _FILE,
    28: _FILE,
    29: _FILE,
    4104: (("ScriptBlockText", ("powershell", "file", "script_block_text")),),
}
"""What `file.path` is depends on the Sysmon event: a file written, or a module or driver loaded."""

_PROCESS, _FILES, _REGISTRY, _NETWORK, _DNS = 1007, 1001, 201001, 4001, 4003
_LOGON, _ACCOUNT, _GROUP = 3002, 3001, 3006
FOUND = 2004

MEANT: dict[int, tuple[int, str]] = {
    1: (_PROCESS, ""),
    3: (_NETWORK, "none"),
    5: (_PROCESS, ""),
    11: (_FILES, ""),
    12: (_REGISTRY, ""),
    13: (_REGISTRY, ""),
    14: (_REGISTRY, ""),
    22: (_DNS, ""),
    23: (_FILES, ""),
    26: (_FILES, ""),
    1006: (FOUND, ""),
    1007: (FOUND, ""),
    1008: (FOUND, ""),
    1015: (FOUND, ""),
    1116: (FOUND, ""),
    1117: (FOUND, ""),
    1118: (FOUND, ""),
    1119: (FOUND, ""),
    4624: (_LOGON, "Success"),
    4625: (_LOGON, "Failure"),
    4634: (_LOGON, "none"),
    4647: (_LOGON, "none"),
    4648: (_LOGON, "none"),
    4688: (_PROCESS, ""),
    4689: (_PROCESS, ""),
    4720: (_ACCOUNT, "none"),
    4722: (_ACCOUNT, "none"),
    4723: (_ACCOUNT, "none"),
    4724: (_ACCOUNT, "none"),
    4725: (_ACCOUNT, "none"),
    4726: (_ACCOUNT, "none"),
    4728: (_GROUP, "none"),
    4732: (_GROUP, "none"),
    4738: (_ACCOUNT, "none"),
    4740: (_ACCOUNT, "none"),
    4756: (_GROUP, "none"),
    4768: (_LOGON, "told"),
    4769: (_LOGON, "told"),
    4771: (_LOGON, "Failure"),
    4776: (_LOGON, "told"),
}
"""Event ids of Sysmon and of the security log: OCSF's class, and how it ended.

`told`: success if its `Status` is zero; `none`: it says nothing of that, but may tell an address; empty: neither.
"""
