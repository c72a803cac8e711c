"""From a case to the words of its papers: the form's fields, the notices' texts, the head of a filing. Pure.

What the case file does not tell is left out, and so marked unknown by the form. Sentences are in the organisation's
language (French for `fr`, else English); what a playbook says is quoted as its author wrote it.
"""

from collections.abc import Mapping
from datetime import datetime

from breachwatch.assessment.facts import Level
from breachwatch.detection.playbooks.playbook import Playbook
from breachwatch.filings.facts import FilingApproved
from breachwatch.filings.forms.model import SEPARATOR
from breachwatch.filings.meta import FilingMeta
from breachwatch.filings.words import instant_words, number_words
from breachwatch.kernel.time import rfc3339
from breachwatch.notices.render import render
from breachwatch.pipeline.case import Case
from breachwatch.pipeline.figures import Range, breach_alerts, people, records
from breachwatch.pipeline.texts import filled_texts
from breachwatch.pipeline.world import World

__all__ = ["evidence_of", "filled_texts", "meta_of"]

_SEVERITY: Mapping[Level, str] = {
    "low": "negligible",
    "medium": "limited",
    "high": "significant",
    "very_high": "maximum",
}
"""ENISA's levels as the four grades of the authority's form; both describe them in nearly the same words."""

_SAID = {
    "en": {
        "alert": "{title}: {count} events between {first} and {last}.",
        "by_alert": "By automatic monitoring of our own logs ({sources}), through the detection: {titles}.",
        "by_hand": "Reported to, or by, a member of our team; no log told of it.",
        "phone": "{email}, telephone {phone}",
        "score": "Severity {score} by ENISA's method.",
        "mail": "By individual e-mail.",
        "name": "[name]",
        "decided": "It was decided that they need not be told.",
    },
    "fr": {
        "alert": "{title} : {count} événements entre le {first} et le {last}.",
        "by_alert": "Par la surveillance automatique de nos journaux ({sources}), grâce à la détection : {titles}.",
        "by_hand": "Signalé à un membre de notre équipe, ou par lui ; aucun journal n'en faisait état.",
        "phone": "{email}, téléphone {phone}",
        "score": "Gravité {score} selon la méthode de l'ENISA.",
        "mail": "Par courrier électronique individuel.",
        "name": "[nom]",
        "decided": "Il a été décidé de ne pas les informer.",
    },
}


def evidence_of(case: Case, world: World, now: datetime) -> dict[str, str]:
    """What the case file supports, by key of the form; what it does not support is absent.

    Args:
        case: the case.
        world: organisation, playbooks and the form's language.
        now: not later than which the evidence was gathered; nothing here changes by mere passing of time, so that
            what was read stays what is approved.

    Source: GDPR Art. 33(3).
    """
    playbook = world.playbooks.get(case.raised().playbook)
    found = {
        **_notification(case),
        **_organisation(world),
        **_times(case, now),
        **_story(case, playbook, world),
        **_kind_of_breach(playbook),
        "people_count": _count(people(case, playbook)),
        "records_count": _count(records(case, playbook)),
        **_severity(case, world),
        **_telling(case, world),
        **_measures(case, playbook),
    }
    return {key: text for key, text in found.items() if text}


def meta_of(case: Case, world: World, now: datetime, approval: FilingApproved | None = None) -> FilingMeta:
    """The head of the open draft, or of a filing that was approved."""
    organisation, filing = world.organisation, case.filing
    handed_in = next((one for one in filing.submissions if approval and one.digest == approval.digest), None)
    return FilingMeta(
        incident_id=case.id,
        title=case.raised().title,
        organisation=organisation.name,
        authority=organisation.authority,
        authority_url=organisation.authority_url,
        timezone=organisation.timezone,
        phase=approval.phase if approval else filing.phase,
        status="submitted" if handed_in else "approved" if approval else "draft",
        made_at=now,
        delay_reasons=approval.delay_reasons if approval else "",
        approved_by=approval.by if approval else "",
        approved_at=approval.approved_at if approval else None,
        submitted_at=handed_in.submitted_at if handed_in else None,
        reference=handed_in.reference if handed_in else "",
    )


def _notification(case: Case) -> dict[str, str]:
    submissions = case.filing.submissions
    reasons = [approval.delay_reasons for approval in case.filing.approvals if approval.delay_reasons]
    return {
        "notification_kind": case.filing.phase,
        "previous_reference": submissions[-1].reference if submissions else "",
        "delay_reasons": reasons[-1] if submissions and reasons else "",
    }


