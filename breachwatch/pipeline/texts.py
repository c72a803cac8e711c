"""The notices' texts as they would be approved now: everything filled but the name of the person."""

from datetime import datetime

from breachwatch.filings.words import date_words
from breachwatch.kernel.ids import reference
from breachwatch.kernel.time import rfc3339
from breachwatch.notices.closing import with_closing
from breachwatch.notices.facts import NoticeText
from breachwatch.notices.placeholders import fill_line, fill_markdown
from breachwatch.pipeline.case import Case
from breachwatch.pipeline.world import World

_NOT_KNOWN = {"en": "(date not known yet)", "fr": "(date encore inconnue)"}
_NOT_GIVEN = {"en": "(not given)", "fr": "(non communiqué)"}
_NO_CATEGORIES = {"en": "(not known yet)", "fr": "(pas encore connues)"}


def filled_texts(case: Case, world: World) -> dict[str, NoticeText]:
    """Every language's text with `{person_name}` alone still open, and with what the law wants every notice to say.

    Values stay what they are: marks and braces in them are escaped, so that none becomes a link or a placeholder.
    """
    return {language: _filled(text, language, case, world) for language, text in sorted(case.notices.texts.items())}


def notice_values(case: Case, world: World, language: str) -> dict[str, str]:
    """Placeholder to value in one language; `person_name` is absent."""
    incident, organisation = case.raised(), world.organisation
    not_given = _in(language, _NOT_GIVEN)
    given = {
        "organisation": organisation.name,
        "organisation_address": organisation.address,
        "website": organisation.website,
        "dpo_name": organisation.dpo_name,
        "dpo_email": organisation.dpo_email,
        "dpo_phone": organisation.dpo_phone,
        "authority": organisation.authority,
        "authority_url": organisation.authority_url,
        "incident_reference": reference(case.id),
    }
    return {
        **{name: value or not_given for name, value in given.items()},
        "occurred_on": _days(incident.began_at, incident.last_seen_at, language, organisation.timezone),
        "discovered_on": _days(incident.raised_at, incident.raised_at, language, organisation.timezone),
        "data_categories": _categories(case, world, language),
    }


def _filled(text: NoticeText, language: str, case: Case, world: World) -> NoticeText:
    values = notice_values(case, world, language)
    markdown = with_closing(text.markdown, language, values)
    for name in ("dpo_phone", "organisation_address"):
        if not getattr(world.organisation, name.removeprefix("organisation_")):
            markdown = markdown.replace(f", {{{name}}}", "")  # the end of a list, better left out than called missing
    return NoticeText(fill_line(text.subject, values), fill_markdown(markdown, values))


def _days(first: datetime | None, last: datetime | None, language: str, timezone: str) -> str:
    if first is None:
        return _in(language, _NOT_KNOWN)
    start = date_words(rfc3339(first), language, timezone)
    end = date_words(rfc3339(last or first), language, timezone)
    return start if start == end else f"{start} – {end}"


def _categories(case: Case, world: World, language: str) -> str:
    field = world.form.field("data_categories")
    edited = case.filing.edits.get("data_categories", "")
    playbook = world.playbooks.get(case.raised().playbook)
    members = field.members(edited) if field and edited else playbook.filing.data_categories if playbook else ()
    labels = {choice.value: choice.label.of(language).lower() for choice in field.choices} if field else {}
    return ", ".join(labels.get(member, member) for member in members if member != "?") or _in(language, _NO_CATEGORIES)


def _in(language: str, words: dict[str, str]) -> str:
    return words.get(language, words["en"])
