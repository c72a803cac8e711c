"""From severity to duty: named rules from the gravest to the mildest; the first that applies decides.

They weigh what decided in the cases of EDPB Guidelines 01/2021: could the data be read; what kind is it; are people
vulnerable; was it carried away; can it be restored in time; is the recipient trusted; how many people. They propose;
a person decides.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from breachwatch.assessment.facts import Duty, Level
from breachwatch.assessment.inputs import Inputs


@dataclass(frozen=True, slots=True)
class Picture:
    """What the inputs mean together, in the words that the rules use.

    `level` is that of the harm: of the score, without the points of a disclosure that nobody can read.
    """

    inputs: Inputs
    level: Level

    @property
    def got_out(self) -> bool:
        """Somebody else got the data, in whatever form."""
        return self.inputs.confidentiality != "none" or self.inputs.exfiltrated

    @property
    def readable(self) -> bool:
        """Somebody else got the data and can read it."""
        return self.got_out and not self.inputs.unintelligible

    @property
    def contained(self) -> bool:
        """Readable only by a known recipient who is trusted and meant no harm."""
        known = self.inputs.confidentiality == "known_recipients" and self.inputs.recipient_trusted
        return self.readable and known and not (self.inputs.malicious or self.inputs.exfiltrated)

    @property
    def exposed(self) -> bool:
        """Readable by others who may use it."""
        return self.readable and not self.contained

    @property
    def impaired(self) -> bool:
        """Data was altered or cannot be got at."""
        return self.inputs.integrity != "none" or self.inputs.availability != "none"

    @property
    def lost(self) -> bool:
        """Impaired, and not to be had again in time."""
        for_good = self.inputs.integrity == "unrecoverable" or self.inputs.availability == "permanent"
        return self.impaired and (for_good or not self.inputs.restorable)

    @property
    def grave_kind(self) -> bool:
        """Special-category, financial or identity data."""
        kinds = self.inputs.special_categories or self.inputs.identity_data
        return kinds or self.inputs.data_class in ("financial", "sensitive")

    @property
    def high(self) -> bool:
        """High or very high harm."""
        return self.level in ("high", "very_high")

    @property
    def harmless(self) -> bool:
        """Simple data that hardly leads to anybody, without malice, about nobody vulnerable."""
        faint = self.inputs.identification == "negligible" and self.inputs.data_class == "simple"
        return faint and not (self.grave_kind or self.inputs.malicious or self.inputs.vulnerable_people)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: its name, the duty it proposes, the sentence that says why, and when it applies."""

    name: str
    duty: Duty
    reason: str
    applies: Callable[[Picture], bool]


def _abuse_likely(seen: Picture) -> bool:
    return seen.exposed and seen.grave_kind and (seen.inputs.malicious or seen.inputs.exfiltrated)


def _vulnerable_hit(seen: Picture) -> bool:
    hit = (seen.exposed and seen.grave_kind) or (seen.impaired and (seen.inputs.special_categories or seen.high))
    return hit and seen.inputs.vulnerable_people


def _interruption_felt(seen: Picture) -> bool:
    """Care, help or protection may have failed meanwhile; an order history can wait for its backup."""
    sensitive = seen.inputs.special_categories or seen.inputs.data_class == "sensitive"
    return seen.impaired and (sensitive or seen.inputs.vulnerable_people)


