"""A `notice.<lang>.md`: front matter with a subject, then the parts of Art. 34(2) under headings with ids."""

import re
from collections.abc import Collection, Iterator

from breachwatch.detection.playbooks.playbook import NoticeTemplate
from breachwatch.kernel.errors import ContentError, Problem
from breachwatch.kernel.shapes import did_you_mean
from breachwatch.kernel.yaml import Place, read

REQUIRED_PARTS = ("nature", "consequences", "measures", "advice", "contact")
"""Source: GDPR Art. 34(2) with 33(3)(b) to (d); advice to the person is Recital 86."""

_HEADING = re.compile(r"^(#{1,6})[ \t]+(?P<title>.*?)[ \t]*$")
_ID = re.compile(r"\{#(?P<id>[^}]*)\}$")
_PLACEHOLDER = re.compile(r"\{(?!#)(?P<name>[^{}\n]*)\}")
_KEYS = ("subject",)


def read_notice(
    text: bytes, path: str, playbook: str, language: str, placeholders: Collection[str]
) -> tuple[NoticeTemplate | None, list[Problem]]:
    """The template, or everything that is wrong with the file.

    Args:
        text: what the file holds, UTF-8.
        path: how people call the file.
        playbook: id of the playbook it belongs to.
        language: two letters, from the file's name.
        placeholders: names that may stand in braces.
    """
    try:
        lines = text.decode("utf-8-sig").replace("\r\n", "\n").split("\n")
    except UnicodeDecodeError as error:
        return None, [Problem(path, text[: error.start].count(b"\n") + 1, 0, "not UTF-8")]
    end = next((at for at, line in enumerate(lines[1:], 1) if line.rstrip() == "---"), 0)
    if lines[0].rstrip() != "---" or not end:
        hint = "begin with three lines: ---, subject: ..., ---"
        return None, [Problem(path, 1, 1, "no front matter", hint)]
    subject, place, problems = _front_matter(lines[:end], path)
    body = lines[end + 1 :]
    problems.extend(_headings(body, end + 2, path))
    problems.extend(
        Problem(path, place[0], place[1] + problem.column - 1, problem.message, problem.hint)
        for problem in _unknown_placeholders([(0, subject)], path, placeholders)
    )
    problems.extend(_unknown_placeholders(enumerate(body, end + 2), path, placeholders))
    if problems:
        return None, problems
    return NoticeTemplate(
        playbook=playbook, language=language, subject=subject, markdown="\n".join(body).strip() + "\n"
    ), []


def _front_matter(lines: list[str], path: str) -> tuple[str, Place, list[Problem]]:
    """The subject, where it stands, and what is wrong."""
    try:
        # The opening line stays as an empty one, so that places are those of the file.
        node = read("\n".join(["", *lines[1:]]), path)
    except ContentError as error:
        return "", (1, 1), list(error.problems)
    given = node.data if isinstance(node.data, dict) else {}
    problems = [
        node.problem((key,), f'unknown key "{key}"', did_you_mean(key, set(_KEYS) - set(given)), key=True)
        for key in given
        if key not in _KEYS
    ]
    subject = given.get("subject")
    if not isinstance(subject, str) or not subject.strip():
        problems.append(Problem(path, *(node.place(("subject",)) if "subject" in given else (1, 1)), "no subject"))
        return "", (1, 1), problems
    if "\n" in subject.strip():
        problems.append(node.problem(("subject",), "the subject must be one line"))
    return subject.strip(), node.place(("subject",)), problems


def _headings(body: list[str], first_line: int, path: str) -> Iterator[Problem]:
    seen: dict[str, int] = {}
    filled: dict[str, bool] = {}
    current = ""
    for number, line in enumerate(body, first_line):
        heading = _HEADING.match(line)
        if not heading:
            if current and line.strip():
                filled[current] = True
            continue
        marked = _ID.search(heading["title"])
        current = marked["id"] if marked and len(heading[1]) == 2 else current if len(heading[1]) > 2 else ""
        if not marked or len(heading[1]) != 2:
            continue
        if current not in REQUIRED_PARTS:
            hint = did_you_mean(current, REQUIRED_PARTS)
            yield Problem(path, number, marked.start() + len(heading[1]) + 2, f'unknown part "{{#{current}}}"', hint)
        elif current in seen:
            yield Problem(path, number, 1, f'part "{{#{current}}}" stands twice', f"see line {seen[current]}")
        seen.setdefault(current, number)
    for part in REQUIRED_PARTS:
        if part not in seen:
            hint = f"add a level-2 heading that ends with {{#{part}}}"
            yield Problem(path, first_line, 1, f'the part "{part}" is missing; Art. 34(2) requires it', hint)
        elif not filled.get(part):
            yield Problem(path, seen[part], 1, f'the part "{part}" says nothing')


def _unknown_placeholders(
    lines: "Collection[tuple[int, str]] | enumerate[str]", path: str, placeholders: Collection[str]
) -> Iterator[Problem]:
    for number, line in lines:
        for found in _PLACEHOLDER.finditer(line):
            if found["name"] not in placeholders:
                hint = did_you_mean(found["name"], placeholders)
                yield Problem(path, number, found.start() + 1, f'unknown placeholder "{{{found["name"]}}}"', hint)
