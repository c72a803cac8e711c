"""The notices as folded from their facts."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from breachwatch.notices.facts import NoticesApproved, NoticesDispatched, NoticeText


@dataclass(frozen=True, slots=True)
class Notices:
    """Texts by language as they stand, who wrote last, all approvals and results, oldest first.

    `drafter` is who wrote, or took the texts over, since the last approval; empty while the texts are only the
    playbook's or as approved.
    `edited`: languages that a person wrote.
    """

    texts: Mapping[str, NoticeText] = field(default_factory=dict)
    drafter: str = ""
    edited: frozenset[str] = frozenset()
    approvals: tuple[NoticesApproved, ...] = ()
    dispatches: tuple[NoticesDispatched, ...] = ()
