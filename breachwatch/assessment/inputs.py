"""What the severity is judged by: each input with its choices, their points and their words, as data.

The desk renders `INPUTS` as it stands. The choices of every input run from mild to grave, so that a slider's right
end is the worse one and a graver choice never lowers the score or the duty.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Literal, NamedTuple

from pydantic import TypeAdapter

from breachwatch.detection.playbooks.playbook import DataClass, SeverityDefaults
from breachwatch.kernel.errors import RefusedError
from breachwatch.kernel.shapes import did_you_mean

Identification = Literal["negligible", "limited", "significant", "maximum"]
Confidentiality = Literal["none", "known_recipients", "unknown_recipients"]
Integrity = Literal["none", "recoverable", "unrecoverable"]
Availability = Literal["none", "temporary", "permanent"]
People = Literal["up_to_100", "unknown", "more_than_100"]

MANY_PEOPLE = 100
"""More than this many is ENISA's flag."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """One value for each of `INPUTS`. As text, truth is `yes` or `no`.

    `data_class` is the highest class involved. `dpc_adjustment`: points by which the context raises or lowers it.
    `people` is how many as far as it matters, so that each further person does not make a new proposal.
    """

    data_class: DataClass = "simple"
    dpc_adjustment: int = 0
    identification: Identification = "maximum"
    confidentiality: Confidentiality = "none"
    integrity: Integrity = "none"
    availability: Availability = "none"
    malicious: bool = False
    unintelligible: bool = False
    special_categories: bool = False
    identity_data: bool = False
    vulnerable_people: bool = False
    exfiltrated: bool = False
    restorable: bool = True
    recipient_trusted: bool = False
    people: People = "unknown"

    @classmethod
    def of_playbook(cls, defaults: SeverityDefaults, people: int | None) -> "Inputs":
        """What this kind of breach starts from; `people` is an estimate, None while unknown."""
        order = spec_of("data_class").values
        copied = {field.name for field in fields(cls)} - {"data_class", "exfiltrated", "people"}
        carried_away = defaults.malicious and defaults.confidentiality == "unknown_recipients"
        return cls(
            data_class=max(defaults.data_classes, key=order.index, default="simple"),
            exfiltrated=carried_away if defaults.exfiltrated is None else defaults.exfiltrated,
            people=band_of(people),
            **{name: getattr(defaults, name) for name in copied},
        )

    @classmethod
    def of_text(cls, text: Mapping[str, str]) -> "Inputs":
        """Read what `to_text` wrote; names not known (any more) are left out, missing ones take their default.

        Raises:
            ValueError: a value is none of its input's choices.
        """
        known = {spec.name for spec in INPUTS}
        return _ADAPTER.validate_python({name: value for name, value in text.items() if name in known})

    def to_text(self) -> dict[str, str]:
        """Name to value, as the case file keeps it."""
        return {name: _text(value) for name, value in asdict(self).items()}

    def but(self, name: str, value: str) -> "Inputs":
        """The same with one input set otherwise.

        Raises:
            RefusedError: no such input, or not one of its choices; the text names the nearest.
        """
        spec = spec_of(name)
        if value not in spec.values:
            raise RefusedError(f'{spec.label}: "{value}" is not one of the choices; {did_you_mean(value, spec.values)}')
        return Inputs.of_text({**self.to_text(), name: value})

    def points(self, name: str) -> float:
        """The points that the chosen value of an input has; 0 for one without points."""
        value = _text(getattr(self, name))
        return next((choice.points or 0.0 for choice in spec_of(name).choices if choice.value == value), 0.0)


class Choice(NamedTuple):
    """One value of an input; `points` it gives to the score, None where it only weighs on the duty."""

    value: str
    label: str
    points: float | None


class InputSpec(NamedTuple):
    """One input as the desk shows it: choices from mild to grave, and one line of help."""

    name: str
    label: str
    choices: tuple[Choice, ...]
    help: str

    @property
    def values(self) -> list[str]:
        """The values of the choices, from mild to grave."""
        return [choice.value for choice in self.choices]


def _grave_if_yes(name: str, label: str, help_: str, points: float | None = None) -> InputSpec:
    mild = None if points is None else 0.0
    return InputSpec(name, label, (Choice("no", "No", mild), Choice("yes", "Yes", points)), help_)


def _grave_if_no(name: str, label: str, help_: str) -> InputSpec:
    return InputSpec(name, label, (Choice("yes", "Yes", None), Choice("no", "No", None)), help_)


INPUTS: tuple[InputSpec, ...] = (
    InputSpec(
        "data_class",
        "Kind of data",
        (
            Choice("simple", "Simple: names, contact details, education", 1),
            Choice("behavioural", "Behavioural: orders, places, habits, traffic", 2),
            Choice("financial", "Financial: income, cards, accounts, invoices", 3),
            Choice("sensitive", "Sensitive: health, beliefs, sexual life, offences", 4),
        ),
        "The highest kind involved counts.",
    ),
    InputSpec(
        "dpc_adjustment",
        "Context of the data",
        tuple(
            Choice(f"{step:+d}" if step else "0", f"{step:+d}" if step else "As it is", step) for step in range(-3, 4)
        ),
        "Down for data that is public anyway, old or wrong; up for large volumes or what is special about people.",
    ),
    InputSpec(
        "identification",
        "Ease of telling who somebody is",
        (
            Choice("negligible", "Negligible: hardly anybody could", 0.25),
            Choice("limited", "Limited: with much other knowledge", 0.5),
            Choice("significant", "Significant: with some other knowledge", 0.75),
            Choice("maximum", "Maximum: from the data itself", 1),
        ),
        "How easily somebody who has the data could tell whom it is about.",
    ),
    InputSpec(
        "confidentiality",
        "Disclosure",
        (
            Choice("none", "None", 0),
            Choice("known_recipients", "To recipients who are known", 0.25),
            Choice("unknown_recipients", "To an unknown number of recipients", 0.5),
        ),
        "Who could see the data and should not.",
    ),
    InputSpec(
        "integrity",
        "Alteration",
        (
            Choice("none", "None", 0),
            Choice("recoverable", "Altered, but the right data can be recovered", 0.25),
            Choice("unrecoverable", "Altered and not recoverable", 0.5),
        ),
        "Whether data was changed.",
    ),
    InputSpec(
        "availability",
        "Loss",
        (Choice("none", "None", 0), Choice("temporary", "For a time", 0.25), Choice("permanent", "For good", 0.5)),
        "Whether those who need the data can get at it.",
    ),
    _grave_if_yes("malicious", "Done with malice", "An attack, a theft, or an insider who meant it.", 0.5),
    _grave_if_no(
        "unintelligible", "Unintelligible to others", "Soundly encrypted or hashed, and the key was not taken."
    ),
    _grave_if_yes("special_categories", "Special categories", "Data of GDPR Art. 9, or about offences (Art. 10)."),
    _grave_if_yes(
        "identity_data", "Identity at stake", "Identity documents, passwords: what lets others pass for the person."
    ),
    _grave_if_yes("vulnerable_people", "Vulnerable people", "Children, patients, people who seek help or protection."),
    _grave_if_yes("exfiltrated", "Carried away", "Copied out, and not only looked at or encrypted in its place."),
    _grave_if_no("restorable", "Restorable in time", "From a backup or another copy, before anybody suffers from it."),
    _grave_if_no("recipient_trusted", "Recipient trusted", "Known, reliable, and confirmed that the data is deleted."),
    InputSpec(
        "people",
        "Number of people",
        (
            Choice("up_to_100", "Up to 100", None),
            Choice("unknown", "Not known yet", None),
            Choice("more_than_100", "More than 100", None),
        ),
        "Follows the evidence. What a person says holds as a minimum.",
    ),
)
"""All inputs, in the order in which the desk shows them. Points: ENISA 2013, sections 3 to 5."""

_ADAPTER = TypeAdapter(Inputs)


def spec_of(name: str) -> InputSpec:
    """One input.

    Raises:
        RefusedError: there is none of this name; the text names the nearest.
    """
    for spec in INPUTS:
        if spec.name == name:
            return spec
    raise RefusedError(f'there is no input "{name}"; {did_you_mean(name, [spec.name for spec in INPUTS])}')


def band_of(people: int | None) -> People:
    """How many people, as far as it matters; none at all is as good as not known."""
    if not people or people < 0:
        return "unknown"
    return "more_than_100" if people > MANY_PEOPLE else "up_to_100"


def why_of(defaults: SeverityDefaults) -> dict[str, str]:
    """Input name to the playbook's reason for its value, where it gives one."""
    reasons = {("data_class" if name == "data_classes" else name): text for name, text in defaults.why.items()}
    return {spec.name: reasons[spec.name] for spec in INPUTS if spec.name in reasons}


def _text(value: object) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:+d}" if value else "0"
        case _:
            return str(value)