def _organisation(world: World) -> dict[str, str]:
    organisation = world.organisation
    contact = organisation.dpo_email
    if organisation.dpo_phone:
        contact = _said(world, "phone", email=organisation.dpo_email, phone=organisation.dpo_phone)
    return {
        "controller_name": organisation.name,
        "controller_address": ", ".join(part for part in (organisation.address, organisation.country) if part),
        "dpo_name": organisation.dpo_name,
        "dpo_contact": contact,
    }


def _times(case: Case, now: datetime) -> dict[str, str]:
    incident = case.raised()

    def at(instant: datetime | None) -> str:
        return rfc3339(instant) if instant and instant <= now else ""

    stated = incident.occurred_from and incident.occurred_to and not incident.alerts
    certainty = "known" if stated else "estimated" if incident.began_at else ""
    return {
        "started_at": at(incident.began_at),
        "ended_at": at(incident.last_seen_at),
        "period_certainty": certainty,
        "discovered_at": at(incident.raised_at),
        "aware_at": at(case.clocks.aware_at),
    }


def _story(case: Case, playbook: Playbook | None, world: World) -> dict[str, str]:
    incident, organisation = case.raised(), world.organisation
    language = _language(world)
    alerts = breach_alerts(case, playbook)

    def at(instant: datetime) -> str:
        return instant_words(rfc3339(instant), language, organisation.timezone)

    told = [
        _said(
            world,
            "alert",
            title=alert.title,
            count=number_words(alert.count, language),
            first=at(alert.first_event_at),
            last=at(alert.last_event_at),
        )
        for alert in alerts
    ]
    parts = [incident.description, playbook.summary.strip() if playbook else "", "\n".join(told)]
    how = _said(world, "by_hand")
    if alerts and not incident.by_hand:
        sources = ", ".join(sorted({source for alert in alerts for source in alert.sources}))
        titles = ", ".join(dict.fromkeys(alert.title for alert in alerts))
        how = _said(world, "by_alert", sources=sources, titles=titles)
    return {"nature_description": "\n\n".join(part for part in parts if part), "discovered_how": how}


def _kind_of_breach(playbook: Playbook | None) -> dict[str, str]:
    if playbook is None:
        return {}
    return {
        "breach_types": SEPARATOR.join(playbook.breach_types),
        "origin": playbook.filing.origin,
        "cause": playbook.filing.cause,
        "data_categories": SEPARATOR.join(playbook.filing.data_categories),
        "people_categories": SEPARATOR.join(playbook.filing.people_categories),
        "prior_measures": playbook.filing.prior_measures.strip(),
        "consequences": playbook.filing.consequences.strip(),
    }


def _severity(case: Case, world: World) -> dict[str, str]:
    proposal = case.assessment.proposal
    if proposal is None:
        return {}
    score = f"{proposal.score:.2f}"
    score = score.replace(".", ",") if _language(world) == "fr" else score
    reasons = "\n".join((_said(world, "score", score=score), *proposal.reasons))
    return {"severity": _SEVERITY[proposal.level], "severity_reasons": reasons}


def _telling(case: Case, world: World) -> dict[str, str]:
    notices, decision = case.notices, case.assessment.decision
    if notices.approvals:
        texts = notices.approvals[-1].texts
        language = world.organisation.default_language
        text = texts.get(language) or texts[min(texts)]
        read = render(text, {"person_name": _said(world, "name")}, language)
        told = {"people_told_how": _said(world, "mail"), "people_told_text": f"{read.subject}\n\n{read.text.strip()}"}
        if not notices.dispatches:
            return {"people_told": "will_be", **told}
        last = notices.dispatches[-1]
        at = rfc3339(last.reported_at) if last.reported_at else ""
        return {"people_told": "yes", "people_told_at": at, "people_told_count": str(last.sent), **told}
    if decision is None:
        return {}
    if decision.duty == "notify_authority_and_people":
        return {"people_told": "will_be", "people_told_how": _said(world, "mail")}
    return {"people_told": "no", "people_not_told_why": decision.reason or _said(world, "decided")}


def _measures(case: Case, playbook: Playbook | None) -> dict[str, str]:
    if playbook is None:
        return {}
    done, taken, planned = case.raised().done_items, [], []
    for item in playbook.checklist:
        if item.measure and item.id in done:
            note = done[item.id]
            taken.append(f"{item.measure} ({note})" if note else item.measure)
        elif item.measure:
            planned.append(item.text)
    return {"measures_taken": "\n".join(taken), "measures_planned": "\n".join(planned)}


def _count(ends: Range | None) -> str:
    if ends is None:
        return ""
    return str(ends[0]) if ends[0] == ends[1] else f"{ends[0]}-{ends[1]}"


def _language(world: World) -> str:
    return "fr" if world.organisation.default_language == "fr" else "en"


def _said(world: World, key: str, **words: str) -> str:
    return _SAID[_language(world)][key].format_map(words)
