"""What generated events are made of: templates whose `<marks>` a seeded generator fills, each time anew.

A template is cut into pieces once; filling it draws a word or a number for each mark. Ordinary words are drawn
unevenly, as in life: few machines, users and programs make most events, and every log has a long tail of rare ones.
"""

import re
from collections.abc import Callable
from functools import cache
from random import Random

USERS = [
    f"{first}.{last}"
    for last in ("martin", "bernard", "dubois", "novak", "keller", "okafor", "silva", "larsen", "rossi", "ito")
    for first in ("anna", "ben", "chloe", "dario", "elif", "femi", "greta", "hugo", "ines", "jonas", "kaya", "liam")
]
SITES = ["PAR", "LYO", "BER", "MAD", "OSL"]
KINDS = ["WKS", "WKS", "WKS", "LAP", "LAP", "SRV", "SQL", "DC"]
FOLDERS = [
    "Reports", "Invoices", "Planning", "Minutes", "Contracts", "Budget 2026", "Customer care", "Logistics", "Drawings",
    "Training", "Quality", "Suppliers", "Payroll", "Campaign", "Archive", "Tenders", "Site plans", "Templates",
]  # fmt: skip
NAMES = [
    "forecast", "summary", "offer", "agenda", "inventory", "roadmap", "survey", "catalogue", "timesheet", "estimate",
    "newsletter", "checklist", "delivery", "protocol", "overview", "balance", "schedule", "handbook", "statement",
    "requirements", "orders", "price list", "org chart", "release notes", "travel", "workshop", "review", "figures",
]  # fmt: skip
ENDINGS = ["docx", "xlsx", "pptx", "pdf", "txt", "csv", "png", "jpg", "msg", "vsdx", "zip", "json"]
SERVICES = [
    "netsvcs -p -s Schedule", "netsvcs -p -s Themes", "LocalService -p -s nsi", "LocalService -p", "UnistackSvcGroup",
    "DcomLaunch -p", "LocalServiceNetworkRestricted -p", "wsappx -p -s AppXSvc", "NetworkService -p -s Dnscache",
    "netsvcs -p -s wlidsvc", "appmodel -p -s StateRepository", "LocalSystemNetworkRestricted -p -s NcbService",
]  # fmt: skip
MODULES = [
    "ntdll", "kernel32", "kernelbase", "user32", "gdi32", "msvcrt", "rpcrt4", "combase", "ole32", "shell32", "bcrypt",
    "crypt32", "ws2_32", "winhttp", "dnsapi", "iphlpapi", "profapi", "powrprof", "uxtheme", "dwmapi", "propsys",
    "secur32", "sspicli", "cryptbase", "windows.storage", "clbcatq", "mswsock", "ncrypt", "msxml6", "comctl32",
]  # fmt: skip
DOMAINS = [
    "intranet.example.com", "mail.example.com", "files.example.org", "cdn.example.net", "api.example.com",
    "updates.example.net", "login.example.com", "telemetry.example.org", "maps.example.net", "time.example.org",
    "shop.example.com", "wiki.example.org", "build.example.com", "packages.example.net", "meet.example.org",
]  # fmt: skip
AGENTS = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/<n2>.0.0.0 Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:<n2>.0) Gecko/20100101 Firefox/<n2>.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.<n1>",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_<n1> like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
    "Mozilla/5.0 (Linux; Android 1<n1>; Pixel <n1>) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/<n2>.0.0.0 Mobile",
    "shop-app/4.<n2>.<n1> (android; build <n4>)",
]  # fmt: skip

Mark = Callable[[Random], str]


def uneven(rng: Random, words: list[str]) -> str:
    """One of the words, the first ones far more often than the last."""
    return words[int(len(words) * rng.random() ** 2)]


def hexed(rng: Random, digits: int) -> str:
    return f"{rng.getrandbits(4 * digits):0{digits}X}"


def guid(rng: Random) -> str:
    one = hexed(rng, 32)
    return f"{one[:8]}-{one[8:12]}-{one[12:16]}-{one[16:20]}-{one[20:]}"


def address(rng: Random) -> str:
    """A client's address: of the ranges kept for documentation."""
    net = ("192.0.2", "198.51.100", "203.0.113")[int(rng.random() * 3)]
    return f"{net}.{1 + int(rng.random() * 254)}"


def inner(rng: Random) -> str:
    return f"10.{int(rng.random() * 8)}.{int(rng.random() * 250)}.{1 + int(rng.random() * 250)}"


def document(rng: Random) -> str:
    name = f"{uneven(rng, NAMES)} {int(rng.random() * 400)}"
    return f"{uneven(rng, FOLDERS)}\\{name}.{uneven(rng, ENDINGS)}"


def blob(rng: Random) -> str:
    """Base64-like text of 60 to 180 characters."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    return "".join(rng.choices(letters, k=60 + int(rng.random() * 120))) + "=="


MARKS: dict[str, Mark] = {
    "user": lambda rng: uneven(rng, USERS),
    "host": lambda rng: f"{rng.choice(KINDS)}-{rng.choice(SITES)}-{int(400 * rng.random() ** 2):04d}",
    "guid": guid,
    "hex": lambda rng: hexed(rng, 8),
    "hex4": lambda rng: hexed(rng, 4),
    "hex64": lambda rng: hexed(rng, 64).lower(),
    "n1": lambda rng: str(int(rng.random() * 10)),
    "n2": lambda rng: str(10 + int(rng.random() * 90)),
    "n4": lambda rng: str(1000 + int(rng.random() * 9000)),
    "n6": lambda rng: str(100000 + int(rng.random() * 900000)),
    "port": lambda rng: str(1024 + int(rng.random() * 64000)),
    "doc": document,
    "folder": lambda rng: uneven(rng, FOLDERS),
    "name": lambda rng: uneven(rng, NAMES),
    "service": lambda rng: uneven(rng, SERVICES),
    "module": lambda rng: uneven(rng, MODULES),
    "domain": lambda rng: uneven(rng, DOMAINS),
    "ip": address,
    "inner": inner,
    "blob": blob,
    "agent": lambda rng: fill(rng.choice(AGENTS), rng),
}

_MARK = re.compile(f"<({'|'.join(MARKS)})>")


@cache
def _pieces(template: str) -> tuple[tuple[str, Mark | None], ...]:
    cut = _MARK.split(template)
    return tuple((text, MARKS[mark] if mark else None) for text, mark in zip(cut[::2], [*cut[1::2], ""], strict=True))


def fill(template: str, rng: Random) -> str:
    """The template with a word drawn for each mark."""
    return "".join([text + mark(rng) if mark else text for text, mark in _pieces(template)])
