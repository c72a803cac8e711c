"""Who is affected, as figures: references that joined, and what the directory knew of them. Pure."""

from dataclasses import replace

from breachwatch.kernel.asking import require_role
from breachwatch.kernel.errors import RefusedError
from breachwatch.subjects import commands, facts
from breachwatch.subjects.state import Subjects


def decide(state: Subjects, command: commands.Command) -> list[facts.Said]:
    """Say what follows from one command.

    Args:
        state: the figures, folded from all that was said before.
        command: what the ledger stored, what the directory answered, or that a person wants it asked again.

    Returns:
        One new fact; none when the figures are those already known, so redelivery is harmless.

    Raises:
        RefusedError: the person may not ask, or the evidence refers to nobody.

    Source: GDPR Art. 33(3)(a): the approximate number of people. It is counted, never guessed.
    """
    match command:
        case commands.LinkSubjects(added=added, total=total, digest=digest) if total and digest != state.digest:
            return [facts.SubjectsLinked(added, total, digest)]
        case commands.ReportResolution():
            resolved = facts.SubjectsResolved(
                references=command.references,
                reachable=command.reachable,
                unknown=command.unknown,
                without_address=command.without_address,
                by_language=dict(command.by_language),
            )
            return [] if resolved == state.resolved and not state.asked_again else [resolved]
        case commands.AskDirectoryAgain(by=by):
            require_role(by, "have the directory asked again", "analyst", "dpo")
            if not state.total:
                raise RefusedError("the evidence refers to nobody, so there is nobody to look up")
            return [] if state.stale else [facts.LookUpRequested(by.name)]
        case _:
            return []


def evolve(state: Subjects, fact: facts.Said) -> Subjects:
    """Fold one fact into the figures; never raises, never decides."""
    match fact:
        case facts.SubjectsLinked(total=total, digest=digest):
            return replace(state, total=total, digest=digest)
        case facts.SubjectsResolved():
            return replace(state, resolved=fact, asked_again=False)
        case facts.LookUpRequested():
            return replace(state, asked_again=True)
