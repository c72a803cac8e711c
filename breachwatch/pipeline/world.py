"""What a case is judged by: playbooks, law, forms and the organisation, fixed for the life of the process."""

from collections.abc import Mapping
from dataclasses import dataclass

from breachwatch.clocks.regimes import Regime
from breachwatch.detection.playbooks.playbook import (
    ChecklistItem,
    FilingDefaults,
    NoticeTemplate,
    Playbook,
    SeverityDefaults,
)
from breachwatch.filings.forms.model import Form
from breachwatch.kernel.errors import NotFoundError
from breachwatch.kernel.organisation import Organisation


@dataclass(frozen=True, slots=True)
class World:
    """Everything but the case itself. `team` are opaque keys of the mail addresses that reminders go to."""

    playbooks: Mapping[str, Playbook]
    notices: Mapping[tuple[str, str], NoticeTemplate]
    regimes: Mapping[str, Regime]
    form: Form
    organisation: Organisation
    team: tuple[str, ...] = ()

    def playbook(self, name: str) -> Playbook:
        """The playbook by id: what raising an incident needs.

        Raises:
            NotFoundError: no such playbook is loaded; a case file may outlive it.
        """
        try:
            return self.playbooks[name]
        except KeyError:
            loaded = ", ".join(sorted(self.playbooks))
            raise NotFoundError(f"no playbook is called {name!r}; loaded: {loaded}") from None

    def meaning(self, name: str) -> Playbook:
        """The playbook by id, or for a case that outlived its playbook a stand-in that knows nothing of the breach.

        So its clocks go on ringing, and people can finish it, under the GDPR.
        """
        return self.playbooks.get(name, _WITHDRAWN)

    def regimes_of(self, playbook: Playbook) -> list[Regime]:
        """The regimes that a playbook's breaches fall under."""
        return [self.regimes[name] for name in playbook.regimes if name in self.regimes]


_WITHDRAWN = Playbook(
    id="withdrawn",
    title="A playbook that is not loaded any more",
    summary="",
    breach_types=("confidentiality",),
    severity=SeverityDefaults(data_classes=("sensitive",), identification="maximum"),
    filing=FilingDefaults(
        origin="", cause="", data_categories=(), people_categories=(), prior_measures="", consequences=""
    ),
    checklist=(ChecklistItem(id="review", phase="assess", text="Judge this case without its playbook."),),
    notices=(),
)
