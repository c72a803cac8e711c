"""Records of the Linux audit daemon, as audit.log holds them or syslog brings them: one record, one event.

`type=SYSCALL msg=audit(1774616816.039:3210): arch=c000003e syscall=59 success=yes ... comm="ls" exe="/usr/bin/ls"`

The records of one event share a `serial`; they are not joined. The kernel writes what users choose either in quotes or,
when it holds quotes, blanks or bytes that are no ASCII, as hexadecimal digits: those are decoded. What the daemon adds
in its enriched format (`SYSCALL=execve`, `UID="root"`) keeps its upper-case names.
"""

import re
from datetime import tzinfo

from breachwatch.sources.event import BLANK, Dead, Ignored, Outcome, Parse, placed
from breachwatch.sources.formats.endpoints import endpoint, put_client
from breachwatch.sources.formats.outcomes import AUTHENTICATION, FAILURE, SUCCESS, Fields, guarded

NOT_AUDIT = Dead("not an audit record")
NO_AUDIT = Ignored("not auditd")

_HEAD = re.compile(r"(?:node=(\S+) )?type=(\w+(?:\[\d+\])?) msg=audit\((\d{1,12})\.(\d{3}):(\d{1,18})\): ?", re.ASCII)
_KERNEL = re.compile(r"audit: type=(\d+) audit\((\d{1,12})\.(\d{3}):(\d{1,18})\): ?", re.ASCII)
_PAIR = re.compile(r"([A-Za-z_][\w-]*)=(?:\"([^\"]*)\"|'([^']*)'|([^\s\x1d\"']*))", re.ASCII)
_GLUED = re.compile(r"([\da-z)])([A-Z]{2,12}=\")")
_AVC = re.compile(r"avc: +(denied|granted) +\{ ([^}]*) \} for ")
_HEX = re.compile(r"(?:[0-9A-F]{2})+")
_ENCODED = frozenset(
    {"acct", "cmd", "comm", "cwd", "data", "dir", "exe", "file", "grp", "hostname", "key", "name", "new-disk"}
    | {"new_group", "ocomm", "old-disk", "path", "proctitle", "sw", "vm", "watch"}
)
_TEXTS = frozenset({"arch", "a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8", "a9", "dev", "mode"})
_ARGUMENT = re.compile(r"a\d+(?:\[\d+\])?")
_SUCCEEDED = {"success": True, "yes": True, "1": True, "failed": False, "no": False, "0": False}
_TRIES = frozenset({"USER_AUTH", "USER_ERR"})
_LOGINS = frozenset({"USER_LOGIN", "USER_ACCT", "USER_START", "LOGIN"})
_ENDS = frozenset({"USER_END", "USER_LOGOUT"})
_ACCOUNTS = {"ADD_USER": 1, "DEL_USER": 6, "USER_CHAUTHTOK": 5, "ADD_GROUP": 1, "DEL_GROUP": 6, "USER_MGMT": 99}
_ACCOUNT: Fields = {"class_uid": 3001, "class_name": "Account Change"} | {
    key: AUTHENTICATION[key] for key in ("category_uid", "category_name")
}
_X86_64 = {
    **{0: "read", 1: "write", 2: "open", 41: "socket", 42: "connect", 43: "accept", 49: "bind", 56: "clone"},
    **{57: "fork", 58: "vfork", 59: "execve", 62: "kill", 76: "truncate", 82: "rename", 83: "mkdir", 84: "rmdir"},
    **{85: "creat", 86: "link", 87: "unlink", 88: "symlink", 90: "chmod", 91: "fchmod", 92: "chown", 93: "fchown"},
    **{101: "ptrace", 105: "setuid", 106: "setgid", 117: "setresuid", 155: "pivot_root", 161: "chroot", 165: "mount"},
    **{166: "umount2", 169: "reboot", 170: "sethostname", 175: "init_module", 176: "delete_module", 188: "setxattr"},
    **{246: "kexec_load", 257: "openat", 258: "mkdirat", 260: "fchownat", 263: "unlinkat", 264: "renameat"},
    **{
        268: "fchmodat",
        272: "unshare",
        288: "accept4",
        304: "open_by_handle_at",
        308: "setns",
        310: "process_vm_readv",
    },
    **{
        311: "process_vm_writev",
        313: "finit_module",
        316: "renameat2",
        319: "memfd_create",
        321: "bpf",
        322: "execveat",
    },
}


def parser(_zone: tzinfo) -> Parse:
    """A parser of audit records; they tell their times in seconds since 1970."""
    return guarded(_read)


