r"""Which of its witnesses a rule is sought by: the rarest, as a sample of records tells, or else as length suggests."""

from collections.abc import Sequence

from breachwatch.detection.conditions import Condition
from breachwatch.detection.matching.scan import Scan, Writing
from breachwatch.detection.matching.witnesses import NOT_ASCII, Clause, Cost, Seen, witness

MAX_SAMPLE = 400
"""Most records of a sample."""
MAX_SAMPLE_BYTES = 1_048_576

_ORDINARY = (
    r"c:\windows\system32\ c:\windows\syswow64\ c:\program files\ c:\program files (x86)\common files\ "
    r"c:\users\public\ \appdata\local\temp\ \appdata\roaming\ c:\programdata\ nt authority\system .exe .dll "
    r"microsoft-windows-sysmon/operational microsoft corporation microsoft windows operating system powershell.exe "
    r"cmd.exe rundll32.exe svchost.exe explorer.exe hklm\software\microsoft\windows\currentversion\ sha256= security "
    r"hkcu\system\currentcontrolset\services\ .com/ amazonaws https:// http://www. mozilla/5.0 get /index.html "
    r"post /api/v1/ success failure user name true false"
)
"""Texts that stand in very many records; a literal that is part of one is no rare one."""


def guess(clause: Clause) -> float:
    """The cost of a clause without a sample: long literals are rare ones."""
    return sum(1.0 if literal in _ORDINARY else 0.8 ** len(literal) for literal in clause)


def choose(conditions: Sequence[Condition], seen: Seen, cost: Cost = guess) -> list[Clause | None]:
    """For each condition the clause of least cost."""
    return [witness(condition, seen, cost) for condition in conditions]


def learned(conditions: Sequence[Condition], seen: Seen, writing: Writing, sample: Sequence[bytes]) -> Cost:
    """A cost that counts in how many records of a sample a clause was found.

    Args:
        conditions: all whose clauses will be asked about.
        seen: what the scanned text tells.
        writing: how texts stand in the sample.
        sample: records as they would be scanned.
    """
    literals: set[str] = set()

    def collect(clause: Clause) -> float:
        literals.update(clause)
        return guess(clause)

    choose(conditions, seen, collect)
    masks = _masks(literals, writing, sample)
    seldom = 0.01 / max(len(sample), 1)

    def cost(clause: Clause) -> float:
        together = 0
        for literal in clause:
            together |= masks.get(literal, 0)
        return (
            together.bit_count() / max(len(sample), 1) + seldom * min(guess(clause), 1.0) + 0.1 * seldom * len(clause)
        )

    return cost


def _masks(literals: set[str], writing: Writing, sample: Sequence[bytes]) -> dict[str, int]:
    """By literal, in which records of the sample it stands, a bit each."""
    numbered = sorted(literals)
    scan = Scan([frozenset((literal,)) for literal in numbered if literal != NOT_ASCII], writing)
    masks: dict[str, int] = dict.fromkeys(numbered, 0)
    for number, record in enumerate(sample):
        for at in scan.literals_in(record):
            masks[scan.literals[at]] |= 1 << number
        if NOT_ASCII in masks and not record.isascii():
            masks[NOT_ASCII] |= 1 << number
    return masks
