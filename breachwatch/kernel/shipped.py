"""Where the content is that comes with the program and is not code."""

from pathlib import Path


def shipped(name: str) -> Path:
    """The folder `playbooks` or `topics`: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parent.parent
    installed = package / "_content" / name
    return installed if installed.is_dir() else package.parent / name
