"""How many people and records: what the evidence supports, as a number or an honest range, or nothing."""

from breachwatch.detection.playbooks.playbook import Playbook
from breachwatch.incidents.facts import AlertJoined
from breachwatch.pipeline.case import Case

Range = tuple[int, int]


def people(case: Case, playbook: Playbook | None) -> Range | None:
    """(fewest, most) people affected; None while nothing is known.

    People whom the directory knows count once each. A reference that it does not know may be one more person, or one
    already counted under another identifier; so does each that joined since the last look-up. A person's own estimate
    widens the range and is never talked away.

    Source: GDPR Art. 33(3)(a): the approximate number, where possible.
    """
    return _span([_counted_people(case, playbook), _exactly(case.raised().people_estimate)])


def records(case: Case, playbook: Playbook | None) -> Range | None:
    """(fewest, most) personal-data records concerned; None while nothing is known.

    Alerts of one incident may have seen the same records, so the largest alone is the least, their sum the most. Only
    alerts that mean a breach count: a guessed password touches no record.
    """
    touched = [alert.records for alert in breach_alerts(case, playbook) if alert.records > 0]
    counted = (max(touched), sum(touched)) if touched else None
    return _span([counted, _exactly(case.raised().records_estimate)])


def breach_alerts(case: Case, playbook: Playbook | None) -> list[AlertJoined]:
    """The alerts that mean a breach by the playbook's own word, oldest first; all of them where it names none."""
    alerts = sorted(case.raised().alerts.values(), key=lambda alert: (alert.first_event_at, alert.alert_id))
    raising = playbook.detection.raises_incident if playbook else ()
    return [alert for alert in alerts if {alert.rule, alert.title} & {*raising}] or alerts


def _counted_people(case: Case, playbook: Playbook | None) -> Range | None:
    total, resolved = case.subjects.total, case.subjects.resolved
    if not total:
        return None
    if resolved is None:
        kinds = {field.kind for field in playbook.detection.subjects} if playbook else set()
        return (total, total) if len(kinds) == 1 else (1, total)
    known = resolved.reachable + resolved.without_address
    doubtful = resolved.unknown + max(0, total - resolved.references)
    return (max(1, known), known + doubtful)


def _exactly(number: int | None) -> Range | None:
    return None if number is None else (number, number)


def _span(ranges: list[Range | None]) -> Range | None:
    known = [each for each in ranges if each is not None]
    return (min(low for low, _ in known), max(high for _, high in known)) if known else None
