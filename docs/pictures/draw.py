"""Pictures of what commands print, made by doing what a page says: `script/pictures`.

A page is done from its first command to its last, in a terminal of its own and a folder of its own. What the commands
named in `PICTURES` print there becomes a picture. So a picture shows what the program does, and a test tells when it no
longer does (`tests/docs/test_pictures.py`).
"""

import fcntl
import io
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
COLUMNS = 100
STEP = re.compile(r"(?:[Ss]ave this as\s`([\w./-]+)`:\n\n)?^```(\w+)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MARK = "\x1c"
"""Between what one drawn command prints and the next; no command prints it."""


@dataclass(frozen=True)
class Picture:
    """One picture: its file, what it is of, and the beginning of the command that prints it; or the file it wrote."""

    name: str
    title: str
    command: str
    file: str = ""

    def draws(self, command: str) -> bool:
        """Whether it is of this command, however it is broken into lines."""
        return bool(self.command) and re.sub(r"\\\n\s*", "", command).startswith(self.command)


PICTURES: dict[str, tuple[Picture, ...]] = {
    "docs/how-to/try-a-rule.md": (
        Picture(
            "explain.svg",
            "Why a record does not match a rule",
            "breachwatch rules match --rules rules --source linux-sshd auth.log --explain --record 100",
        ),
        Picture("tune.svg", "What other thresholds would have raised", "breachwatch tune ssh-brute-force auth.log"),
        Picture("thresholds.svg", "", "", file="thresholds.svg"),
    ),
    "docs/tutorial/your-own-playbook.md": (
        Picture(
            "tutorial-explain.svg",
            "Why a refused login does not match",
            "breachwatch rules match --rules rules --source mail-server mail.log --explain",
        ),
        Picture("tutorial-tune.svg", "Which threshold lets the office be", "breachwatch tune mailboxes-opened"),
    ),
}

THEME = TerminalTheme(
    (27, 31, 36),
    (208, 213, 219),
    [(72, 79, 88), (255, 134, 122), (106, 200, 124), (222, 178, 90), (121, 179, 255), (204, 160, 250), (96, 208, 220),
     (208, 213, 219)],
    [(128, 137, 148), (255, 134, 122), (106, 200, 124), (222, 178, 90), (121, 179, 255), (204, 160, 250),
     (96, 208, 220), (255, 255, 255)],
)  # fmt: skip
FRAME = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">
<title>%(title)s</title>
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; \
font-size: {char_height}px; line-height: {line_height}px; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>\
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g>
</g>
</svg>
"""


def main() -> int:
    """Draw every picture anew, and name those that changed."""
    for name, content in draw().items():
        file = HERE / name
        if not file.is_file() or file.read_bytes() != content:
            file.write_bytes(content)
            print(f"{file.relative_to(ROOT)} is drawn anew")  # noqa: T201 - a command
    return 0


def draw() -> dict[str, bytes]:
    """Every picture by its file's name."""
    drawn: dict[str, bytes] = {}
    for page, pictures in PICTURES.items():
        with tempfile.TemporaryDirectory() as folder:
            drawn.update(_draw_page((ROOT / page).read_text("utf-8"), pictures, Path(folder)))
    return drawn


def _draw_page(page: str, pictures: tuple[Picture, ...], home: Path) -> Iterator[tuple[str, bytes]]:
    (home / "playbooks").symlink_to(ROOT / "playbooks")
    printed = _terminal("\n".join(_session(page, pictures)), home).split(MARK)
    for picture in pictures:
        if picture.file:
            yield picture.name, (home / picture.file).read_bytes()
        else:
            command = next(told for told in _commands(page) if picture.draws(told))
            output = printed[printed.index(picture.name) + 1]
            yield picture.name, _svg(picture, command, output.strip("\r\n"))


def _session(page: str, pictures: tuple[Picture, ...]) -> Iterator[str]:
    """What a shell is told: the page, in silence but for the commands that are drawn."""
    yield "exec 2>/dev/null"
    for name, kind, body in STEP.findall(page):
        if name:
            yield f"mkdir -p {Path(name).parent} && cat > {name} <<'END_OF_FILE'\n{body}END_OF_FILE"
        elif kind == "sh" and "script/bootstrap" not in body:
            if any(picture.draws(command) for picture in pictures for command in _split(body)):
                yield from (_shown(command, pictures) for command in _split(body))
            else:
                yield body
    yield "exit 0"


def _shown(command: str, pictures: tuple[Picture, ...]) -> str:
    for picture in pictures:
        if picture.draws(command):
            return f"printf '{MARK}{picture.name}{MARK}'\n{command}\nprintf '{MARK}'"
    return command


def _split(body: str) -> list[str]:
    """The commands of a block, one of several lines in one piece."""
    return re.findall(r"(?:[^\n]*\\\n)*[^\n]+", body)


def _commands(page: str) -> Iterator[str]:
    for _, kind, body in STEP.findall(page):
        if kind == "sh":
            yield from _split(body)


def _terminal(script: str, home: Path) -> str:
    """What a session prints on a terminal of our width; its errors and its progress go elsewhere."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 200, COLUMNS, 0, 0))
    env = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "COLUMNS", "LINES")}
    env |= {
        "PATH": f"{Path(sys.executable).parent}:{env['PATH']}",
        "TERM": "xterm-256color",
        "PYTHONIOENCODING": "utf-8",
    }
    env |= {"XDG_CACHE_HOME": str(home / "cache")}
    words = [shutil.which("bash") or "/bin/bash", "-c", script]
    with subprocess.Popen(words, cwd=home, stdin=subprocess.DEVNULL, stdout=theirs, env=env) as shell:  # noqa: S603 - our own pages
        os.close(theirs)
        printed = b"".join(_until_closed(ours))
    os.close(ours)
    if shell.returncode:
        raise RuntimeError(f"the page's commands ended with {shell.returncode}")
    return printed.decode("utf-8")


def _until_closed(terminal: int) -> Iterator[bytes]:
    while True:
        try:
            piece = os.read(terminal, 65_536)
        except OSError:  # a terminal that its last user has closed
            return
        if not piece:
            return
        yield piece


def _svg(picture: Picture, command: str, output: str) -> bytes:
    console = Console(
        record=True,
        width=COLUMNS,
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
        legacy_windows=False,
    )
    console.print(Text.assemble(("$ ", "bold green"), (command, "bold")))
    console.print(Text.from_ansi(output.replace("\r\n", "\n")))
    console.print()  # room for what hangs below the last line
    svg = console.export_svg(
        title="", theme=THEME, unique_id=picture.name.removesuffix(".svg"), code_format=FRAME % {"title": picture.title}
    )
    return "\n".join(line.strip() for line in svg.splitlines() if line.strip()).encode() + b"\n"


if __name__ == "__main__":
    sys.exit(main())