RULES: tuple[Rule, ...] = (
    Rule(
        "art-34-1-high-severity",
        "notify_authority_and_people",
        "The severity is high and the data can be read by others or is lost, "
        "so a high risk to people is likely (GDPR Art. 34(1)).",
        lambda seen: seen.high and (seen.exposed or seen.lost),
    ),
    Rule(
        "art-34-1-abuse-likely",
        "notify_authority_and_people",
        "Special, financial or identity data is in the hands of somebody who took it on purpose, "
        "so abuse is likely (GDPR Art. 34(1)).",
        _abuse_likely,
    ),
    Rule(
        "art-34-1-vulnerable-people",
        "notify_authority_and_people",
        "Vulnerable people are concerned, and what happened to their data can harm them severely (GDPR Art. 34(1)).",
        _vulnerable_hit,
    ),
    Rule(
        "art-34-1-many-people",
        "notify_authority_and_people",
        "Special, financial or identity data of more than 100 people can be read by others (GDPR Art. 34(1)).",
        lambda seen: seen.exposed and seen.grave_kind and seen.inputs.people == "more_than_100",
    ),
    Rule(
        "art-33-1-readable",
        "notify_authority",
        "Others can read the data, so a risk to people cannot be called unlikely (GDPR Art. 33(1)).",
        lambda seen: seen.exposed and not seen.harmless,
    ),
    Rule(
        "art-33-1-lost",
        "notify_authority",
        "Data is altered or gone and cannot be restored in time (GDPR Art. 33(1)).",
        lambda seen: seen.lost,
    ),
    Rule(
        "art-33-1-interrupted",
        "notify_authority",
        "Sensitive data, or data of vulnerable people, was altered or out of reach for a time, "
        "and somebody may have suffered from it (GDPR Art. 33(1)).",
        _interruption_felt,
    ),
    Rule(
        "art-33-1-trusted-but-grave",
        "notify_authority",
        "The recipient is trusted, but the severity is high, so a risk cannot be called unlikely (GDPR Art. 33(1)).",
        lambda seen: seen.contained and seen.high,
    ),
    Rule(
        "art-34-3-a-unintelligible",
        "record_only",
        "Whoever got the data cannot read it, and none of it is lost, so a risk to people is unlikely "
        "(GDPR Art. 33(1); compare Art. 34(3)(a)).",
        lambda seen: seen.got_out and not seen.readable,
    ),
    Rule(
        "art-33-1-recipient-trusted",
        "record_only",
        "Only a trusted recipient got the data and confirmed its deletion, so a risk to people is unlikely "
        "(GDPR Art. 33(1)).",
        lambda seen: seen.contained,
    ),
    Rule(
        "art-33-1-restored",
        "record_only",
        "Data was restored in time and little depended on it, so a risk to people is unlikely (GDPR Art. 33(1)).",
        lambda seen: seen.impaired,
    ),
    Rule(
        "art-33-1-harmless",
        "record_only",
        "Simple data that hardly leads to anybody was seen without malice, so a risk to people is unlikely "
        "(GDPR Art. 33(1)).",
        lambda seen: seen.exposed,
    ),
    Rule(
        "art-33-5-nothing-shown",
        "record_only",
        "Nothing shows so far that data was disclosed, altered or lost; document it and look on (GDPR Art. 33(5)).",
        lambda _: True,
    ),
)


def deciding_rule(picture: Picture) -> Rule:
    """The first rule that applies."""
    return next(rule for rule in RULES if rule.applies(picture))


def factors(picture: Picture) -> Iterator[str]:
    """One sentence for each factor that the proposal has weighed, whether or not it decided."""
    inputs = picture.inputs
    yield _readability(picture)
    yield _kind(inputs)
    yield (
        "Vulnerable people are among those concerned."
        if inputs.vulnerable_people
        else "No vulnerable people are known to be concerned."
    )
    yield "The data was carried away." if inputs.exfiltrated else "Nothing shows that the data was carried away."
    yield _restorability(picture)
    yield (
        "The recipient is trusted and confirmed deletion."
        if inputs.recipient_trusted
        else "No recipient is known to be trusted."
    )
    yield {
        "unknown": "How many people are concerned is not known yet.",
        "up_to_100": "No more than 100 people are known to be concerned.",
        "more_than_100": "More than 100 people are concerned.",
    }[inputs.people]


def _readability(picture: Picture) -> str:
    if picture.readable:
        return "Somebody else can read the data."
    if picture.got_out:
        return "Somebody else got the data, but cannot read it."
    return "Nobody else is known to have got the data."


def _kind(inputs: Inputs) -> str:
    named = [
        name
        for name, involved in (
            ("special-category", inputs.special_categories or inputs.data_class == "sensitive"),
            ("financial", inputs.data_class == "financial"),
            ("identity", inputs.identity_data),
        )
        if involved
    ]
    return (
        f"It is {' and '.join(named)} data."
        if named
        else "It is neither special-category, financial nor identity data."
    )


def _restorability(picture: Picture) -> str:
    if not picture.impaired:
        return "All data is intact and at hand."
    return "Data cannot be restored in time." if picture.lost else "Data can be restored in time."
