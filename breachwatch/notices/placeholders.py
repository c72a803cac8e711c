"""The closed list of names that a notice may leave open in braces, and how they are filled."""

import re
from collections.abc import Collection, Mapping
from difflib import get_close_matches

PLACEHOLDERS: Mapping[str, str] = {
    "person_name": "the name of the person the mail is for; filled last, as each mail is written",
    "organisation": "the controller's name",
    "organisation_address": "the controller's postal address",
    "website": "the controller's own website, to type by hand and check that the mail is real",
    "dpo_name": "the data protection officer, or other contact point",
    "dpo_email": "the contact point's mail address",
    "dpo_phone": "the contact point's telephone number",
    "authority": "the supervisory authority that takes complaints",
    "authority_url": "the authority's website",
    "occurred_on": "the day or days of the breach, as far as they are known",
    "discovered_on": "the day on which the breach was found",
    "data_categories": "the categories of data, as a list in one line",
    "incident_reference": "the reference to quote when writing about it",
}
"""Name to meaning. `person_name` alone is still open in a text that was approved."""

OPEN_UNTIL_SENT = "person_name"
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_ADDRESS = re.compile(r"(?:https?://|mailto:|tel:)?[A-Za-z0-9.@:/?=%+~_-]+")
_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
_LOUD_PUNCTUATION = re.compile(r"([!-&(-+;-?\[-`{-~])")


def names_in(text: str) -> list[str]:
    """Every placeholder of a text in order of appearance, known or not; heading ids like `{#nature}` are none."""
    return _PLACEHOLDER.findall(text)


def unknown_names(text: str, known: Collection[str] = PLACEHOLDERS.keys()) -> list[tuple[str, str]]:
    """(name, nearest known name or "") of each placeholder that is not on the list."""
    strange = [name for name in dict.fromkeys(names_in(text)) if name not in known]
    return [(name, next(iter(get_close_matches(name, list(known), 1)), "")) for name in strange]


def fill_line(text: str, values: Mapping[str, str]) -> str:
    """Fill a subject line. Values lose line breaks and braces, so they start neither a header nor a placeholder."""

    def value(found: re.Match[str]) -> str:
        name = found[1]
        return _one_line(values[name]).translate(_BRACES) if name in values else found[0]

    return _PLACEHOLDER.sub(value, text)


def fill_markdown(markdown: str, values: Mapping[str, str]) -> str:
    r"""Fill a Markdown text in one pass: a value is shown as it is, whatever marks or placeholders it holds.

    Placeholders without a value stay open. Marks in values are escaped (`*x*` becomes `\*x\*`); only where the whole
    of a link is a placeholder (`<{website}>`, `[our site]({website})`) does a plain address stay bare.
    """

    def value(found: re.Match[str]) -> str:
        name = found[1]
        if name not in values:
            return found[0]
        text = _one_line(values[name])
        if _is_link(markdown, found) and _ADDRESS.fullmatch(text):
            return text
        line = markdown[markdown.rfind("\n", 0, found.start()) + 1 : found.start()]
        quiet = line.strip(" \t>*-+#0123456789.)") != ""
        return (_LOUD_PUNCTUATION if quiet else _PUNCTUATION).sub(r"\\\1", text)

    return _PLACEHOLDER.sub(value, markdown)


def _is_link(markdown: str, found: re.Match[str]) -> bool:
    before, after = markdown[: found.start()], markdown[found.end() : found.end() + 1]
    return (before.endswith("<") and after == ">") or (before.endswith("](") and after == ")")


def _one_line(value: str) -> str:
    return " ".join("".join(char if char.isprintable() else " " for char in value).split())


_BRACES = str.maketrans({"{": "(", "}": ")"})
