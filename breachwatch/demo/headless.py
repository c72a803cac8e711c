"""The demo without a person: plays the DPO through the pages' own forms, and checks that they show what they should."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from breachwatch.demo.shop import ENTERED, EXPORTED
from breachwatch.demo.visitor import Page, Visitor
from breachwatch.kernel.errors import NotFoundError, RefusedError
from breachwatch.kernel.time import rfc3339

Say = Callable[[str], object]
AFFECTED = {"credential-stuffing": len(ENTERED), "mass-export": EXPORTED}
"""Playbook to how many people its incident must find: what the story did to whom."""


@dataclass(frozen=True, slots=True)
class Waited:
    """Not there yet; look again. `for_what` says what is missing."""

    for_what: str


class DemoDpo:
    """The demo's DPO at the desk. Every method looks once; whoever calls decides how long to go on looking."""

    def __init__(self, desk_url: str, mailbox_url: str, say: Say) -> None:
        self._desk = Visitor(desk_url)
        self._mailbox = Visitor(mailbox_url)
        self._say = say

    def sign_in(self, code: str) -> None:
        """Sign in with the one-time code."""
        page = self._desk.send(self._desk.get("/sign-in/once").form("sign-in-once-form"), code=code)
        _must(page, "signing in")
        self._say("signed in as the DPO")

    def incidents(self) -> dict[str, str] | Waited:
        """Playbook to incident id, once each breach is one incident whose people are all found."""
        rows = json.loads(_must(self._desk.get("/api/incidents"), "the list of incidents").html)["incidents"]
        found = {row["playbook"]: row for row in rows}
        if len(found) != len(rows) or found.keys() - AFFECTED.keys():
            raise RefusedError(
                f"there should be one incident a breach, and there are {sorted(r['playbook'] for r in rows)}"
            )
        for playbook, people in AFFECTED.items():
            reachable = found.get(playbook, {}).get("people_reachable")
            if reachable != people:
                return Waited(f"{people} people of {playbook} (so far {reachable or 0})")
        return {playbook: row["incident_id"] for playbook, row in found.items()}

    def handle(self, incident_id: str, at: datetime) -> None:
        """Confirm, decide, approve and submit the filing, approve the notices: one incident, as a DPO would.

        Raises:
            RefusedError: a page does not show what it should, or the desk refused a step.
            NotFoundError: a form that should be offered is not.
        """
        case = f"/incidents/{incident_id}"
        page = _must(self._desk.get(case), "the incident")
        _shows(page, "71:", "Notification to the supervisory authority", "Severity", "Proposed")
        self._send(case, "confirm-form", note="the accounts and records named by the evidence are ours")
        self._send(case, "decision-form", duty="notify_authority_and_people", reason="strangers hold these data")
        filing = _must(self._desk.get(f"{case}/filing"), "the filing")
        _shows(filing, "Example Shop", "Camille Example")
        self._send(f"{case}/filing", "approve-filing-form")
        self._send(f"{case}/filing", "submission-form", reference="DEMO-2026-1", channel="online form")
        for language in ("en", "fr"):
            if f"notice-{language}" not in self._desk.get(f"{case}/notices").html:
                raise RefusedError(f"there is no draft notice in {language}")
        self._send(f"{case}/notices", "approve-notices-form")
        self._say(f"decided, filed and approved {incident_id} at {rfc3339(at)}")

    def delivered(self) -> int | Waited:
        """How many notices arrived, once there is one for each person; never two for one person of one incident."""
        mails = json.loads(self._mailbox.get("/mails.json").html)
        notices = [mail for mail in mails if mail["to"].startswith("customer")]
        if len({mail["message_id"] for mail in mails}) != len(mails):
            raise RefusedError("somebody was told twice")
        if len(notices) < sum(AFFECTED.values()):
            return Waited(f"{sum(AFFECTED.values())} notices (so far {len(notices)})")
        if {mail["language"] for mail in notices} != {"en", "fr"}:
            raise RefusedError("the notices should be in the people's languages, English and French")
        return len(notices)

    def register(self) -> None:
        """The register of Art. 33(5) lists both breaches."""
        _shows(_must(self._desk.get("/register"), "the register"), "DEMO-2026-1")
        self._say("the register lists both breaches")

    def _send(self, path: str, form: str, **values: str) -> None:
        page = self._desk.get(path)
        answer = self._desk.send(page.form(form), **values)
        _must(answer, form)


def _must(page: Page, what: str) -> Page:
    if page.status != 200:
        raise RefusedError(f"{what} failed with {page.status}: {page.text[:300]}")
    return page


def _shows(page: Page, *words: str) -> None:
    missing = [word for word in words if word not in page.text]
    if missing:
        raise NotFoundError(f"{page.url} should show {', '.join(missing)}")
