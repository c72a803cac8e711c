"""One playbook folder: its files read one by one, each on its own; `links.py` then holds them against each other."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from breachwatch.detection.playbooks.notice_file import read_notice
from breachwatch.detection.playbooks.playbook import NoticeTemplate, Playbook
from breachwatch.detection.sigma.placeholders import Placeholders
from breachwatch.detection.sigma.sigma_documents import Draft, read_documents
from breachwatch.kernel.errors import ContentError, Problem
from breachwatch.kernel.shapes import conform, did_you_mean
from breachwatch.kernel.yaml import Node, read

PLAYBOOK, DETECTION, FILTERS = "playbook.yml", "detection.yml", "filters"
_NOTICE = re.compile(r"notice\.([a-z]{2})\.md")
_WELCOME = {PLAYBOOK, DETECTION, "README.md"}


@dataclass(slots=True)
class Folder:
    """What one folder says. `playbook` and `node`, or `drafts`, are None when `problems` says why."""

    path: str
    playbook: Playbook | None = None
    node: Node | None = None
    drafts: list[Draft] | None = field(default_factory=list)
    notices: dict[str, NoticeTemplate] = field(default_factory=dict)
    cases: dict[str, bytes] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def read_folders(
    tree: Mapping[str, bytes], placeholders: Collection[str], fillings: Placeholders | None = None
) -> Iterator[Folder]:
    """Every folder of the tree that holds a part of a playbook, in order of path.

    Args:
        tree: path to bytes.
        placeholders: names that notices may use.
        fillings: the texts that placeholders of Sigma rules stand for.
    """
    grouped: dict[str, dict[str, bytes]] = {}
    for path, body in tree.items():
        pure = PurePosixPath(path)
        if pure.parent.name == FILTERS:
            continue
        parent = pure.parent.parent if pure.parent.name == "cases" else pure.parent
        grouped.setdefault(parent.as_posix(), {})[path] = body
    for home in sorted(grouped):
        names = {PurePosixPath(path).name for path in grouped[home]}
        if names & {PLAYBOOK, DETECTION} or any(path.endswith((".yml", ".yaml")) for path in grouped[home]):
            yield _folder(home, grouped[home], placeholders, fillings or {})


def read_filters(tree: Mapping[str, bytes], fillings: Placeholders | None = None) -> tuple[list[Draft], list[Problem]]:
    """Sigma filters kept in folders called `filters`: they are for the rules of every playbook of the tree."""
    found: list[Draft] = []
    problems: list[Problem] = []
    for path, body in sorted(tree.items()):
        pure = PurePosixPath(path)
        if pure.parent.name != FILTERS or pure.suffix not in {".yml", ".yaml"}:
            continue
        drafts, faults = read_documents(body, path, fillings)
        problems.extend(faults)
        problems.extend(
            each.node.problem((), "this folder holds filters alone; a rule stands in a playbook's detection.yml")
            for each in drafts
            if not each.is_filter
        )
        found.extend(each for each in drafts if each.is_filter)
    return found, problems


def _folder(home: str, files: Mapping[str, bytes], placeholders: Collection[str], fillings: Placeholders) -> Folder:
    folder = Folder(home)
    for path, body in sorted(files.items()):
        pure = PurePosixPath(path)
        if pure.parent.name == "cases" and pure.parent.as_posix() != home:
            if pure.suffix in {".yml", ".yaml"}:
                folder.cases[path] = body
        elif pure.name == PLAYBOOK:
            _read_playbook(folder, path, body)
        elif pure.name == DETECTION:
            drafts, problems = read_documents(body, path, fillings)
            folder.drafts = drafts if drafts or not problems else None
            folder.problems.extend(problems)
        elif not _NOTICE.fullmatch(pure.name) and pure.name not in _WELCOME:
            hint = did_you_mean(pure.name, [*(_WELCOME - {PurePosixPath(each).name for each in files}), "notice.en.md"])
            folder.problems.append(Problem(path, 0, 0, "this file has no place in a playbook", hint))
    if f"{home}/{PLAYBOOK}" not in files:
        folder.problems.append(Problem(f"{home}/{PLAYBOOK}", 0, 0, "no such file; it says what the alerts mean"))
    _read_notices(folder, files, placeholders)
    return folder


def _read_playbook(folder: Folder, path: str, body: bytes) -> None:
    try:
        folder.node = read(body, path)
        folder.playbook = conform(Playbook, folder.node)
    except ContentError as error:
        folder.problems.extend(error.problems)
        return
    name = PurePosixPath(folder.path).name
    if folder.playbook.id != name:
        hint = f'write "{name}", or rename the folder'
        folder.problems.append(
            folder.node.problem(("id",), f'id "{folder.playbook.id}" is not the folder\'s name', hint)
        )


def _read_notices(folder: Folder, files: Mapping[str, bytes], placeholders: Collection[str]) -> None:
    found: set[str] = set()
    for path, body in sorted(files.items()):
        named = _NOTICE.fullmatch(PurePosixPath(path).name)
        if not named:
            continue
        language = named[1]
        found.add(language)
        if folder.playbook is not None and folder.node is not None and language not in folder.playbook.notices:
            hint = f"add {language} to `notices` in {PLAYBOOK}"
            folder.problems.append(Problem(path, 0, 0, "this notice is not listed in the playbook", hint))
        name = folder.playbook.id if folder.playbook else ""
        template, problems = read_notice(body, path, name, language, placeholders)
        folder.problems.extend(problems)
        if template is not None:
            folder.notices[language] = template
    if folder.playbook is not None and folder.node is not None:
        for index, language in enumerate(folder.playbook.notices):
            if language not in found:
                message = f'there is no notice in "{language}"'
                hint = f"write {folder.path}/notice.{language}.md"
                folder.problems.append(folder.node.problem(("notices", index), message, hint))
