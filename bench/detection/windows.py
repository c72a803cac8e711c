"""Events as Sysmon and Windows write them, flat: what an office's machines do all day, and what intruders do there.

Programs that intruders borrow (`rundll32`, `certutil`, `powershell`, `net`) also run for honest reasons here, as they
do everywhere: if the words of rules never occurred in ordinary logs, any prefilter would look better than it is.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import yaml

from bench.detection.words import document, fill, guid, hexed, uneven

Fields = dict[str, Any]
Maker = Callable[[Random, str], Fields]

SYSMON = "Microsoft-Windows-Sysmon/Operational"
SYSTEM32 = "C:\\Windows\\System32\\"
START = datetime(2026, 3, 27, 6, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Program:
    """Templates: `image`, and of `commands` and `parents` one is drawn; `{image}` stands for the image as drawn."""

    image: str
    original: str
    description: str
    company: str
    commands: tuple[str, ...]
    parents: tuple[str, ...]


_KNOWN = yaml.safe_load((Path(__file__).parent / "programs.yml").read_text(encoding="utf-8"))
ORDINARY, PLAIN, SUSPICIOUS = (
    [Program(**each) for each in _KNOWN[kind]] for kind in ("ordinary", "plain", "suspicious")
)
SCRIPTS: list[str] = _KNOWN["scripts"]
LEVELS = ["Medium", "Medium", "Medium", "High", "System", "Low", "AppContainer"]


def moment(number: int) -> str:
    """When the event of this number was, 25 a second: `2026-03-27T06:00:00.040Z`."""
    return (START + timedelta(milliseconds=40 * number)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _head(number: int, channel: str, rng: Random, at: str) -> Fields:
    host = fill("<host>.corp.example.com", rng)
    return {"EventID": number, "Channel": channel, "Computer": host, "EventTime": at}


def _account(rng: Random) -> str:
    return "NT AUTHORITY\\SYSTEM" if rng.random() < 0.3 else fill("CORP\\<user>", rng)


def process(program: Program, rng: Random, at: str) -> Fields:
    """Sysmon 1, a process is created."""
    image = fill(program.image, rng)
    command = fill(rng.choice(program.commands), rng)
    parent = rng.choice(program.parents)
    return {
        **_head(1, SYSMON, rng, at),
        "ProcessGuid": f"{{{guid(rng)}}}",
        "ProcessId": 4 * int(500 + 9000 * rng.random()),
        "Image": image,
        "Description": program.description,
        "Company": program.company,
        "OriginalFileName": program.original,
        "CommandLine": command.replace("{image}", image),
        "CurrentDirectory": SYSTEM32 if rng.random() < 0.6 else fill("C:\\Users\\<user>\\", rng),
        "User": _account(rng),
        "IntegrityLevel": rng.choice(LEVELS),
        "Hashes": f"MD5={hexed(rng, 32)},IMPHASH={hexed(rng, 32)}",
        "ParentImage": parent,
        "ParentCommandLine": parent if rng.random() < 0.5 else fill(f"{parent} -k <service>", rng),
    }


def ordinary_process(rng: Random, at: str) -> Fields:
    return process(uneven_program(rng, ORDINARY), rng, at)


def plain_process(rng: Random, at: str) -> Fields:
    """A process of programs that no rule speaks of."""
    return process(uneven_program(rng, PLAIN), rng, at)


def suspicious_process(rng: Random, at: str) -> Fields:
    return process(rng.choice(SUSPICIOUS), rng, at)


def uneven_program(rng: Random, programs: list[Program]) -> Program:
    return programs[int(len(programs) * rng.random() ** 3)]


def connection(rng: Random, at: str) -> Fields:
    """Sysmon 3, a network connection."""
    return {
        **_head(3, SYSMON, rng, at),
        "ProcessGuid": f"{{{guid(rng)}}}",
        "ProcessId": 4 * int(500 + 9000 * rng.random()),
        "Image": fill(uneven_program(rng, ORDINARY).image, rng),
        "User": _account(rng),
        "Protocol": "tcp" if rng.random() < 0.8 else "udp",
        "Initiated": "true" if rng.random() < 0.8 else "false",
        "SourceIsIpv6": "false",
        "SourceIp": fill("<inner>", rng),
        "SourceHostname": fill("<host>.corp.example.com", rng),
        "SourcePort": int(1024 + 64000 * rng.random()),
        "DestinationIsIpv6": "false",
        "DestinationIp": fill("<ip>" if rng.random() < 0.5 else "<inner>", rng),
        "DestinationHostname": fill("<domain>" if rng.random() < 0.7 else "<host>.corp.example.com", rng),
        "DestinationPort": rng.choice((443, 443, 443, 443, 80, 53, 445, 389, 135, 8080, 123)),
    }


def module(rng: Random, at: str) -> Fields:
    """Sysmon 7, a module is loaded."""
    name = fill("<module>", rng)
    return {
        **_head(7, SYSMON, rng, at),
        "ProcessGuid": f"{{{guid(rng)}}}",
        "ProcessId": 4 * int(500 + 9000 * rng.random()),
        "Image": fill(uneven_program(rng, ORDINARY).image, rng),
        "ImageLoaded": f"{SYSTEM32}{name}.dll",
        "FileVersion": fill("10.0.19041.<n4> (WinBuild.160101.0800)", rng),
        "Description": f"{name} library",
        "Product": "Microsoft® Windows® Operating System",
        "Company": "Microsoft Corporation",
        "OriginalFileName": f"{name}.dll",
        "Hashes": f"MD5={hexed(rng, 32)},IMPHASH={hexed(rng, 32)}",
        "Signed": "true",
        "Signature": "Microsoft Windows",
        "SignatureStatus": "Valid",
        "User": _account(rng),
    }


def file_made(rng: Random, at: str) -> Fields:
    """Sysmon 11, a file is created."""
    target = (
        fill(f"C:\\Users\\<user>\\Documents\\{document(rng)}", rng)
        if rng.random() < 0.6
        else fill("C:\\Users\\<user>\\AppData\\Local\\Temp\\~<hex>.tmp", rng)
    )
    return {
        **_head(11, SYSMON, rng, at),
        "ProcessGuid": f"{{{guid(rng)}}}",
        "ProcessId": 4 * int(500 + 9000 * rng.random()),
        "Image": fill(uneven_program(rng, ORDINARY).image, rng),
        "TargetFilename": target,
        "CreationUtcTime": at,
        "User": _account(rng),
    }


_VALUES = [
    "HKLM\\System\\CurrentControlSet\\Services\\Tcpip\\Parameters\\Interfaces\\{<guid>}\\LeaseObtainedTime",
    "HKU\\S-1-5-21-<n6>-<n6>-<n4>\\Software\\Microsoft\\Office\\16.0\\Word\\Reading Locations\\Document <n2>\\Position",
    "HKLM\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Diagnostics\\DiagTrack\\HeartBeats\\Default\\LastHeartBeat",
    "HKU\\S-1-5-21-<n6>-<n6>-<n4>\\Software\\Microsoft\\Windows\\CurrentVersion\\Explorer\\RecentDocs\\.docx\\<n2>",
    "HKLM\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\Schedule\\TaskCache\\Tasks\\{<guid>}\\DynamicInfo",
    "HKLM\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Component Based Servicing\\SessionsPending\\Exclusive",
    "HKLM\\System\\CurrentControlSet\\Control\\Print\\Printers\\Office <n2>\\DsDriver\\printCollate",
    "HKU\\.DEFAULT\\Software\\Classes\\Local Settings\\MuiCache\\<n1>\\<hex4>\\LanguageList",
]


def registry(rng: Random, at: str) -> Fields:
    """Sysmon 13, a registry value is set."""
    return {
        **_head(13, SYSMON, rng, at),
        "EventType": "SetValue",
        "ProcessGuid": f"{{{guid(rng)}}}",
        "ProcessId": 4 * int(500 + 9000 * rng.random()),
        "Image": fill(uneven_program(rng, ORDINARY).image, rng),
        "TargetObject": fill(uneven(rng, _VALUES), rng),
        "Details": fill(
            rng.choice(("DWORD (0x0000<hex4>)", "Binary Data", "C:\\Users\\<user>\\Documents\\<doc>")), rng
        ),
        "User": _account(rng),
    }


def lookup(rng: Random, at: str) -> Fields:
    """Sysmon 22, a name is looked up."""
    return {
        **_head(22, SYSMON, rng, at),
        "ProcessGuid": f"{{{guid(rng)}}}",
        "ProcessId": 4 * int(500 + 9000 * rng.random()),
        "QueryName": fill("<domain>" if rng.random() < 0.6 else "<host>.corp.example.com", rng),
        "QueryStatus": "0",
        "QueryResults": fill("::ffff:<inner>;::ffff:<inner>;", rng),
        "Image": fill(uneven_program(rng, ORDINARY).image, rng),
        "User": _account(rng),
    }


def access(rng: Random, at: str) -> Fields:
    """Sysmon 10, a process opens another."""
    return {
        **_head(10, SYSMON, rng, at),
        "SourceProcessGUID": f"{{{guid(rng)}}}",
        "SourceProcessId": 4 * int(500 + 9000 * rng.random()),
        "SourceImage": fill(uneven_program(rng, ORDINARY).image, rng),
        "TargetProcessId": 4 * int(500 + 9000 * rng.random()),
        "TargetImage": fill(uneven_program(rng, ORDINARY).image, rng),
        "GrantedAccess": rng.choice(("0x1000", "0x1400", "0x1410", "0x40", "0x101541")),
        "CallTrace": fill(
            "C:\\Windows\\SYSTEM32\\ntdll.dll+9d<n2>4|C:\\Windows\\System32\\KERNELBASE.dll+2<hex4>"
            "|C:\\Windows\\System32\\<module>.dll+<hex4>",
            rng,
        ),
        "SourceUser": _account(rng),
        "TargetUser": _account(rng),
    }


def logon(rng: Random, at: str) -> Fields:
    """Security 4624 or 4625, somebody logs on or fails to."""
    good = rng.random() < 0.93
    return {
        **_head(4624 if good else 4625, "Security", rng, at),
        "Provider_Name": "Microsoft-Windows-Security-Auditing",
        "SubjectUserSid": "S-1-5-18",
        "SubjectUserName": fill("<host>$", rng),
        "SubjectDomainName": "CORP",
        "TargetUserSid": fill("S-1-5-21-<n6>-<n6>-<n4>", rng),
        "TargetUserName": fill("<user>", rng),
        "TargetDomainName": "CORP",
        "TargetLogonId": fill("0x<hex>", rng),
        "LogonType": rng.choice((2, 3, 3, 3, 5, 7, 11)),
        "LogonProcessName": rng.choice(("User32 ", "Kerberos", "Advapi  ")),
        "AuthenticationPackageName": rng.choice(("Negotiate", "Kerberos")),
        "WorkstationName": fill("<host>", rng),
        "IpAddress": fill("<inner>", rng),
        "IpPort": fill("<port>", rng),
        "ProcessName": f"{SYSTEM32}lsass.exe" if good else f"{SYSTEM32}svchost.exe",
    }


def script_block(rng: Random, at: str) -> Fields:
    """PowerShell 4104: a message of about two thousand bytes."""
    text: list[str] = []
    size = 0
    while size < 1_600:
        text.append(fill(rng.choice(SCRIPTS), rng))
        size += len(text[-1])
    return {
        **_head(4104, "Microsoft-Windows-PowerShell/Operational", rng, at),
        "Provider_Name": "Microsoft-Windows-PowerShell",
        "MessageNumber": 1,
        "MessageTotal": 1,
        "ScriptBlockText": "\r\n".join(text),
        "ScriptBlockId": guid(rng).lower(),
        "Path": fill("C:\\Program Files\\Fleet\\Scripts\\<name>.ps1", rng),
    }


OFFICE: list[tuple[int, Maker]] = [
    (55, ordinary_process),
    (10, connection),
    (9, module),
    (9, file_made),
    (8, registry),
    (5, lookup),
    (4, access),
]
"""What Sysmon writes all day: weights and makers."""
_MAKERS = [maker for weight, maker in OFFICE for _ in range(weight)]


def office(rng: Random, at: str) -> Fields:
    """One of what Sysmon writes all day."""
    return rng.choice(_MAKERS)(rng, at)
