"""What an operator allows, asked of events that matched a rule: so it costs nothing where nothing matched.

Works as a Sigma filter would, `condition: not allowed`, with one more part: the event's time must lie before the end of
the entry. Old logs are thus judged as of their own time, and what is allowed until Friday is told again on Saturday.
"""

from collections.abc import Sequence

from breachwatch.detection.conditions import AllOf, AnyOf, Condition, Network, Text, Where, Wild
from breachwatch.detection.matching.compiler import Compiler, Matches
from breachwatch.detection.rules import Rule
from breachwatch.detection.trying.adjustments import Allowed
from breachwatch.sources.event import Event
from breachwatch.sources.source import Source

ADDRESSES = ("src_endpoint.ip",)
ACCOUNTS = (
    *("actor.user.name", "actor.user.uid", "actor.user.email_addr"),
    *("user.name", "user.uid", "user.email_addr"),
)
PATHS = ("http_request.url.path", "http_request.url.url_string", "file.path", "process.file.path")


class AllowList:
    """The entries that are about one rule, for events of one source."""

    def __init__(self, entries: Sequence[tuple[Allowed, Matches]]) -> None:
        self._entries = [(each.until_us, test, each.called) for each, test in entries]

    def allows(self, event: Event) -> str:
        """What the entry is called that allows an event; empty when none does."""
        for until_us, test, called in self._entries:
            if event.at_us < until_us and test(event.fields):
                return called
        return ""


def allow_lists(entries: Sequence[Allowed], source: Source, rules: Sequence[Rule]) -> dict[int, AllowList]:
    """By index of a rule: what is allowed to it among events of a source. Rules with no entry are absent."""
    if not entries:
        return {}
    compiler = Compiler(source)
    tests = [(each, compiler.condition(condition)) for each in entries if (condition := condition_of(each, source))]
    found = {at: [each for each in tests if _is_about(each[0], rule)] for at, rule in enumerate(rules)}
    return {at: AllowList(some) for at, some in found.items() if some}


def condition_of(entry: Allowed, source: Source) -> Condition | None:
    """What an event of a source must be like; None when the source has no field that could tell."""
    parts: list[Condition] = []
    asked = (
        (ADDRESSES, [Network(each) for each in entry.addresses]),
        (ACCOUNTS, [_text(each) for each in entry.accounts]),
        (PATHS, [_text(each) for each in entry.paths]),
    )
    for fields, wanted in asked:
        if not wanted:
            continue
        known = [field for field in fields if field in source.attributes]
        if not known:
            return None
        parts.append(AnyOf(tuple(Where(field, each) for field in known for each in wanted)))
    return AllOf(tuple(parts))


def _is_about(entry: Allowed, rule: Rule) -> bool:
    return entry.playbook in ("", rule.playbook) and (not entry.rules or bool(rule.names & set(entry.rules)))


def _text(written: str) -> Text:
    """`*` and `?` are wildcards, everything else is itself."""
    parts: list[str | Wild] = []
    plain = ""
    for char in written:
        if char not in "*?":
            plain += char
            continue
        if plain:
            parts.append(plain)
            plain = ""
        parts.append(Wild(many=char == "*"))
    if plain:
        parts.append(plain)
    return Text(tuple(parts))
