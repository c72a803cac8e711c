"""The parts that a notice must have, as headings with an id: `## What happened {#nature}`."""

import re
from collections.abc import Mapping
from itertools import pairwise

PARTS: Mapping[str, str] = {
    "nature": "what happened",
    "consequences": "what it may mean for the person",
    "measures": "what was done and will be done",
    "advice": "what the person can do",
    "contact": "whom to ask: the data protection officer or another contact point",
}
"""Part to its meaning. Source: GDPR Art. 34(2) with 33(3)(b) to (d); recital 86 for the advice."""

HEADING = re.compile(r"^ {0,3}#{1,6}[ \t]+(?P<text>.*?)[ \t]*\{#(?P<id>[a-z][a-z0-9-]*)\}[ \t]*#*[ \t]*$", re.MULTILINE)
_ANY_HEADING = re.compile(r"^ {0,3}#{1,6}[ \t]+\S", re.MULTILINE)
_FENCE = re.compile(r"^ {0,3}(```|~~~).*?^ {0,3}\1", re.MULTILINE | re.DOTALL)


def missing_parts(markdown: str) -> tuple[str, ...]:
    """Ids of the parts that are not there, or have no words under their heading, in the order of `PARTS`."""
    text = _FENCE.sub(lambda found: " " * len(found[0]), markdown)
    starts = [found.start() for found in _ANY_HEADING.finditer(text)] + [len(text)]
    present = set()
    for start, end in pairwise(starts):
        heading = HEADING.match(text, start)
        if heading and text[heading.end() : end].strip():
            present.add(heading["id"])
    return tuple(part for part in PARTS if part not in present)
