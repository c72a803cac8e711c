"""What a playbook folder says, as types: the meaning of a kind of breach, from its nature to its notices."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

BreachType = Literal["confidentiality", "integrity", "availability"]
DataClass = Literal["simple", "behavioural", "financial", "sensitive"]
Language = Annotated[str, Field(pattern=r"^[a-z]{2}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SubjectField(_Strict):
    """An event field that names a person. `kind` is the identifier's name in the directory.

    The field becomes a pseudonym in every match of the playbook. `rules`: titles or names of the rules whose matches
    make that person one of those affected; None is every rule, empty is none (a login somebody merely tried).
    """

    field: str
    kind: str
    rules: tuple[str, ...] | None = None


class DetectionMeaning(_Strict):
    """What the alerts of this playbook carry and how they become incidents.

    `raises_incident`: titles or names of the rules whose alerts raise an incident; the rest stay alerts.
    `suppress`: crossings closer than this to each other are one alert. `merge_by` and `merge_within`: an alert joins
    an open incident of this playbook with equal values of these group fields whose last event is that close.
    `evidence`: OCSF paths kept in samples. `records_field`: OCSF path with a number of records, else one an event.
    `records_rules`: titles or names of the rules whose events touch records at all; None is every rule, empty is none.
    """

    raises_incident: tuple[str, ...] = ()
    subjects: tuple[SubjectField, ...] = ()
    evidence: tuple[str, ...] = ()
    records_field: str = ""
    records_rules: tuple[str, ...] | None = None
    suppress: timedelta = timedelta(hours=1)
    merge_by: tuple[str, ...] = ()
    merge_within: timedelta = timedelta(hours=24)
    max_samples: int = Field(default=10, ge=1, le=100)


class SeverityDefaults(_Strict):
    """ENISA inputs this kind of breach starts from (`assessment/`): SE = DPC x EI + CB.

    `identity_data`: identity documents, or what lets somebody pass for the person, such as passwords. `exfiltrated`:
    data was carried away; None: yes for malicious disclosure to unknown recipients, else no. `why`: input to reason.

    Source: ENISA, Recommendations for a methodology of the assessment of severity of personal data breaches, 2013.
    """

    data_classes: tuple[DataClass, ...]
    dpc_adjustment: int = Field(default=0, ge=-3, le=3)
    identification: Literal["negligible", "limited", "significant", "maximum"]
    confidentiality: Literal["none", "known_recipients", "unknown_recipients"] = "none"
    integrity: Literal["none", "recoverable", "unrecoverable"] = "none"
    availability: Literal["none", "temporary", "permanent"] = "none"
    malicious: bool = False
    unintelligible: bool = False
    restorable: bool = True
    recipient_trusted: bool = False
    vulnerable_people: bool = False
    special_categories: bool = False
    identity_data: bool = False
    exfiltrated: bool | None = None
    why: dict[str, str] = {}


class ChecklistItem(_Strict):
    """A step of the response. `phase` groups them on the desk; a done `measure` is quoted in the filing."""

    id: str
    phase: Literal["contain", "assess", "notify", "recover"]
    text: str
    measure: str = ""


class FilingDefaults(_Strict):
    """What the draft filing says before a person edits it. Source: GDPR Art. 33(3)."""

    origin: str
    cause: str
    data_categories: tuple[str, ...]
    people_categories: tuple[str, ...]
    prior_measures: str
    consequences: str


class Playbook(_Strict):
    """One kind of breach: `playbooks/<id>/playbook.yml` beside its `detection.yml`, notices and cases."""

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
    title: str
    summary: str
    breach_types: tuple[BreachType, ...] = Field(min_length=1)
    detection: DetectionMeaning = DetectionMeaning()
    awareness: Literal["on_raise", "on_confirm"] = "on_raise"
    regimes: tuple[str, ...] = ("gdpr",)
    severity: SeverityDefaults
    filing: FilingDefaults
    checklist: tuple[ChecklistItem, ...] = Field(min_length=1)
    notices: tuple[Language, ...] = ("en", "fr")


class NoticeTemplate(_Strict):
    """The Art. 34 draft of one language: front matter `subject:` and Markdown whose level-2 headings carry an id.

    Headings end with `{#nature}`, `{#consequences}`, `{#measures}`, `{#advice}` or `{#contact}`: the parts Art. 34(2)
    requires. Placeholders are `{organisation}`-like names out of a fixed list (`notices/`).
    """

    playbook: str
    language: Language
    subject: str
    markdown: str