def _read(text: str, received_us: int) -> Outcome:
    found = _HEAD.match(text)
    if found is None:
        at = text.find("type=")
        carried = at > 0 and text[at - 1] == " "
        found = _HEAD.match(text, at) if carried else None
        if found is None:
            return _kernel(text, received_us)
    node, kind, seconds, milliseconds, serial = found.groups()
    fields: Fields = {"type": kind, "serial": int(serial)}
    if node:
        fields["node"] = node
    _pairs(text, found.end(), fields)
    _meaning(kind, text, fields)
    return placed(int(seconds) * 1_000_000 + int(milliseconds) * 1000, received_us, fields)


def _kernel(text: str, received_us: int) -> Outcome:
    at = text.find("audit: type=")
    found = _KERNEL.match(text, at) if at >= 0 else None
    if found is None:
        if not text.strip():
            return BLANK
        return NO_AUDIT if text[:1].isupper() or text[:1] == "<" else NOT_AUDIT
    kind, seconds, milliseconds, serial = found.groups()
    fields: Fields = {"type": _KINDS.get(kind, kind), "serial": int(serial)}
    _pairs(text, found.end(), fields)
    _meaning(str(fields["type"]), text, fields)
    return placed(int(seconds) * 1_000_000 + int(milliseconds) * 1000, received_us, fields)


_KINDS = {"1100": "USER_AUTH", "1112": "USER_LOGIN", "1300": "SYSCALL", "1302": "PATH", "1309": "EXECVE", "1400": "AVC"}


def _pairs(text: str, start: int, fields: Fields) -> None:
    arguments, whole = fields["type"] == "EXECVE", False
    for name, quoted, inner, bare in _PAIR.findall(text, start):
        if bare:
            if bare[-1] == "=" and not whole:
                # `cap_frootid=0OUID="root"`: something on the way has lost the daemon's separator (0x1d).
                whole = _GLUED.search(text, start) is None
                if not whole:
                    _pairs(_GLUED.sub(r"\1 \2", text), start, fields)
                    return
            _put(name, bare, arguments, fields)
        elif inner:
            _inner(inner, fields)
        else:
            fields.setdefault(name, quoted)


def _inner(text: str, fields: Fields) -> None:
    if "=" not in text:
        fields.setdefault("message", text)
        return
    for name, quoted, single, bare in _PAIR.findall(text):
        if bare:
            _put(name, bare, False, fields)
        else:
            fields.setdefault(name, quoted or single)


def _put(name: str, bare: str, arguments: bool, fields: Fields) -> None:
    if name in fields or bare in {"?", "(null)", "(none)"}:
        return
    encoded = name in _ENCODED or (arguments and _ARGUMENT.fullmatch(name) is not None)
    if encoded and _HEX.fullmatch(bare) and len(bare) > 2:
        fields[name] = bytes.fromhex(bare).replace(b"\0", b" ").decode("utf-8", "backslashreplace")
    elif (
        bare.isdigit() and bare.isascii() and len(bare) <= 18 and name not in _TEXTS and (bare[0] != "0" or bare == "0")
    ):
        fields[name] = int(bare)
    else:
        fields[name] = bare


def _meaning(kind: str, text: str, fields: Fields) -> None:
    if kind == "SYSCALL":
        if fields.get("arch") == "c000003e" and "SYSCALL" not in fields:
            name = _X86_64.get(fields.get("syscall", -1))
            if name is not None:
                fields["SYSCALL"] = name
    elif kind == "EXECVE":
        fields["cmdline"] = " ".join(str(fields[f"a{n}"]) for n in range(_count(fields)) if f"a{n}" in fields)
    elif kind == "AVC":
        if found := _AVC.search(text):
            fields["avc"], fields["permissions"] = found[1], found[2]
    elif kind in _TRIES or kind in _LOGINS or kind in _ENDS or kind in _ACCOUNTS:
        _person(kind, fields)


def _count(fields: Fields) -> int:
    try:
        return min(int(fields.get("argc", 0)), 1024)
    except (TypeError, ValueError):
        return 0


def _person(kind: str, fields: Fields) -> None:
    where = fields.get("addr") or (None if kind in _ACCOUNTS else fields.get("hostname"))
    if type(where) is str:
        put_client(fields, endpoint(where))
    result = _SUCCEEDED.get(str(fields.get("res", fields.get("success", ""))))
    if kind in _ACCOUNTS:
        fields |= _ACCOUNT
        fields["activity_id"] = _ACCOUNTS[kind]
        if result is not None:
            fields |= {"status": "Success", "status_id": 1} if result else {"status": "Failure", "status_id": 2}
        return
    fields |= AUTHENTICATION
    if kind in _ENDS:
        fields["activity_id"] = 2
    elif result is True:
        fields |= SUCCESS
    elif result is False and kind in _TRIES:  # of a failed guess, LOGIN and ACCT tell a second time
        fields |= FAILURE
